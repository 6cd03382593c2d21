"""The Ray cluster to run on: the one there is, or a local one."""

import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray

from gansweep.errors import UserError
from gansweep.results.records import Hardware
from gansweep.run.ray.hardware import describe

CLUSTER_FILE = Path("/tmp/ray/ray_current_cluster")  # written by `ray start`
KEEP_FREED_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**30))
"""Environment of workers: glibc reuses freed memory, up to a gigabyte, instead of fetching zeroed pages for
the tensors of each round. glibc reads it when a process starts; other C libraries ignore it."""


def connect(n_cpus: int | None = None) -> Hardware:
    """Join the Ray cluster there is, or start a local Ray, see `join`; what it has, see `describe`.

    Raises:
        UserError: RAY_ADDRESS names a cluster that does not answer.
    """
    join(n_cpus)
    guard()
    return describe()


def join(n_cpus: int | None = None) -> None:
    """Join the Ray cluster there is, or start a local Ray.

    Workers get the environment `KEEP_FREED_MEMORY`, except where this process is connected already: a process
    that is connected stays so, and its workers are slower by the page faults. A cluster named by RAY_ADDRESS
    must answer. One that is only remembered from a `ray start` on this machine is probed first, since Ray
    would wait for minutes for a cluster that no longer runs.

    Raises:
        UserError: RAY_ADDRESS names a cluster that does not answer.
    """
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # failures are reported in rows, and by us
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": KEEP_FREED_MEMORY},
    }
    address = os.environ.get("RAY_ADDRESS", "")
    remembered = CLUSTER_FILE.read_text().strip() if CLUSTER_FILE.exists() else ""
    address = remembered or "nowhere" if address == "auto" else address
    if address.startswith("ray://"):
        raise UserError(
            f"RAY_ADDRESS={address} is for Ray's client: give host:port, on a node of the cluster"
        )
    try:
        if ray.is_initialized():
            pass
        elif address and address != "local":
            if "://" not in address and not answers(address):
                raise ConnectionError
            ray.init(address=address, **options)
        elif remembered and answers(remembered):
            ray.init(address=remembered, **options)
        else:
            ray.init(address="local", num_cpus=n_cpus, include_dashboard=False, **options)
    except ConnectionError:
        raise UserError(
            f"no Ray cluster answers at {address or remembered}: start it, or unset RAY_ADDRESS"
        ) from None


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
    print(
        f"gansweep: the head of the Ray cluster at {address} is gone: "
        "run the same command on another cluster to resume",
        file=sys.stderr,
        flush=True,
    )
    os._exit(STOPPED)  # the main thread may wait for Ray for ever


def answers(address: str) -> bool:
    """Whether somebody listens at host:port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True
