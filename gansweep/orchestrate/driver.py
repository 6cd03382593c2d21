"""Runs a queue of packs on the cluster."""

import os
import shutil
import signal
from typing import Any

from ray import tune

from gansweep import data
from gansweep.orchestrate.searcher import MAX_FAILURES, Books, PackSearcher, Recorder
from gansweep.orchestrate.worker import train_pack
from gansweep.queue import Queue


def run(queue: Queue, books: Books, hardware: dict[str, Any], gpus_per_pack: float) -> None:
    """Run a queue to its end, or until it is interrupted (SIGINT, SIGTERM, SIGHUP)."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    at_once = int(hardware["gpus"] / gpus_per_pack) if gpus_per_pack else hardware["cpus"]
    resources = {"cpu": 1, "gpu": gpus_per_pack} if gpus_per_pack else {"cpu": 1}
    searcher = PackSearcher(queue)
    scratch = queue.folder / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        tune.with_resources(train_pack, resources),
        param_space={
            "folder": str(queue.folder),
            "data_root": str(data.data_root().resolve()),
            "device": "cuda" if gpus_per_pack else "cpu",
        },
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=max(1, at_once),
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="packs",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            callbacks=[Recorder(books, searcher)],
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
