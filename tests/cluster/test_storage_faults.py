"""The storage of the results fills up, hangs or goes away while a study runs: it waits, or stops."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audit import require_sound
from drivers import local
from namespaces import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems"),
]


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


@contextmanager
def mounted(folder: Path, *command: str) -> Iterator[Path]:
    """A file system mounted at a folder by a command, and taken away whatever holds it."""
    folder.mkdir(exist_ok=True)
    run(*command, str(folder))
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    with mounted(tmp_path / "disk", "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs") as disk:
        yield disk


def fill(disk: Path) -> None:
    """Leave not a byte on a disk."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def enlarge(disk: Path) -> None:
    run("mount", "-o", "remount,size=32m", str(disk))


def test_a_full_disk_stops_the_study_and_the_same_command_finishes_it(drive, tiny, small_disk):
    driver = drive(tiny.study, small_disk / "results", environment=local({"GANSWEEP_PATIENCE": "3"})).start()
    driver.until_rows(3)
    fill(small_disk)
    said = driver.finish(3)
    assert "No space left on device: run the same command to resume" in said
    enlarge(small_disk)
    driver.run()
    require_sound("results disk full, enlarged after the end", 1, driver.folder, tiny.folder)


def test_a_full_disk_that_is_enlarged_in_time_is_waited_for(drive, tiny, small_disk):
    driver = drive(
        tiny.study, small_disk / "results", environment=local({"GANSWEEP_PATIENCE": "200"})
    ).start()
    driver.until_rows(3)
    fill(small_disk)
    time.sleep(10)
    assert not driver.ended
    enlarge(small_disk)
    driver.finish()
    require_sound("results disk full, enlarged in time", 1, driver.folder, tiny.folder)


@needs("losetup", "mkfs.ext4", "fsfreeze")
def test_a_file_system_that_hangs_is_waited_for(drive, tiny, tmp_path):
    """Writes hang for twenty seconds, as on a share that is mounted hard."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", str(image))
    with mounted(tmp_path / "share", "mount", "-o", "loop,noatime", str(image)) as share:
        driver = drive(tiny.study, share / "results", environment=local()).start()
        driver.until_rows(3)
        run("fsfreeze", "--freeze", str(share))
        try:
            time.sleep(20)
            assert not driver.ended
        finally:
            run("fsfreeze", "--unfreeze", str(share))
        driver.finish()
        require_sound("results hang for 20 s", 1, driver.folder, tiny.folder)


@needs("bindfs")
@pytest.mark.parametrize("seconds_of_patience", [200, 2])
def test_a_share_that_goes_away_and_comes_back(drive, tiny, tmp_path, seconds_of_patience):
    """Every access fails, as on a network file system whose server is gone, until it is mounted again."""
    source, share = tmp_path / "source", tmp_path / "share"
    source.mkdir(), share.mkdir()
    with sharing(source, share) as server:
        patience = {"GANSWEEP_PATIENCE": str(seconds_of_patience)}
        driver = drive(tiny.study, share / "results", environment=local(patience)).start()
        driver.until(lambda: len(read_source(source, driver)) >= 3)
        server.kill()
        time.sleep(10)
        if seconds_of_patience < 10:
            said = driver.finish(3)
            assert "run the same command to resume" in said
    with sharing(source, share):
        if driver.ended:
            driver.run()
        else:
            driver.finish()
        how = "waited for" if seconds_of_patience > 10 else "stopped, started again"
        require_sound(f"results away for 10 s, {how}", 1, driver.folder, tiny.folder)


def read_source(source: Path, driver) -> list[str]:
    """The rows so far, read beside the share."""
    file = source / "results" / driver.folder.name / "rows.jsonl"
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def sharing(source: Path, share: Path) -> Iterator[subprocess.Popen]:
    """A share that a process of ours serves; who kills it, takes it away."""
    server = subprocess.Popen(["bindfs", "-f", str(source), str(share)])
    try:
        until(lambda: os.path.ismount(share))
        yield server
    finally:
        run("umount", "--lazy", str(share))
        server.kill()
        server.wait()


def until(condition: Callable[[], object], timeout: float = 300) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s"
        time.sleep(0.05)
