"""What is done about a pack that failed: as few of its trials as possible may fall with it."""

from typing import Literal, NamedTuple, TypeAlias

Action: TypeAlias = Literal["again", "halved", "ended", "stopped"]
MAX_DEATHS = 2  # how often a pack whose worker died is tried again before anything new was measured
OUTSIDE = ("Stopped", "UserError", "ModuleNotFoundError", "ImportError")  # no trial is to blame


class Failure(NamedTuple):
    """Why a pack failed. kind: see `gansweep.incidents`."""

    kind: str
    message: str


def answer(failure: Failure, n_members: int, n_times: int) -> Action:
    """What to do about a pack that has failed.

    n_times: how often it has since it last measured anything, this time included.

    A lost node says nothing about the pack. A worker that dies may die of the pack, or of its machine. Any
    other failure is one of a member, or of too many members: halves find out which, down to packs of one.
    """
    if failure.kind in OUTSIDE:
        return "stopped"
    if failure.kind == "node_lost" or (failure.kind == "worker_died" and n_times <= MAX_DEATHS):
        return "again"
    if n_members > 1:
        return "halved"
    return "ended" if failure.kind in ("hang", "worker_died") or n_times > 1 else "again"
