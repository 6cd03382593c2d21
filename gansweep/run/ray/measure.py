"""Measures finalists: here where that takes seconds, else on the cluster."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import ray
import torch

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation.settings import EXTRACTORS
from gansweep.results.phases import FinishedTrial
from gansweep.results.records import Finalist, read_manifest
from gansweep.run import finalists
from gansweep.run.packing import Packing
from gansweep.run.ray.worker import prepared

HERE_SECONDS = 3.0  # of work: to start workers takes longer
MOST_FEATURES = 512  # of an extractor that is built and applied in seconds


def measure_finalists(
    folder: Path, trials: list[FinishedTrial], packing: Mapping[str, Packing]
) -> Iterator[tuple[FinishedTrial, Finalist | str]]:
    """Measure trials again; those that take more than seconds each in a task with the resources of a pack.

    Yields each trial with its entry for finalists.json, or with the reason why there is none.
    """
    root, started, waiting = str(data.data_root().resolve()), time.monotonic(), list(trials)
    small = light(folder, packing)
    while waiting and waiting[0].dataset in small and time.monotonic() - started < HERE_SECONDS:
        trial = waiting.pop(0)
        try:
            yield trial, _measure(trial, folder, root, "cpu")
        except (UserError, ValueError, OSError) as error:
            yield trial, str(error).strip().splitlines()[-1]
    yield from _on_cluster(folder, waiting, packing, root)


def light(folder: Path, packing: Mapping[str, Packing]) -> set[str]:
    """Returns the data sets whose finalists are measured in seconds: on a CPU, by a small extractor."""
    return {
        metric.dataset
        for metric in read_manifest(folder).metrics.values()
        if not packing[metric.dataset].gpus and EXTRACTORS[metric.extractor].n_features <= MOST_FEATURES
    }


def _on_cluster(
    folder: Path, trials: list[FinishedTrial], packing: Mapping[str, Packing], root: str
) -> Iterator[tuple[FinishedTrial, Finalist | str]]:
    task, pending = ray.remote(num_cpus=1)(_measure), {}
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
