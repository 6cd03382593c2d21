"""What a pack failed of, from Tune's error file and the pack's own log."""

import re
from pathlib import Path

from gansweep.failures import Failure
from gansweep.logs import STARTED

RAISED = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt|Stopped)): *(.+)$", re.MULTILINE)
NO_MEMORY = ("out of memory", "can't allocate memory", "running low on memory", "MemoryError")
HUNG = "\nTimeout ("  # the first words of the watchdog of the worker, in the log


def diagnose(error: str, log: Path) -> Failure:
    """Why a pack failed: what Python could still raise; else its worker hung, or died, or its node did.

    error: the content of Tune's error file.
    """
    last = error.rpartition("Failure # ")[2]
    if any(sign in last for sign in NO_MEMORY):
        return Failure("oom", _line_with(last, NO_MEMORY))
    if "its node has died" in last or "NodeDiedError" in last:
        return Failure("node_lost", "the node of the worker was lost")
    raised = [found for found in RAISED.findall(last) if found[0] != "ActorDiedError"]
    if raised:
        kind, message = raised[-1]
        return Failure(kind, message[:500])
    if HUNG in _last_attempt(log):
        return Failure("hang", "it made no progress within the time limit")
    return Failure("worker_died", "the worker process died")


def _line_with(text: str, signs: tuple[str, ...]) -> str:
    return next(line.strip() for line in text.splitlines() if any(sign in line for sign in signs))[:500]


def _last_attempt(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(STARTED)[2]
