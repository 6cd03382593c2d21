"""Files that a reader always finds whole, whatever crashes while they are written."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gansweep.errors import UserError


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
def alone(lock: Path) -> Iterator[None]:
    """Wait until nobody else is in a block with this lock file: no other process, here or on another machine
    that shares the storage.

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
