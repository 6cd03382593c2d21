"""Measures finalists on the cluster."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
import torch

from gansweep import data
from gansweep.results.row_file import Row
from gansweep.run import finalists
from gansweep.run.packing import Packing
from gansweep.run.ray.worker import prepared


def measure_finalists(
    folder: Path, trials: list[Row], packing: Mapping[str, Packing]
) -> Iterator[tuple[Row, dict[str, Any] | str]]:
    """Measure trials once more, each in a task with what a pack of its data set asks for; each trial with its
    entry for finalists.json as soon as there is one, or with why there is none."""
    task, root = ray.remote(num_cpus=1)(_measure), str(data.data_root().resolve())
    pending = {}
    for trial in trials:
        gpus = packing[trial["dataset"]].gpus
        device = "cuda" if gpus else "cpu"
        pending[task.options(num_gpus=gpus).remote(trial, folder, root, device)] = trial
    while pending:
        (done,), _ = ray.wait(list(pending))
        trial = pending.pop(done)
        try:
            yield trial, ray.get(done)
        except ray.exceptions.RayError as error:
            yield trial, str(getattr(error, "cause", None) or error).strip().splitlines()[-1]


def _measure(trial: Row, folder: Path, root: str, device: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    dataset, evaluator = prepared(trial["dataset"], folder, root, torch.device(device))
    return finalists.measure(trial, folder, dataset, evaluator)
