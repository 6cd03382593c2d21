"""The best trial of each cell measured again: the noise and the bias of its FID, its samples' neighbours.

`finalists.json` holds a `gansweep.results.records.Finalist` for each. The FIDs are to the images that are
reported, of the weights after the last step; `draws` are of three sets of fresh latents.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.data.base import split
from gansweep.errors import Damaged, say
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics.fid_infinity import at_infinity, fid_by_size, sizes_for
from gansweep.files import set_aside, write_atomically
from gansweep.results import phases
from gansweep.results.decoding import sealed_json
from gansweep.results.folder import StudyFolder
from gansweep.results.phases import FinishedTrial
from gansweep.results.records import Finalist, FinalistsFile, fingerprint_of, read_finalists
from gansweep.results.study_file import read_study
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.samples import grid
from gansweep.training.trained import load_trained

N_DRAWS = 3
N_SHOWN, N_NEIGHBOURS = 8, 5
N_CANDIDATES = 10_000  # training images among which neighbours are searched


def unmeasured(folder: Path, finished: Iterable[FinishedTrial]) -> list[FinishedTrial]:
    """Returns the finalists that are not measured yet and whose generator was saved.

    finished: the trials of the study that have ended.
    """
    measured = {entry.trial_id for entry in usable(folder)}
    saved = set(Checkpoints(folder).generators()) - measured
    return [trial for trial in phases.finalists(finished).values() if trial.trial_id in saved]


def usable(folder: Path) -> list[Finalist]:
    """Returns the finalists that were measured: none of a damaged file, which is moved aside."""
    files = StudyFolder(folder)
    try:
        return read_finalists(folder)
    except Damaged as error:
        place = set_aside(files.finalists, files.aside, files.finalists.name)
        say(f"{error}: it was moved to {place}, and the best trials are measured again")
        return []


def save(folder: Path, entry: Finalist, finished: Iterable[FinishedTrial]) -> None:
    """Add an entry, and drop those of trials that are not finalists any more.

    finished: the trials of the study that have ended.
    """
    names = {trial.trial_id for trial in phases.finalists(finished).values()} - {entry.trial_id}
    entries = [*(old for old in usable(folder) if old.trial_id in names), entry]
    entries.sort(key=lambda one: (one.dataset, one.variant))
    content = msgspec.to_builtins(FinalistsFile(finalists=entries, fingerprint=fingerprint_of(folder)))
    write_atomically(StudyFolder(folder).finalists, sealed_json(content))


def measure(trial: FinishedTrial, folder: Path, dataset: Dataset, evaluator: Evaluator) -> Finalist:
    """The entry of a finalist; its picture is written to samples/.

    Raises:
        UserError: its generator was not saved.
        ValueError: it makes samples that are not finite.
    """
    trained = load_trained(folder, trial, read_study(folder), dataset, torch.device(evaluator.device))
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
        neighbours = f"samples/neighbours-{trial.trial_id}.png"
        picture = _neighbours(samples[0][:N_SHOWN], features[0][:N_SHOWN], dataset, evaluator)
        write_atomically(StudyFolder(folder).inside(*neighbours.split("/")), picture)
    return Finalist(
        dataset=trial.dataset,
        variant=trial.variant,
        trial_id=trial.trial_id,
        phase=trial.phase,
        metric_id=evaluator.reference.metric_id,
        draws=[metrics.frechet(metrics.statistics(one), reported) for one in features],
        sizes=sizes,
        fids=fids,
        fid_infinity=fid_infinity,
        slope=slope,
        neighbours=neighbours,
    )


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
