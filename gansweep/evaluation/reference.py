"""The real side of a comparison: computed once, before anything is trained, and never again."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.data.base import save_tensors, split
from gansweep.errors import UserError
from gansweep.evaluation import metrics
from gansweep.evaluation.extractors import build, extract, file_hash, resolve, weights_file
from gansweep.evaluation.settings import EXTRACTORS, Evaluation

MIN_REAL = 10


@dataclass(frozen=True, eq=False)
class Reference:
    """The real samples that select, as an extractor sees them, and what identifies scores against them.

    They are the test samples, or those of a validation set.

    description: JSON values that say what is measured: data set, extractor, hashes, numbers of images,
        settings. Equal descriptions mean comparable scores.
    features: float64 [N, D] of these real samples; mu [D] and sigma [D, D] are their statistics.
    floor: {"fid": the FID of real training samples, as if they were generated}: no generator is expected to
        score lower than this, which is not 0.
    labels: int64 [N] of the real samples, None where there are none.
    images: uint8 [n_recall, C, H, W], real images to be found by polygon recall; None if it is not asked for.
    test_mu, test_sigma: those of the test samples where a validation set selects, else None.
    """

    description: dict[str, Any]
    features: Tensor
    mu: Tensor
    sigma: Tensor
    floor: dict[str, float]
    labels: Tensor | None = None
    images: Tensor | None = None
    test_mu: Tensor | None = None
    test_sigma: Tensor | None = None

    @property
    def metric_id(self) -> str:
        """12 hexadecimal digits: scores may be compared only under the same one."""
        return metric_id(self.description)

    @property
    def reported(self) -> tuple[Tensor, Tensor]:
        """Mean and covariance of the test samples, whose FID is reported."""
        if self.test_mu is None or self.test_sigma is None:
            return self.mu, self.sigma
        return self.test_mu, self.test_sigma

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        content = json.dumps({"description": self.description, "floor": self.floor})
        names = ("features", "mu", "sigma", "labels", "images", "test_mu", "test_sigma")
        tensors = {name: getattr(self, name) for name in names}
        save_tensors({"json": content, **tensors}, path)

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Read what `save` wrote."""
        tensors = torch.load(path, weights_only=True)
        return cls(**json.loads(tensors.pop("json")), **tensors)


def metric_id(description: dict[str, Any]) -> str:
    """A hash of a description, the same in every process."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def describe(dataset: Dataset, evaluation: Evaluation) -> dict[str, Any]:
    """What an evaluation measures on a data set, as JSON values.

    The asked metrics are not part of it (a FID is the same beside a KID), nor the seed of the latents, but
    polygon metrics add their settings.

    Raises:
        UserError: extractor and data set do not fit, the test set is too small, or weights are missing.
    """
    extractor = resolve(dataset, evaluation)
    n_real = len(dataset.selecting[0])
    if n_real < MIN_REAL:
        raise UserError(
            f"{MIN_REAL} {evaluation.selection} images or more are needed, but {dataset.name!r} has {n_real}"
        )
    weights = _weights(dataset, evaluation, extractor)
    polygons = {"manifold": asdict(evaluation.manifold)} if evaluation.needs("polygons") else {}
    reported = {"n_test": len(dataset.test)} if evaluation.validates else {}
    return {
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "split": evaluation.selection,
        "extractor": extractor,
        "weights_sha256": file_hash(weights) if weights else None,
        "resize": EXTRACTORS[extractor].resize,
        "n_images": evaluation.n_images,
        "n_real": n_real,
        "settings": metrics.settings(evaluation.n_images, n_real),
        "torch_fidelity": version("torch-fidelity"),
        **polygons,
        **reported,
    }


def build_reference(
    dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """The reference of a data set: a pass of the extractor over real and over n_images training samples.

    Raises:
        UserError: as `describe`, or the weights are not Inception's.
    """
    description = describe(dataset, evaluation)
    extractor = description["extractor"]
    spec, weights = EXTRACTORS[extractor], weights_file(extractor, evaluation.weights)
    network = build(extractor, [spec.features], weights, device)
    n_floor = min(evaluation.n_images, len(dataset.train))
    samples = dataset.train[split(len(dataset.train), n_floor)[1]]
    selecting, labels = dataset.selecting
    real, training = (
        extract(network, part, spec.batch_size, device)[spec.features] for part in (selecting, samples)
    )
    moments, of_training = metrics.statistics(real), metrics.statistics(training)
    floor = {"fid": metrics.frechet(of_training, moments)}
    images = selecting[: evaluation.manifold.n_recall].cpu() if evaluation.needs("polygons") else None
    reported: tuple[Tensor, ...] = ()
    if evaluation.validates:
        test = extract(network, dataset.test, spec.batch_size, device)[spec.features]
        reported = metrics.statistics(test)
        floor["test_fid"] = metrics.frechet(of_training, metrics.statistics(test))
    return Reference(description, real, *moments, floor, labels, images, *reported)


def _weights(dataset: Dataset, evaluation: Evaluation, extractor: str) -> Path | None:
    try:
        return weights_file(extractor, evaluation.weights)
    except UserError as error:
        fitting = [
            name for name, spec in EXTRACTORS.items() if name != "inception" and spec.fits(dataset.shape)
        ]
        other = f", or name the extractor {fitting[0]!r}, which is bundled" if fitting else ""
        raise UserError(
            f"{error}: give their file as Evaluation(weights=...) or in $GANSWEEP_INCEPTION_WEIGHTS{other}"
        ) from None
