"""Measures finalists on the cluster."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import ray
import torch

from gansweep import data
from gansweep.results.phases import FinishedTrial
from gansweep.results.records import Finalist
from gansweep.run import finalists
from gansweep.run.packing import Packing
from gansweep.run.ray.worker import prepared


def measure_finalists(
    folder: Path, trials: list[FinishedTrial], packing: Mapping[str, Packing]
) -> Iterator[tuple[FinishedTrial, Finalist | str]]:
    """Measure trials again, each in a task with the resources of a pack of its data set.

    Yields each trial with its entry for finalists.json, or with the reason why there is none.
    """
    task, root = ray.remote(num_cpus=1)(_measure), str(data.data_root().resolve())
    pending = {}
    for trial in trials:
        gpus = packing[trial.dataset].gpus
        device = "cuda" if gpus else "cpu"
        pending[task.options(num_gpus=gpus).remote(trial, folder, root, device)] = trial
    while pending:
        (done,), _ = ray.wait(list(pending))
        trial = pending.pop(done)
        try:
            yield trial, ray.get(done)
        except ray.exceptions.RayError as error:
            yield trial, str(getattr(error, "cause", None) or error).strip().splitlines()[-1]


def _measure(trial: FinishedTrial, folder: Path, root: str, device: str) -> Finalist:
    torch.set_num_threads(1)
    dataset, evaluator = prepared(trial.dataset, folder, root, torch.device(device))
    return finalists.measure(trial, folder, dataset, evaluator)
