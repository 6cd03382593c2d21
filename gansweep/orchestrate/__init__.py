"""Ray: runs the packs of a search as Tune trials, and what is measured after them. Only here is Ray imported.

Tune is an executor that may be thrown away: what is to be done comes from the search's storage, what was done
is in the rows. After a crash a new Tune experiment goes on from there; Tune's own snapshots are not used.
"""

import os

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")
os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "1000")  # our searcher knows how many packs to hand out
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from gansweep.orchestrate.afterwards import measure_finalists
from gansweep.orchestrate.cluster import connect
from gansweep.orchestrate.driver import run
from gansweep.orchestrate.hardware import describe_machine
from gansweep.orchestrate.probe import probe
from gansweep.orchestrate.resources import make_room

__all__ = ["connect", "describe_machine", "make_room", "measure_finalists", "probe", "run"]
