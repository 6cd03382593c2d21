"""Files that a reader always finds whole, whatever crashes while they are written."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from gansweep.errors import Stopped, UserError, complain


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would lock out other users of a shared folder
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def require_writable(folder: Path) -> None:
    """Make a folder unless it is there.

    Raises:
        UserError: files cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"files cannot be written to {folder}: {error.strerror}") from None


@contextmanager
def file_lock(lock: Path) -> Iterator[None]:
    """Wait until no other process, on any machine that shares the storage, is in a block with this lock file.

    Raises:
        OSError: the file cannot be written.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the file as a whole: a reader sees the old content or the new."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def dump_json(value: Any) -> str:
    """Readable JSON without NaN or infinity, with a final newline."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


Result = TypeVar("Result")
VARIABLE, USUAL_SECONDS = "GANSWEEP_PATIENCE", 600.0
LONGEST_PAUSE = 5.0  # seconds between two tries


def patience_seconds() -> float:
    """Returns how long to wait for storage [s]: of the environment, else ten minutes.

    Raises:
        UserError: the environment has no number of seconds.
    """
    text = os.environ.get(VARIABLE, str(USUAL_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(f"{VARIABLE} must be a number of seconds, at least 0, but is {text!r}")
    return seconds


def retry_io(
    action: Callable[[], Result], what: str, failures: tuple[type[Exception], ...] = (OSError,)
) -> Result:
    """Returns the result of an action, which is tried again while it fails in these ways.

    action: may be called again after it has failed halfway. what: as in "rows cannot be written".

    Raises:
        Stopped: it still fails after `patience_seconds`.
    """
    deadline, pause = time.monotonic() + patience_seconds(), 0.05
    reported = False
    while True:
        try:
            return action()
        except failures as error:
            reason = f"{what}: {getattr(error, 'strerror', None) or str(error).partition(chr(10))[0]}"
            left = deadline - time.monotonic()
            if left <= 0:
                raise Stopped(reason) from error
        if not reported and pause > 1:
            complain(f"{reason}; waiting for up to {left:.0f} s")
            reported = True
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
