"""How to run a study."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from gansweep.errors import UserError
from gansweep.fields import Count, check_fields, number
from gansweep.run.trackers import check_trackers

VARIABLE = "GANSWEEP_STORAGE"
Share: TypeAlias = Annotated[float, number("a number of at least 0", lambda x: 0 <= x < math.inf)]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a study; none of these changes its results."""

    results: Path = Path("results")
    storage: str | None = None  # URL of an Optuna storage; None: a journal file in the study's folder
    pack_size: Count | None = None  # most trials in a pack; None: see `gansweep.run.packing`
    gpus_per_pack: Share | None = None  # None: see `gansweep.run.packing`; 0: trains on CPUs
    log: tuple[str, ...] = ()  # names of loggers

    def __post_init__(self) -> None:
        check_fields(self)
        check_trackers(self.log)


def storage_url(option: str | None) -> str | None:
    """The URL of a command's option or, without one, of the environment; None if neither has one.

    Raises:
        UserError: the option holds a password, which every user of the machine could read.
    """
    if option is None:
        return os.environ.get(VARIABLE) or None
    from gansweep.run.search.storage.database import parse

    url = parse(option)
    if url.password is not None or any("password" in name for name in url.query):
        raise UserError(
            "a password in --storage can be read in the list of processes: leave it out and put it into "
            f"~/.pgpass, or put the whole URL into the environment variable {VARIABLE}"
        )
    return option
