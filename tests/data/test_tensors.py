"""Files of tensors: the content that was written, for what it was written for, or an error that says why."""

import random
import zipfile

import numpy as np
import pytest
import torch

from gansweep.data.tensors import is_sealed, load_tensors, load_unsealed, save_tensors
from gansweep.errors import Damaged

VALUE = {"a": torch.arange(300.0), "n": 3, "text": "x", "inner": {"b": torch.tensor([True, False])}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.pt"
    save_tensors(VALUE, path, "kind", "this")
    return path


@pytest.mark.parametrize("mmap", [False, True])
def test_what_is_written_is_read(file, mmap):
    read = load_tensors(file, "kind", "this", mmap)
    assert torch.equal(read["a"], VALUE["a"]) and read["n"] == 3 and read["text"] == "x"
    assert read["inner"]["b"].tolist() == [True, False]


def test_pytorch_and_zip_read_the_file_too(file):
    assert torch.equal(torch.load(file, weights_only=True)["a"], VALUE["a"])
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None and b"sha256" in archive.comment


def test_equal_content_is_an_equal_file(file, tmp_path):
    save_tensors(VALUE, tmp_path / "file.pt", "kind", "this")
    assert (tmp_path / "file.pt").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("kind", "of"), [("other", "this"), ("kind", "that")])
def test_a_file_of_something_else_is_not_taken(file, kind, of):
    with pytest.raises(Damaged, match="is of something else"):
        load_tensors(file, kind, of)


@pytest.mark.parametrize("mmap", [False, True])
def test_no_changed_bit_is_taken(file, mmap):
    whole, chance = file.read_bytes(), random.Random(1)
    for _ in range(250):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        with pytest.raises(Damaged):
            load_tensors(file, "kind", "this", mmap)


def test_no_part_is_taken(file):
    whole = file.read_bytes()
    for end in (*range(0, len(whole), 61), len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(Damaged):
            load_tensors(file, "kind", "this")
    for start in range(0, len(whole) - 64, 64):
        file.write_bytes(whole[:start] + bytes(64) + whole[start + 64 :])
        if file.read_bytes() != whole:
            with pytest.raises(Damaged):
                load_tensors(file, "kind", "this")


def test_a_file_with_an_altered_content_and_the_old_seal_is_not_taken(file):
    torch.save({**VALUE, "a": VALUE["a"] + 1}, file)
    with pytest.raises(Damaged, match="is damaged, or no file of gansweep"):
        load_tensors(file, "kind", "this")
    assert not is_sealed(file)
    assert load_unsealed(file)["a"][0] == 1


def test_a_packed_archive_is_not_unpacked(file, tmp_path):
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(Damaged, match="is packed"):
        load_unsealed(packed)


def test_other_files_are_not_taken(tmp_path):
    (tmp_path / "text").write_text("no tensors")
    np.save(tmp_path / "array.npy", np.ones(3))
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("text", "array.npy", "list.pt"):
        with pytest.raises(Damaged):
            load_unsealed(tmp_path / name)
        with pytest.raises(Damaged):
            load_tensors(tmp_path / name, "kind", "this")
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "none", "kind", "this")
