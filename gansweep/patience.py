"""Waiting for storage that is full, or away for a while."""

import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from gansweep.errors import Stopped, UserError

Result = TypeVar("Result")
VARIABLE, USUAL_SECONDS = "GANSWEEP_PATIENCE", 600.0
LONGEST_PAUSE = 5.0  # seconds between two tries


def patience_seconds() -> float:
    """How long to wait for storage: of the environment, else ten minutes.

    Raises:
        UserError: the environment has no number of seconds.
    """
    text = os.environ.get(VARIABLE, str(USUAL_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(f"{VARIABLE} must be a number of seconds, at least 0, but is {text!r}")
    return seconds


def patiently(
    action: Callable[[], Result], what: str, failures: tuple[type[Exception], ...] = (OSError,)
) -> Result:
    """The result of an action, which is tried again while it fails in these ways.

    action: may be called again after it has failed halfway. what: as in "rows cannot be written".

    Raises:
        Stopped: it still fails when the patience is at its end.
    """
    deadline, pause = time.monotonic() + patience_seconds(), 0.05
    told = False
    while True:
        try:
            return action()
        except failures as error:
            reason = f"{what}: {getattr(error, 'strerror', None) or str(error).partition(chr(10))[0]}"
            left = deadline - time.monotonic()
            if left <= 0:
                raise Stopped(reason) from error
        if not told and pause > 1:
            print(f"gansweep: {reason}; waiting for up to {left:.0f} s", file=sys.stderr, flush=True)
            told = True
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
