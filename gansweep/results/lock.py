"""The driver lock: at most one driver runs a study, and the lock file names it.

A driver holds a lock on the file `.lock` and signs there: its host, its process id and its start. It also
touches the file every few seconds, since some network file systems do not show the locks of other machines.
A driver that ends removes its signature; the signature of a killed driver stays.
"""

import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from gansweep.errors import Damaged, UserError, say
from gansweep.files import open_file, read_bytes, require_writable, retry_io, write_atomically
from gansweep.results.folder import StudyFolder
from gansweep.results.row import epoch, now

BEAT_SECONDS, SILENT_SECONDS = 10.0, 60.0
LONGEST = 10_000  # bytes of a signature
PAUSES = (0.1, 0.2, 0.4, 0.8)  # seconds; a reader of the lock holds it for a moment


class Driver(NamedTuple):
    """A driver that is running, or that was killed. None: it has not signed (yet)."""

    is_running: bool
    host: str | None = None
    pid: int | None = None
    started: str | None = None

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid})" if self.host else "an unknown machine"


@contextmanager
def driver_lock(folder: Path) -> Iterator[None]:
    """Keep other drivers out of a study's folder, and sign.

    Raises:
        UserError: another driver is running, or nothing can be written or locked there.
        Stopped: the storage is unavailable.
    """
    require_writable(folder)
    with StudyFolder(folder).lock.open("a+", encoding="utf-8") as file:
        _take(file, folder)
        _require_no_heartbeat(folder)
        StudyFolder(folder).stop.unlink(missing_ok=True)  # it was meant for a driver that has ended
        retry_io(lambda: _sign(file), f"{StudyFolder(folder).lock} cannot be written")
        over = threading.Event()
        threading.Thread(target=_heartbeat, args=(StudyFolder(folder).lock, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            with suppress(OSError):  # unavailable storage has been reported
                StudyFolder(folder).stop.unlink(missing_ok=True)
                file.truncate(0)


def _take(file: TextIO, folder: Path) -> None:
    for pause in (*PAUSES, None):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if pause is None:
                raise _busy(folder) from None
            time.sleep(pause)
        except OSError as error:
            raise UserError(f"{folder} is on storage without locks ({error.strerror}): move it") from None


def _require_no_heartbeat(folder: Path) -> None:
    """Raise UserError if a driver on another machine still touches the lock that it thinks it holds."""
    path = StudyFolder(folder).lock
    signature, touched = _signature(path), path.stat().st_mtime_ns
    if not signature or signature.host == platform.node():
        return
    # The clocks of two machines may differ by any time: only a touch that comes says that a driver lives.
    wait = 2.5 * BEAT_SECONDS
    say(f"the last driver ran on {signature}: watching for {wait:g} s whether it still does")
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        time.sleep(0.5)
        if path.stat().st_mtime_ns != touched:
            raise _busy(folder)


def _busy(folder: Path) -> UserError:
    who = _signature(StudyFolder(folder).lock) or Driver(True)
    return UserError(f"another process is running this study in {folder}, on {who}: wait for it or stop it")


def _sign(file: TextIO) -> None:
    file.truncate(0)
    file.write(json.dumps({"host": platform.node(), "pid": os.getpid(), "started": now()}))
    file.flush()


def _heartbeat(path: Path, over: threading.Event) -> None:
    while not over.wait(BEAT_SECONDS):
        with suppress(OSError):  # the driver itself reports unavailable storage
            os.utime(path)


def read_driver(folder: Path) -> Driver | None:
    """Returns the driver of a study that is running, or that was killed; None if there is none."""
    path = StudyFolder(folder).lock
    try:
        held, signature, age = _is_held(path), _signature(path), time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
    if signature is None:
        return Driver(True) if held else None
    elsewhere = signature.host != platform.node() and age < SILENT_SECONDS
    return signature._replace(is_running=held or elsewhere)


def _is_held(path: Path) -> bool:
    with open_file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:  # no locks there
            return False
    return False


def _signature(path: Path) -> Driver | None:
    try:
        written = json.loads(read_bytes(path, LONGEST))
        host, pid, started = (written[name] for name in ("host", "pid", "started"))
        epoch(started)
        return Driver(False, str(host), int(pid), started)
    except (ValueError, TypeError, KeyError, RecursionError, Damaged):  # not written yet, torn, or not ours
        return None


def request_stop(folder: Path) -> None:
    """Request the driver to end; it checks about once a second, while trials run."""
    write_atomically(StudyFolder(folder).stop, "")


def is_stop_requested(folder: Path) -> bool:
    """Whether the driver was requested to end and has not noticed it yet."""
    return StudyFolder(folder).stop.exists()
