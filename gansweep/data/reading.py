"""What is said of files that cannot be read, and how their names are written."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gansweep.errors import UserError

# Storage that is gone for a while: no mistake of the user, so the same command may succeed later.
GONE = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT)
DENIED = (errno.EACCES, errno.EPERM)


def shown(name: str | Path) -> str:
    r"""Returns a name as text that every terminal and file can take.

    Control characters, and bytes that are not UTF-8, become escapes:

    >>> shown("cat\x1b[2J\udcff.png")
    'cat\\x1b[2J\\xff.png'
    """
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Says which file or folder a block could not read, and why.

    Raises:
        UserError: it does not exist, may not be read, or is of another kind.
        OSError: its storage is gone.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno in GONE:
            raise
        advice = ": give yourself the right to read it" if error.errno in DENIED else ""
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}{advice}") from None
