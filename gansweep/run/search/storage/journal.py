"""Optuna's journal file, which neither a killed driver nor a full disk breaks, nor changed bits deceive.

Every line that gansweep writes has a `check`, 16 hexadecimal digits of the hash of the rest, which Optuna
ignores. Lines of optuna-dashboard have none.
"""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import FileIO
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from gansweep.errors import Damaged
from gansweep.files import free_name, retry_io, sync_folder, write_atomically

LIVING_SECONDS = 1.0  # a living program holds the file's lock for milliseconds


class BatchedJournalStorage(JournalStorage):
    """A search in a journal file; the changes of a batch are written together."""

    def __init__(self, journal: "Journal") -> None:
        self.journal = journal
        super().__init__(journal)


def batch(storage: BaseStorage) -> AbstractContextManager[None]:
    """A block whose changes reach a journal together, when it ends: one wait for the disk instead of many.

    A database takes each by itself.
    """
    return storage.journal.batch() if isinstance(storage, BatchedJournalStorage) else nullcontext()


class Journal(JournalFileBackend):
    """A journal that one driver writes; optuna-dashboard may read it and write its notes in the meantime.

    Optuna itself would append to half a line that a crash has left, and could never read the file again. It
    would also keep the place of every line that it has read.
    """

    def __init__(self, path: Path, aside: Path) -> None:
        self._aside = aside
        self._link = path.with_name(f"{path.name}.lock")
        super().__init__(str(path), lock_obj=JournalFileSymlinkLock(str(path)))
        self._position = 0  # in the file, up to where it has been read
        self._read_before: deque[tuple[int, int]] = deque()  # parts that were read before they were written
        self._waiting: list[dict[str, Any]] | None = None  # what is to be written together
        self._unread: deque[str] = deque()  # of it
        self._remove_stale_lock()
        with self._locked():
            pass

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A block whose logs are appended when it ends, all of them or none.

        Raises:
            Stopped: the file could not be written for too long.
        """
        if self._waiting is not None:
            yield
            return
        with self._locked() as file:  # so that no other program's logs come in between
            self._waiting = []
            try:
                yield
            finally:
                logs, self._waiting = self._waiting, None
                if logs:
                    what = f"{self._file_path} cannot be written"
                    self._read_before.append(retry_io(lambda: _append(file, _lines(logs)), what))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all of the logs or, with an OSError, none of them."""
        if self._waiting is not None:
            self._waiting += logs
            self._unread += _lines(logs).decode().splitlines()
            return
        with self._locked() as file:
            _append(file, _lines(logs))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The logs that have come since the last call; Optuna asks for each once, in order."""
        with open(self._file_path, "rb") as file:
            while True:
                if self._read_before and self._read_before[0][0] == self._position:
                    self._position = self._read_before.popleft()[1]
                file.seek(self._position)
                line = file.readline()
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                yield self._log(line)
        while self._unread:
            yield self._log(self._unread.popleft().encode())

    def _log(self, line: bytes) -> Any:
        """Returns the log of a line.

        Raises:
            Damaged: it is not what was written.
        """
        try:
            log = json.loads(line)
            check = log.pop("check", None)
            if check in (None, _check(log)):
                return log
        except (ValueError, RecursionError, AttributeError):  # not JSON, or no object
            pass
        raise Damaged(
            f"{self._file_path} is damaged, a line is not what was written: restore it from a copy, "
            "or rename the study to begin anew"
        )

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        self._lock.acquire()
        try:
            with open(self._file_path, "a+b", buffering=0) as file:
                _move_torn_line(file, self._aside)
                yield file
        finally:
            self._link.unlink(missing_ok=True)  # Optuna's own release renames it, which a full disk forbids

    def _remove_stale_lock(self) -> None:
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


def _lines(logs: Iterable[Mapping[str, object]]) -> bytes:
    checked = [{**log, "check": _check(log)} for log in logs]
    return "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in checked).encode()


def _check(log: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(log, sort_keys=True).encode()).hexdigest()[:16]


def _append(file: FileIO, lines: bytes) -> tuple[int, int]:
    """Append all or, with an OSError, nothing; where they begin and end in the file."""
    start = file.seek(0, os.SEEK_END)
    try:
        _write(file, lines)
    except OSError:
        file.truncate(start)
        raise
    return start, start + len(lines)


def _write(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _move_torn_line(file: FileIO, aside: Path) -> None:
    """Move what follows the last end of a line, left by a program that was killed, to another file."""
    end = file.seek(0, os.SEEK_END)
    if not end or os.pread(file.fileno(), 1, end - 1) == b"\n":
        return
    file.seek(0)
    content = file.readall()
    end = content.rfind(b"\n") + 1
    place = free_name(aside, "optuna.journal.torn")
    retry_io(lambda: write_atomically(place, content[end:]), f"{place} cannot be written")
    sync_folder(place.parent)
    file.truncate(end)
