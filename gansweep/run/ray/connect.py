"""The Ray cluster to run on: the one there is, or a local one."""

import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sysconfig import get_path
from tempfile import TemporaryFile
from typing import IO, Any

import ray

import gansweep
from gansweep.errors import Stopped, UserError, complain
from gansweep.results.records import Hardware
from gansweep.run.address import answers, check, speaks
from gansweep.run.ray import private
from gansweep.run.ray.hardware import describe

KEEP_FREED_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**30))
"""Environment of workers: glibc reuses freed memory, up to a gigabyte, instead of fetching zeroed pages for
the tensors of each round. glibc reads it when a process starts; other C libraries ignore it."""
ENVIRONMENT = {
    **KEEP_FREED_MEMORY,
    "RAY_prestart_worker_first_driver": "1",
    "RAY_preload_python_modules": "gansweep.run.ray.worker",
    "RAY_idle_worker_killing_time_threshold_ms": "30000",  # else some are ended just before they get a pack
}
"""Environment of a local Ray: workers import what packs need when they start, and wait for the packs."""
OPTIONS: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def connect(n_cpus: int | None = None) -> Hardware:
    """Join the Ray cluster there is, or start a local Ray, see `join`; what it has, see `describe`.

    Raises:
        UserError, Stopped: as for `join`.
    """
    join(n_cpus)
    guard()
    return describe()


def join(n_cpus: int | None = None, n_packs: int = 0) -> None:
    """Join the Ray cluster that Ray itself would find, or start a local Ray.

    n_packs: that are sure to be trained; a Ray that starts here starts as many workers at once, at most one
    for each CPU, and they import what packs need while the driver does so itself.

    Workers get the environment `KEEP_FREED_MEMORY`, except where this process is connected already: a process
    that is connected stays so, and its workers are slower by the page faults. A cluster named by RAY_ADDRESS
    must answer. One that is only remembered from a `ray start` on this machine is probed first, since Ray
    would wait for minutes for a cluster that no longer runs.

    Raises:
        UserError: RAY_ADDRESS names no cluster, or one that does not answer or cannot be joined; Ray finds no
            place for its files.
        Stopped: a local Ray does not start, not even the second time.
    """
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # failures are reported in rows, and by us
    if ray.is_initialized():
        return
    named = os.environ.get("RAY_ADDRESS", "")
    check(named)
    address = _running() if named in ("", "auto") else None if named == "local" else named
    if address and speaks(address):
        _join(address)
    elif named in ("", "local"):
        _start(n_cpus, n_packs)
    else:
        raise UserError(f"no Ray cluster answers at {address or named}: start it, or unset RAY_ADDRESS")


def _running() -> str | None:
    """The address of the cluster that Ray would find without one; None: there is none."""
    try:
        return private.running_cluster()
    except (ConnectionError, ValueError):  # there is none; or its file is damaged
        return None


def _join(address: str) -> None:
    with TemporaryFile() as said:
        try:
            with private.sigterm_as_it_is(), _errors_to(said):
                ray.init(address=address, runtime_env={"env_vars": KEEP_FREED_MEMORY}, **OPTIONS)
            return
        except Exception as error:  # Ray raises any kind: a version, no node of the cluster here
            ray.shutdown()
            reason = _reason(error)
        said.seek(0)
        reason = "it does not take this token" if b"AuthToken" in said.read() else reason
    raise UserError(
        f"the Ray cluster at {address} cannot be joined ({reason}): run this on a node of it, "
        "with its Ray and its token, or set RAY_ADDRESS=local for a Ray of its own"
    )


@contextmanager
def _errors_to(file: IO[bytes]) -> Iterator[None]:
    """Let this process write its errors into a file: the native part of Ray writes a line a second."""
    sys.stderr.flush()
    ours = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)


def _start(n_cpus: int | None, n_packs: int) -> None:
    """Start a local Ray; once more where that fails, as it does now and then on a very busy machine."""
    if folder := private.short_folder():
        complain(f"the name of the folder of temporary files is too long for Ray, whose files go to {folder}")
    _provide_token()
    for is_last in (False, True):
        try:
            # A runtime_env would do as well, but workers would wait for the agent that reads it.
            with private.sigterm_as_it_is(), private.few_processes(n_packs), _environment():
                ray.init(
                    address="local", num_cpus=n_cpus, include_dashboard=False, _temp_dir=folder, **OPTIONS
                )
            return
        except PermissionError as error:
            raise UserError(
                f"Ray cannot write to {error.filename}: set RAY_TMPDIR to a folder with a short name"
            ) from None
        except Exception as error:  # a start that times out is a plain Exception
            ray.shutdown()
            if is_last:
                raise Stopped(f"Ray does not start here, tried twice ({_reason(error)})") from None
            complain(f"Ray has not started ({_reason(error)}); trying once more")


@contextmanager
def _environment() -> Iterator[None]:
    """A block in which processes are started with ENVIRONMENT, and find this gansweep before any other."""
    here, there = str(Path(gansweep.__file__).parents[1]), os.environ.get("PYTHONPATH")
    path = {} if here == get_path("purelib") else {"PYTHONPATH": os.pathsep.join(filter(None, (here, there)))}
    variables = ENVIRONMENT | path
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _provide_token() -> None:
    """Give a local Ray a token of its own where the one in the home folder is missing and cannot be made."""
    given = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    if any(map(os.environ.get, given)):
        return
    file = Path.home() / ".ray" / "auth_token"
    if not os.access(file, os.R_OK) and not os.access(Path.home(), os.W_OK):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


STOPPED = 3  # exit code
PAUSE_SECONDS, N_MISSED = 5.0, 4


def guard() -> None:
    """Watch the head of the cluster that this process is connected to, from a thread."""
    address = ray.get_runtime_context().gcs_address
    threading.Thread(target=_watch, args=(address,), daemon=True).start()


def _watch(address: str) -> None:
    missed = 0
    while missed < N_MISSED:
        time.sleep(PAUSE_SECONDS)
        if not ray.is_initialized() or ray.get_runtime_context().gcs_address != address:
            return
        missed = 0 if answers(address) else missed + 1
    complain(
        f"the head of the Ray cluster at {address} is gone: run the same command on another cluster to resume"
    )
    os._exit(STOPPED)  # the main thread may wait for Ray for ever
