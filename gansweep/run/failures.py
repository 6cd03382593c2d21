"""Recovery from failed packs: isolate the failing trial, retry the others."""

import json
import re
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from gansweep.results.status.logs import STARTED

Action: TypeAlias = Literal["again", "halved", "ended", "stopped"]
MAX_DEATHS = 2  # how often a pack whose worker died is tried again before anything new was measured
SENT = re.compile(r"\bRaised: (\{.*\})$", re.MULTILINE)  # by the worker itself, see `Raised`
RAISED = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt|Stopped)): *(.+)$", re.MULTILINE)
NO_MEMORY = ("out of memory", "can't allocate memory", "running low on memory", "MemoryError")
HUNG = "\nTimeout ("  # the first words of the watchdog of the worker, in the log
OUTSIDE = ("Stopped", "UserError", "Damaged", "ModuleNotFoundError", "ImportError")  # no trial is to blame


class PackFailure(NamedTuple):
    """Why a pack failed. kind: see `gansweep.results.records.Incident`."""

    kind: str
    message: str


class Raised(Exception):
    """What training has raised, as JSON: its class and what it says.

    Tune copies an exception to cut its traceback. Many classes cannot be copied, and then another exception
    would stand for theirs.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)

    @classmethod
    def by(cls, error: BaseException) -> "Raised":
        """Returns what carries an exception from a worker to the driver."""
        try:
            message = str(error)
        except Exception:  # of a variant's own class
            message = ""
        return cls(json.dumps({"kind": type(error).__name__, "message": " ".join(message.split())[:500]}))


def recovery_action(failure: PackFailure, n_members: int, n_times: int) -> Action:
    """Returns what to do about a pack that has failed.

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


def diagnose(error: str, log: Path) -> PackFailure:
    """Why a pack failed: what Python could still raise; else its worker hung, or died, or its node did.

    error: the content of Tune's error file.
    """
    last = error.rpartition("Failure # ")[2]
    if any(sign in last for sign in NO_MEMORY):
        return PackFailure("oom", _line_with(last, NO_MEMORY))
    if "its node has died" in last or "NodeDiedError" in last:
        return PackFailure("node_lost", "the node of the worker was lost")
    if sent := SENT.findall(last):
        return PackFailure(**json.loads(sent[-1]))
    raised = [found for found in RAISED.findall(last) if found[0] != "ActorDiedError"]
    if raised:  # before the worker could begin
        kind, message = raised[-1]
        return PackFailure(kind, message[:500])
    if HUNG in _last_attempt(log):
        return PackFailure("hang", "it made no progress within the time limit")
    return PackFailure("worker_died", "the worker process died")


def _line_with(text: str, signs: tuple[str, ...]) -> str:
    return next(line.strip() for line in text.splitlines() if any(sign in line for sign in signs))[:500]


def _last_attempt(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(STARTED)[2]
