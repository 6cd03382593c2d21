"""Downloads by one process at a time, complete or not at all."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from gansweep.data.reading import readable
from gansweep.errors import UserError
from gansweep.files import file_lock

ARCHIVES = {".gz", ".zip"}


def download(
    name: str, root: Path, folder: str, is_there: Callable[[], bool], fetch: Callable[[Path], object]
) -> None:
    """Download the files of a data set into `root`/`folder`, unless they exist.

    Concurrent processes, also on other machines with the same storage, wait for the first.
    is_there: whether all files exist. fetch: torchvision's download into a scratch root; the files move to
    their place when all of them are complete. Existing archives are used.

    Raises:
        UserError: the download failed; the message says what to do. Or the files may not be read.
    """
    with readable(root / folder):
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
    """Link archives and lists that the user may have provided."""
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
