"""Ends the driver when the head of its Ray cluster is gone: Ray would abort the process a minute later."""

import os
import socket
import sys
import threading
import time

import ray

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
        "the same command goes on where it stopped, on another",
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
