"""What SIGINT, SIGTERM and SIGHUP do to a run: it ends with a line and one exit code, whatever it is doing.

A signal that is ignored when the process starts stays so: SIGINT of a background job in a script, SIGHUP
under nohup. A second signal ends what the first has begun to end gently, and a third ends the process.
"""

import atexit
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import TypeAlias

INTERRUPTED = 130  # exit code
AGAIN = "interrupted: run the same command to resume"
STOPPING = "stopping; running packs end first, and what they have measured is kept; once more stops at once"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Tune's own handler would say nothing, and take SIGINT also where it was ignored at the start.
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"

Handler: TypeAlias = Callable[[int, FrameType | None], None]


@contextmanager
def end_at_once() -> Iterator[None]:
    """Until something is written, see `interrupt`: a signal ends the process with a line.

    An exception would not do: modules that are being imported may catch it, and threads that import go on. A
    handler in Python would not do either: it waits for seconds while the main thread is in Ray's native part.
    """
    stderr = os.dup(2)  # which joining a cluster silences for a while
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    waiting = Thread(target=_end_on_signal, args=(reading, stderr), daemon=True)
    waiting.start()
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _handle(lambda number, frame: None)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: it was not set by Python
        os.close(writing)
        waiting.join()
        os.close(stderr)


def _end_on_signal(reading: int, stderr: int) -> None:
    """Wait for a signal, whose number the interpreter writes into the pipe, or for the end of the pipe."""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        if pipe.read(1):
            _write(AGAIN, stderr)
            os._exit(INTERRUPTED)


def interrupt() -> None:
    """From here on: a signal raises KeyboardInterrupt, or lets Tune end gently within `gently`."""
    received = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        gentle = signal.getsignal(signal.SIGUSR1)
        if received > 2:
            os._exit(INTERRUPTED)
        if received == 1 and callable(gentle):
            _write(STOPPING)
            gentle(number, frame)
        else:
            raise KeyboardInterrupt

    _handle(interrupted)
    signal.set_wakeup_fd(-1)
    atexit.register(_handle, lambda number, frame: os._exit(INTERRUPTED))


def end_gently() -> None:
    """End Tune's run as a first signal does, from its own thread; no signal is sent: SIGINT may be ignored.

    Raises:
        KeyboardInterrupt: Tune is not running, or was about to end.
    """
    gentle = signal.getsignal(signal.SIGUSR1)
    if not callable(gentle):
        raise KeyboardInterrupt
    gentle(signal.SIGUSR1, None)


@contextmanager
def gently() -> Iterator[None]:
    """While Tune runs: it ends its run well on SIGUSR1, which this forgets again afterwards."""
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _handle(handler: Handler) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _write(text: str, stderr: int = 2) -> None:
    """Write a line, also while the interrupted code writes one, and where nobody reads it."""
    with suppress(OSError):
        os.write(stderr, f"{text}\n".encode())
