"""Files are whole, or the error of the disk is raised; modes are by the umask; no link is followed."""

import errno
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest
import torch

from gansweep.data.tensors import load_tensors, save_tensors
from gansweep.errors import Damaged, UserError
from gansweep.files import (
    append_line,
    file_lock,
    open_file,
    read_bytes,
    replacing,
    require_writable,
    set_aside,
    write_atomically,
)


def in_a_process(action, *arguments):
    """Run a function in a process of its own; returns what it returns."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(action, arguments)


def write_with_room_for(n_bytes, path, n_values):
    """A limit on the size of files is as a disk whose space ends inside a record."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    try:
        save_tensors({"values": torch.ones(n_values)}, path, "kind", "of")
    except OSError as error:
        return error.errno
    return None


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 5000, 60_000])
def test_a_file_that_has_not_room_enough_is_an_error_of_the_disk(tmp_path, n_bytes):
    path = tmp_path / "state.pt"
    save_tensors({"values": torch.zeros(3)}, path, "kind", "of")
    assert in_a_process(write_with_room_for, n_bytes, path, 100_000) == errno.EFBIG
    assert load_tensors(path, "kind", "of")["values"].tolist() == [0, 0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]
    assert in_a_process(write_with_room_for, 10**7, path, 100_000) is None


def torch_save_with_room_for(n_bytes, path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    try:
        with replacing(path) as file:
            torch.save({"values": torch.ones(200_000)}, file)
    except OSError as error:
        return error.errno
    except RuntimeError:
        return "RuntimeError"
    return None


@pytest.mark.parametrize("n_bytes", [100, 5000, 60_000])
def test_an_error_of_the_disk_is_raised_however_a_library_wraps_it(tmp_path, n_bytes):
    """PyTorch raises RuntimeError where space ends inside a record."""
    assert in_a_process(torch_save_with_room_for, n_bytes, tmp_path / "state.pt") == errno.EFBIG
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_modes_follow_the_umask(tmp_path, umask):
    code = f"""
import os, sys
from pathlib import Path
os.umask({umask})
from gansweep.files import append_line, file_lock, require_writable, write_atomically
folder = Path(sys.argv[1]) / "made"
require_writable(folder)
write_atomically(folder / "whole", "x")
append_line(folder / "lines", "x")
with file_lock(folder / "lock"): pass
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "made").iterdir()}
    assert modes == {
        "whole": 0o666 & ~umask,
        "lines": 0o666 & ~umask,
        "lock": 0o666 & ~umask | 0o060,  # users of a group share a cache, whatever their umask
    }
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o777 & ~umask


def test_what_is_no_file_is_not_read(tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # a reader must not wait for its other end
    for name in ("link", "loop", "folder", "pipe"):
        with pytest.raises(Damaged, match=rf"{name} is (not a file|a link or a device)"):
            open_file(tmp_path / name)
    assert read_bytes(tmp_path / "file") == b"content"
    with pytest.raises(Damaged, match="file is larger than 6 bytes"):
        read_bytes(tmp_path / "file", at_most=6)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "link").symlink_to(outside)
    write_atomically(tmp_path / "link", "new")
    assert outside.read_text() == "mine" and (tmp_path / "link").read_text() == "new"
    (tmp_path / "lines").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic link"):
        append_line(tmp_path / "lines", "more")
    assert outside.read_text() == "mine"


def test_a_line_follows_the_end_of_a_torn_one(tmp_path):
    path = tmp_path / "lines"
    append_line(path, "one")
    path.write_text(path.read_text() + "half")
    append_line(path, "two")
    assert path.read_text() == "one\nhalf\ntwo\n"


def test_nothing_is_set_aside_over_something_else(tmp_path):
    places = []
    for content in ("a", "b", "c"):
        (tmp_path / "rows").write_text(content)
        places.append(set_aside(tmp_path / "rows", tmp_path / "aside", "rows"))
    assert [place.read_text() for place in places] == ["a", "b", "c"]
    assert not (tmp_path / "rows").exists()


def test_a_lock_of_another_user_can_be_held(tmp_path):
    lock = tmp_path / ".lock"
    with file_lock(lock):
        pass
    lock.chmod(0o444)
    with file_lock(lock):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"files cannot be written to .*/file/folder: Not a directory"):
        require_writable(tmp_path / "file" / "folder")
