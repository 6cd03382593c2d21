"""Optuna's journal file, which neither a killed driver nor a full disk breaks."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

LIVING_SECONDS = 1.0  # a living program holds the file's lock for milliseconds


class Journal(JournalFileBackend):
    """A journal that one driver writes; optuna-dashboard may read it and write its notes meanwhile.

    Optuna itself would append to half a line that a crash has left, and could never read the file again.
    """

    def __init__(self, path: Path) -> None:
        self._link = path.with_name(f"{path.name}.lock")
        super().__init__(str(path), lock_obj=JournalFileSymlinkLock(str(path)))
        self._break_lock_of_the_dead()
        with self._locked() as file:
            _cut_torn_line(file)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all of the logs or, with an OSError, none of them."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._locked() as file:
            _cut_torn_line(file)
            start = file.seek(0, os.SEEK_END)
            try:
                _write(file, lines)
            except OSError:
                file.truncate(start)
                raise

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        self._lock.acquire()
        try:
            with open(self._file_path, "a+b", buffering=0) as file:
                yield file
        finally:
            self._link.unlink(missing_ok=True)  # Optuna's own release renames it, which a full disk forbids

    def _break_lock_of_the_dead(self) -> None:
        """Remove the lock of a driver that was killed while writing. Optuna would wait for it for half a
        minute; or for ever if the folder has moved since, because the lock is a link to the file."""
        before = self._holder()
        if before is None:
            return
        time.sleep(LIVING_SECONDS)
        if self._holder() == before:
            self._link.unlink(missing_ok=True)

    def _holder(self) -> tuple[int, int] | None:
        try:
            link = os.lstat(self._link)
        except FileNotFoundError:
            return None
        return link.st_ino, link.st_ctime_ns


def _write(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _cut_torn_line(file: FileIO) -> None:
    """Cut off what follows the last end of a line."""
    end = file.seek(0, os.SEEK_END)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.readall().rfind(b"\n") + 1)
