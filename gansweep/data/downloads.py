"""Downloads: by one process at a time, and complete or not there at all."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from gansweep.errors import UserError
from gansweep.files import file_lock

ARCHIVES = {".gz", ".zip"}


def download(
    name: str, root: Path, folder: str, is_there: Callable[[], bool], fetch: Callable[[Path], object]
) -> None:
    """Get the files of a data set, unless they are there, into `root`/`folder`.

    Processes that want the same one, here or on other machines with the same storage, wait for the first.
    is_there: whether all files are. fetch: torchvision's download into another root, from where files come
    to their place when all of them are whole. Archives that lie in their place already are used.

    Raises:
        UserError: it failed; the message names the way out.
    """
    if is_there():
        return
    try:
        with file_lock(root / f".{name}.lock"), redirect_stdout(sys.stderr):  # torchvision prints
            if not is_there():
                with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as scratch:
                    _lend(root, Path(scratch), folder)
                    fetch(Path(scratch))
                    _settle(Path(scratch) / folder, root / folder)
    except (OSError, RuntimeError) as error:  # URLError is an OSError
        reason = " ".join(str(error).split())
        raise UserError(
            f"data set {name!r} is not complete in {root / folder} and could not be downloaded: put its "
            f"files there, or set GANSWEEP_DATA to a folder that has them ({reason})"
        ) from None


def _lend(root: Path, scratch: Path, folder: str) -> None:
    """Link archives and lists that the user may have brought."""
    (scratch / folder).mkdir(parents=True)
    for file in [*root.glob("*.gz"), *(root / folder).glob("*.*")]:
        (scratch / file.relative_to(root)).symlink_to(file.resolve())


def _settle(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.is_symlink() or entry.suffix in ARCHIVES:
            continue
        if entry.is_dir():
            shutil.rmtree(target / entry.name, ignore_errors=True)
        os.replace(entry, target / entry.name)
