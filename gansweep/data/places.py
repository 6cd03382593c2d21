"""Where data sets and caches lie, as the environment says."""

import os
from pathlib import Path

from gansweep.errors import UserError


def data_root() -> Path:
    """Returns the folder of data sets: $GANSWEEP_DATA, else ~/.cache/gansweep/data.

    Raises:
        UserError: the variable is not set, and the user has no home folder.
    """
    return _place("GANSWEEP_DATA", "data")


def cache_root() -> Path:
    """Returns the folder shared by processes and studies: $GANSWEEP_CACHE, else ~/.cache/gansweep.

    Raises:
        UserError: the variable is not set, and the user has no home folder.
    """
    return _place("GANSWEEP_CACHE", "")


def _place(variable: str, name: str) -> Path:
    given = os.environ.get(variable)
    try:
        return Path(given) if given else Path.home() / ".cache" / "gansweep" / name
    except RuntimeError:
        raise UserError(f"there is no home folder: set {variable} to a folder") from None
