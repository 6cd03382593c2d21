"""Runs a queue of packs on the cluster."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray import tune

from gansweep import data
from gansweep.files import patience_seconds
from gansweep.run.packing import Packing
from gansweep.run.ray import private
from gansweep.run.ray.hardware import describe
from gansweep.run.ray.searcher import PackSearcher, RowCallback, RunListener
from gansweep.run.ray.worker import train_pack, versions
from gansweep.run.search.queue import TrialSource
from gansweep.training.checkpoints import checkpoint_seconds


def run(
    queue: TrialSource, listener: RunListener, room: Callable[[], int], packing: Mapping[str, Packing]
) -> None:
    """Run a queue to its end, or until it is interrupted (SIGINT).

    room: how many packs the cluster may hold, at any moment.

    Raises:
        Stopped, UserError: something outside the trials stops them.
    """
    _adapt_tune()
    searcher = PackSearcher(queue, room)
    # Nobody reads what Tune writes, so the study's own storage is spared it.
    with tempfile.TemporaryDirectory(prefix="gansweep-tune-", ignore_cleanup_errors=True) as scratch:
        tune.Tuner(
            tune.with_resources(train_pack, resources(packing)),
            param_space={
                "folder": str(queue.folder),
                "data_root": str(data.data_root().resolve()),
                "patience": patience_seconds(),
                "checkpoint_seconds": checkpoint_seconds(),
                "versions": versions(),
            },
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="packs",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[RowCallback(listener, searcher)],
            ),
        ).fit()
    if searcher.error:
        raise searcher.error


def _adapt_tune() -> None:
    private.treat_out_of_memory_as_death()
    if not ray.get_runtime_context().runtime_env:  # as that of a Ray that we have started, see `connect`
        private.start_no_worker_anew()


REFRESH_SECONDS = 2.0


def resources(packing: Mapping[str, Packing]) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    """What the pack of a configuration asks for: a CPU, and its data set's share of a GPU."""

    def of(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        gpus = packing[config["trials"][0]["dataset"]].gpus
        return tune.PlacementGroupFactory([{"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1}])

    return of


def make_room(packing: Mapping[str, Packing]) -> Callable[[], int]:
    """What says how many packs the cluster may hold, at any moment, with what its autoscaler may add: packs
    that wait are what it adds nodes for. It asks Ray every two seconds at most."""
    share = min(chosen.gpus for chosen in packing.values())
    checked, room = -math.inf, 1

    def current() -> int:
        nonlocal checked, room
        if time.monotonic() - checked > REFRESH_SECONDS:
            there = describe()
            room = max(1, int(there.most_gpus / share) if share else there.most_cpus)
            checked = time.monotonic()
        return room

    return current
