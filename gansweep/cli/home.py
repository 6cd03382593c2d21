"""A place for caches where the home folder is missing or cannot be written, as is usual in containers."""

import os
import pwd
import stat
import tempfile
from pathlib import Path

from gansweep.errors import UserError

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where getpass looks before it asks for the user's entry


def provide() -> str | None:
    """Where the home folder cannot be written, set the variables that say where caches go.

    They go to GANSWEEP_CACHE, else to a folder of the user's own among the temporary ones. What is set
    already stays. Returns that temporary folder; None: it is not used.

    Raises:
        UserError: there is no folder for temporary files either.
    """
    _provide_name()
    home = _home()
    if home and os.access(home, os.W_OK | os.X_OK):
        return None
    given = os.environ.get("GANSWEEP_CACHE")
    temporary = None if given and _is_writable(Path(given)) else _temporary()
    place = temporary or Path(given or "").resolve()
    defaults = {
        "GANSWEEP_CACHE": place,
        "MPLCONFIGDIR": place / "matplotlib",
        "TORCHINDUCTOR_CACHE_DIR": place / "torchinductor",
        "XDG_CACHE_HOME": place,  # PyTorch's downloads
    }
    if not home or not (home / ".cache" / "gansweep" / "data").is_dir():
        defaults["GANSWEEP_DATA"] = place / "data"
    for name, folder in defaults.items():
        if not os.environ.get(name):
            os.environ[name] = str(folder)
    if not home:
        os.environ["HOME"] = str(place)
    return None if temporary is None else str(temporary)


def _provide_name() -> None:
    """Give a name, which libraries ask for, to a user who has none."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        if not any(map(os.environ.get, NAMES)):
            os.environ["USER"] = f"uid{os.getuid()}"


def _home() -> Path | None:
    """The home folder; None if there is none."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_dir() else None


def _is_writable(folder: Path) -> bool:
    there = next((parent for parent in (folder, *folder.resolve().parents) if parent.exists()), Path("/"))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _temporary() -> Path:
    """A folder that only this user can write, the same for each command if nobody else has taken its name."""
    try:
        folder = Path(tempfile.gettempdir()) / f"gansweep-{os.getuid()}"
    except FileNotFoundError:
        raise UserError(
            "neither the home folder nor one for temporary files can be written: set TMPDIR to a folder"
        ) from None
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        return folder if is_own else Path(tempfile.mkdtemp(prefix="gansweep-"))
    return folder
