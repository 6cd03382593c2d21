"""How to run a study."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from gansweep.fields import Count, check_fields, number
from gansweep.run.trackers import check_trackers

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
