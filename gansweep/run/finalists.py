"""The best trial of each cell measured once more: the noise and the bias of its FID, its samples' neighbours.

`finalists.json` holds an entry for each: identity, `draws` (the FID of fresh latents, three times), `sizes`
and `fids` (by number of images), `fid_infinity` and `slope` (the line through them, see
`evaluation.infinity.at_infinity`), `neighbours` (a picture, or null). The FIDs are to the images that are
reported, of the weights after the last step.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.data.base import split
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics.fid_infinity import at_infinity, fid_by_size, sizes_for
from gansweep.files import dump_json, write_atomically
from gansweep.results import phases
from gansweep.results.row_file import Row, read_rows
from gansweep.study import study as studies
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.trained import load_trained
from gansweep.training.trainer import grid

FILE = "finalists.json"
N_DRAWS = 3
N_SHOWN, N_NEIGHBOURS = 8, 5
N_CANDIDATES = 10_000  # training images among which neighbours are looked for


def entries(folder: Path) -> list[dict[str, Any]]:
    """The finalists that were measured."""
    file = folder / FILE
    return list(json.loads(file.read_text())["finalists"]) if file.exists() else []


def unmeasured(folder: Path) -> list[Row]:
    """The finalists that are not measured yet and whose generator is kept."""
    measured = {entry["trial_id"] for entry in entries(folder)}
    kept = set(Checkpoints(folder).generators()) - measured
    return [trial for trial in phases.finalists(read_rows(folder)).values() if trial["trial_id"] in kept]


def keep(folder: Path, entry: dict[str, Any]) -> None:
    """Add an entry, and drop those of trials that are no finalists any more."""
    current = {trial["trial_id"] for trial in phases.finalists(read_rows(folder)).values()}
    kept = [old for old in entries(folder) if old["trial_id"] in current - {entry["trial_id"]}]
    kept = sorted([*kept, entry], key=lambda one: (one["dataset"], one["variant"]))
    write_atomically(folder / FILE, dump_json({"schema": "gansweep.finalists/1", "finalists": kept}))


def measure(trial: Row, folder: Path, dataset: Dataset, evaluator: Evaluator) -> dict[str, Any]:
    """The entry of a finalist; its picture is written to samples/.

    Raises:
        UserError: its generator was not kept.
        ValueError: it makes samples that are not finite.
    """
    trained = load_trained(folder, trial, studies.read(folder), dataset, torch.device(evaluator.device))
    evaluation, reported = evaluator.evaluation, evaluator.reference.reported
    seeds = [evaluation.seed + 1 + i for i in range(N_DRAWS)]
    draws = [trained.samples(evaluation.n_images, seed)[0] for seed in seeds]
    samples = [to_uint8(draw) if dataset.kind == "image" else draw for draw in draws]
    features = [evaluator.features(draw) for draw in samples]
    everything = torch.cat(features)
    sizes = sizes_for(len(everything), everything.shape[1])
    fids = fid_by_size(everything, reported, sizes, evaluation.seed)
    fid_infinity, slope = at_infinity(fids, sizes)
    neighbours = None
    if dataset.kind == "image":
        neighbours = f"samples/neighbours-{trial['trial_id']}.png"
        picture = _neighbours(samples[0][:N_SHOWN], features[0][:N_SHOWN], dataset, evaluator)
        write_atomically(folder / neighbours, picture)
    return {
        **{name: trial[name] for name in ("dataset", "variant", "trial_id", "phase", "metric_id")},
        "draws": [metrics.frechet(metrics.statistics(one), reported) for one in features],
        "sizes": sizes,
        "fids": fids,
        "fid_infinity": fid_infinity,
        "slope": slope,
        "neighbours": neighbours,
    }


def _neighbours(samples: Tensor, features: Tensor, dataset: Dataset, evaluator: Evaluator) -> bytes:
    """A PNG: in each row a sample, a gap, and the training images nearest to it in the space of features."""
    images, theirs = _candidates(dataset, evaluator)
    nearest = torch.cdist(features, theirs).topk(min(N_NEIGHBOURS, len(images)), largest=False).indices
    gap = torch.full_like(samples[0], 255)
    rows = [
        torch.cat([sample[None], gap[None], images[index]])
        for sample, index in zip(samples, nearest, strict=True)
    ]
    return grid(torch.cat(rows), columns=len(rows[0]))


@lru_cache(maxsize=2)  # a worker measures the finalists of one data set after another
def _candidates(dataset: Dataset, evaluator: Evaluator) -> tuple[Tensor, Tensor]:
    chosen = split(len(dataset.train), min(N_CANDIDATES, len(dataset.train)))[1]
    images = dataset.train[chosen.to(dataset.train.device)].cpu()
    return images, evaluator.features(images)
