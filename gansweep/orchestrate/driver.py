"""Runs a queue of packs on the cluster."""

import tempfile
from collections.abc import Callable, Mapping

from ray import tune
from ray.air.execution._internal import actor_manager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution import tune_controller

from gansweep import data
from gansweep.orchestrate.resources import resources
from gansweep.orchestrate.searcher import Books, PackSearcher, Recorder
from gansweep.orchestrate.worker import train_pack, versions
from gansweep.packing import Packing
from gansweep.patience import patience_seconds
from gansweep.queue import Queue

# Tune takes a worker that Ray's memory monitor has killed for an error of its own, and ends the whole run.
for module in (actor_manager, tune_controller):
    module.RayActorError = (RayActorError, OutOfMemoryError)


def run(queue: Queue, books: Books, room: Callable[[], int], packing: Mapping[str, Packing]) -> None:
    """Run a queue to its end, or until it is interrupted (SIGINT).

    room: how many packs the cluster may hold, at any moment.

    Raises:
        Stopped, UserError: something outside the trials does not let them go on.
    """
    searcher = PackSearcher(queue, room)
    # Nobody reads what Tune writes, so the study's own storage is spared it.
    with tempfile.TemporaryDirectory(prefix="gansweep-tune-", ignore_cleanup_errors=True) as scratch:
        tune.Tuner(
            tune.with_resources(train_pack, resources(packing)),
            param_space={
                "folder": str(queue.folder),
                "data_root": str(data.data_root().resolve()),
                "patience": patience_seconds(),
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
                callbacks=[Recorder(books, searcher)],
            ),
        ).fit()
    if searcher.trouble:
        raise searcher.trouble
