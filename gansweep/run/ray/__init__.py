"""Ray: runs the packs of a search as Tune trials, and what is measured after them. Only here is Ray imported.

Tune only executes: the search's storage says what is to be done, the rows what was done. After a crash a new
Tune experiment continues from there; Tune's own snapshots are not used.
What this module has needs no torch: Ray starts while torch is imported.
"""

import os

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")
os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "1000")  # our searcher knows how many packs to hand out
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from gansweep.run.ray.connect import connect, join
from gansweep.run.ray.hardware import describe_machine

__all__ = ["connect", "describe_machine", "join"]
