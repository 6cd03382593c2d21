"""Every use of what Ray does not promise to keep, each with the version it was written for.

A test for each fails as soon as a newer Ray does without it. Tune is imported where it is used: Ray starts
while that goes on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
import yaml
from ray._common.utils import get_default_ray_temp_dir
from ray._private import services, utils
from ray._private.node import Node
from ray.exceptions import OutOfMemoryError, RayActorError


def treat_out_of_memory_as_death() -> None:
    """Make Tune take a worker that Ray's memory monitor has killed for a worker that died.

    Ray 2.60: `OutOfMemoryError` is not a `RayActorError`, so Tune raises it as an error of its own, and the
    whole run ends instead of one pack.
    """
    from ray.air.execution._internal import actor_manager
    from ray.tune.execution import tune_controller

    for module in (actor_manager, tune_controller):
        module.RayActorError = (RayActorError, OutOfMemoryError)


def node_groups() -> list[tuple[dict[str, float], int]] | None:
    """Returns the resources and the largest number of each kind of node; None if the cluster does not say.

    Ray 2.60 (https://github.com/ray-project/ray/issues/49501): the autoscaler of Kubernetes reports it, but
    no public function returns it. Without it a study never has more packs than the present nodes hold, and so
    never makes the cluster grow.
    """
    config = ray._private.state.state.get_cluster_config()
    if config is None or not config.node_group_configs:
        return None
    return [(dict(group.resources), group.max_count) for group in config.node_group_configs]


def autoscaling_config() -> dict[str, Any] | None:
    """Returns the configuration of the autoscaler that runs on this machine; None if there is none.

    Ray 2.60 (https://github.com/ray-project/ray/issues/52033): a cluster that `ray up` has started reports no
    groups of nodes; their limits are in the file that its autoscaler was started with, which the command
    line of that process names. Without it, as in `node_groups`.
    """
    port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
    for words in _autoscaler_commands():
        given = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
        file = given.get("--autoscaling-config")
        if file and given.get("--gcs-address", "").endswith(f":{port}"):
            config: dict[str, Any] = yaml.safe_load(Path(file).expanduser().read_text())
            return config
    return None


def _autoscaler_commands() -> Iterator[list[str]]:
    """Yields the command lines of the autoscalers on this machine."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # the process has ended, or is another user's
            words = file.read_text(errors="replace").split("\0")
            if any(word.endswith("monitor.py") for word in words):
                yield words


@contextmanager
def sigterm_as_it_is() -> Iterator[None]:
    """Within it `ray.init` leaves the handler of SIGTERM alone.

    Ray 2.60: it sets one that raises SystemExit(15), which is lost where it is raised in the destructor of an
    object, and which ends a run without a word. No option of `ray.init` prevents it.
    """
    sets = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = sets


@contextmanager
def few_processes(n_workers: int) -> Iterator[None]:
    """Within it `ray.init` starts no autoscaler, dashboard or reader of logs, the least of its agent, and so
    many workers, at most one for each CPU.

    Ray 2.60: it starts them for a local Ray too, where none has anything to do with `include_dashboard` and
    `log_to_driver` off; they take as long to start as the driver. No option of `ray.init` prevents it.
    Without this, studies start some seconds later.
    """
    names = ("start_monitor", "start_log_monitor", "start_api_server")
    before = {name: getattr(Node, name) for name in names}
    why, start = utils.get_dashboard_dependency_error, services.start_ray_process

    def with_few_workers(command: list[str], *options: Any, **more: Any) -> Any:
        return start([_at_most(n_workers, word) for word in command], *options, **more)

    for name in names:
        setattr(Node, name, lambda node, **options: None)
    utils.get_dashboard_dependency_error = lambda: "not wanted"
    services.start_ray_process = with_few_workers
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)
        utils.get_dashboard_dependency_error, services.start_ray_process = why, start


def _at_most(n_workers: int, word: str) -> str:
    """Returns a word of raylet's command, that for its number of workers with at most so many."""
    name, _, value = word.partition("=")
    return f"{name}={min(n_workers, int(value))}" if name == "--num_prestart_python_workers" else word


def start_no_worker_anew() -> None:
    """Let Tune train in workers that there are.

    Ray 2.60: Tune asks for workers with environment variables of its own, for Lightning and Ray Train, so Ray
    starts new ones beside those that have begun to import what packs need. To be called where workers have
    the environment of this process anyway. Without this, the first pack begins some seconds later.
    """
    from ray.tune.execution import class_cache

    class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = {}, set()


def running_cluster() -> str | None:
    """Returns host:port of the cluster that Ray finds by itself; None if it would start one.

    Ray 2.60: `ray.init` and `ray start` agree on it by RAY_ADDRESS, by processes on this machine, and by a
    file below RAY_TMPDIR, TMPDIR or /tmp; no public function says what they find, and joining without asking
    would wait for minutes for a cluster that no longer runs. RAY_ADDRESS must be "auto", or not set.

    Raises:
        ConnectionError: RAY_ADDRESS is "auto", and there is none.
    """
    services.find_gcs_addresses.cache_clear()
    address: str | None = services.canonicalize_bootstrap_address(None)
    return address


LONGEST_SOCKET = 107  # bytes of the path of a Unix socket on Linux; 103 on macOS
SOCKET = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"


def short_folder() -> str | None:
    """Returns a folder for the files of a local Ray where the name of its usual one is too long, else None.

    Ray 2.60: its sockets lie below RAY_TMPDIR, TMPDIR or /tmp, as they are named here, and `ray.init` fails
    where their paths are longer than the system takes. Batch systems set such a TMPDIR.
    """
    usual = get_default_ray_temp_dir()
    return "/tmp/ray" if len(os.fsencode(f"{usual}/{SOCKET}")) > LONGEST_SOCKET else None
