"""The one way to read and to write files: a reader finds them whole or learns that they are not."""

import errno
import fcntl
import io
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from gansweep.errors import Damaged, Stopped, UserError, complain

LARGEST = 2**31  # bytes of a file that is read as a whole


def open_file(path: Path) -> BinaryIO:
    """Open a file to read. A link is not followed, so that nobody is led outside a folder.

    Raises:
        Damaged: it is a link, a folder, or anything else that is not a file.
        OSError: it is missing or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # of O_NOFOLLOW at a link; a socket
            raise Damaged(f"{path} is a link or a device where a file should be") from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Damaged(f"{path} is not a file")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, at_most: int = LARGEST) -> bytes:
    """Returns the content of a file.

    Raises:
        Damaged: see `open_file`, or it has more bytes than that.
        OSError: it is missing or cannot be read.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > at_most:
            raise Damaged(f"{path} is larger than {at_most:,} bytes")
        return file.read(at_most)


class _Recorded(io.FileIO):
    """A file that remembers why writing failed, whatever a library makes of it."""

    failure: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well.

    Its mode follows the umask. Its content is on the disk before it has the name; that it has the name, a
    machine that loses its power may forget, unless `sync_folder` follows: then the file before it is there.

    Raises:
        OSError: it cannot be written, whatever the block raises then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    raw = _Recorded(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "rb+")
    try:
        with io.BufferedRandom(raw) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except OSError as error:  # which would name the temporary file
            raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if raw.failure and raw.failure is not error:
            raise raw.failure from None
        raise


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable, where its storage can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the file as a whole: a reader sees the old content or the new.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file, after the end of one that a crash has torn.

    Raises:
        OSError: it cannot be written; `path` is a link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o666), "rb+", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        torn = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
        file.write((b"\n" if torn else b"") + line.encode("utf-8", "backslashreplace") + b"\n")


def set_aside(path: Path, into: Path, name: str) -> Path:
    """Move what is not understood into a folder, under this name or one like it. Returns its place.

    Raises:
        OSError: it cannot be moved.
    """
    into.mkdir(parents=True, exist_ok=True)
    place = free_name(into, name)
    os.rename(path, place)
    return place


def free_name(folder: Path, name: str) -> Path:
    """Returns a path that does not exist in a folder: of this name, with a number unless it is free.

    Another process may take it in the meantime, so the number is random.
    """
    place = folder / name
    while os.path.lexists(place):
        place = folder / f"{name[:200]}.{secrets.token_hex(3)}"
    return place


def require_writable(folder: Path) -> None:
    """Make a folder unless it is there.

    Raises:
        UserError: files cannot be written there.
    """
    probe = folder / f".{secrets.token_hex(8)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        probe.unlink()
    except OSError as error:
        raise UserError(f"files cannot be written to {folder}: {error.strerror}") from None


@contextmanager
def file_lock(lock: Path) -> Iterator[None]:
    """Wait until no other process, on any machine that shares the storage, is in a block with this lock file.

    Its group may lock it, too, whatever the umask is: users share caches.

    Raises:
        OSError: the file can be neither written nor read.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(_lock_file(lock), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock_file(lock: Path) -> int:
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(lock, os.O_RDWR | flags, 0o666)
    except PermissionError:  # of another user: most storages lock what is open to read
        return os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with suppress(PermissionError):  # only its owner may
        os.fchmod(handle, os.fstat(handle).st_mode | stat.S_IRGRP | stat.S_IWGRP)
    return handle


def dump_json(value: Any) -> str:
    """Readable JSON without NaN or infinity, with a final newline."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


Result = TypeVar("Result")
VARIABLE, USUAL_SECONDS = "GANSWEEP_PATIENCE", 600.0
LONGEST_PAUSE = 5.0  # seconds between two tries


def patience_seconds() -> float:
    """Returns how long to wait for storage [s], see `seconds_of`."""
    return seconds_of(VARIABLE, USUAL_SECONDS)


def seconds_of(variable: str, usual: float) -> float:
    """Returns the seconds that a variable of the environment says; usual: unless it is set.

    Raises:
        UserError: it is no number of seconds.
    """
    text = os.environ.get(variable, str(usual))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(f"{variable} must be a number of seconds, at least 0, but is {text!r}")
    return seconds


def retry_io(action: Callable[[], Result], what: str, but: tuple[type[OSError], ...] = ()) -> Result:
    """Returns the result of an action, which is tried again while it raises OSError.

    action: may be called again after it has failed halfway. what: as in "rows cannot be written". but: these
    failures are final.

    Raises:
        Stopped: it still fails after `patience_seconds`.
    """
    deadline, pause = time.monotonic() + patience_seconds(), 0.05
    reported = False
    while True:
        try:
            return action()
        except but:
            raise
        except OSError as error:
            reason = f"{what}: {getattr(error, 'strerror', None) or str(error).partition(chr(10))[0]}"
            left = deadline - time.monotonic()
            if left <= 0:
                raise Stopped(reason) from error
        if not reported and pause > 1:
            complain(f"{reason}; waiting for up to {left:.0f} s")
            reported = True
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
