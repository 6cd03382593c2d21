"""The real side of a comparison: computed once, before anything is trained, and never again."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.data.base import save_tensors, split
from gansweep.errors import UserError
from gansweep.evaluation.extractors import CLASSIFIERS, features_by, resolve
from gansweep.evaluation.metrics import PRECOMPUTE
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics.features import Gaussian, square_root
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.evaluation.weights import PUBLISHED, WITHOUT_WEIGHTS, file_hash, weights_file
from gansweep.files import file_lock, require_writable

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
    second_mu, second_sigma: those of the test samples as a second extractor sees them, if there is one.
    derived: what metrics need besides, computed from these once: see `completed`.
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
    second_mu: Tensor | None = None
    second_sigma: Tensor | None = None
    derived: dict[str, Tensor] = field(default_factory=dict)

    @property
    def metric_id(self) -> str:
        """12 hexadecimal digits: scores may be compared only under the same one."""
        return metric_id(self.description)

    @property
    def selecting(self) -> Gaussian:
        """The Gaussian of the samples that select."""
        return Gaussian(self.mu, self.sigma, self.derived["root"])

    @property
    def reported(self) -> Gaussian:
        """That of the test samples, whose FID is reported."""
        if self.test_mu is None or self.test_sigma is None:
            return self.selecting
        return Gaussian(self.test_mu, self.test_sigma, self.derived["test_root"])

    @property
    def second_reference(self) -> Gaussian:
        """That of the test samples as the second extractor sees them; there must be one."""
        assert self.second_mu is not None and self.second_sigma is not None
        return Gaussian(self.second_mu, self.second_sigma, self.derived["second_root"])

    @cached_property
    def features_float32(self) -> Tensor:
        """The features in the precision in which the library compares pairs."""
        return self.features.float()

    @cached_property
    def by_class(self) -> dict[int, Gaussian]:
        """The Gaussian of the real samples of each class; there must be labels."""
        assert self.labels is not None
        return {
            k: metrics.gaussian(*metrics.statistics(self.features[self.labels == k]))
            for k in self.labels.unique().tolist()
        }

    def completed(self, evaluation: Evaluation) -> "Reference":
        """With all that the metrics of an evaluation need of the real samples; itself if that is there.

        Files of other evaluations, or of early versions, may lack some of it.
        """
        wanted: dict[str, Callable[[], Tensor]] = {"root": partial(square_root, self.sigma)}
        for name, sigma in (("test_root", self.test_sigma), ("second_root", self.second_sigma)):
            if sigma is not None:
                wanted[name] = partial(square_root, sigma)
        for name, make in (PRECOMPUTE[metric] for metric in evaluation.metrics if metric in PRECOMPUTE):
            wanted[name] = partial(make, self.features_float32, evaluation.n_images)
        lacking = {name: make() for name, make in wanted.items() if name not in self.derived}
        return replace(self, derived=self.derived | lacking) if lacking else self

    def to(self, device: str | torch.device) -> "Reference":
        """With its tensors on a device."""
        values: dict[str, Any] = {
            f.name: value.to(device)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        values["derived"] = {name: value.to(device) for name, value in self.derived.items()}
        return replace(self, **values)

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        content = json.dumps({"description": self.description, "floor": self.floor})
        names = [field.name for field in fields(self) if field.name not in ("description", "floor")]
        tensors = {name: getattr(self, name) for name in names}
        save_tensors({"json": content, **tensors}, path)

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Read what `save` wrote."""
        tensors = torch.load(path, weights_only=True)
        return cls(**json.loads(tensors.pop("json")), **tensors)


def metric_id(description: dict[str, object]) -> str:
    """A hash of a description, the same in every process."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def describe(dataset: Dataset, evaluation: Evaluation) -> dict[str, object]:
    """What an evaluation measures on a data set, as JSON values.

    The asked metrics are not part of it (a FID is the same beside a KID), nor the seed of the latents, but
    polygon metrics add their settings.

    Raises:
        UserError: extractor and data set do not fit, the test set is too small, or weights are missing.
    """
    n_real = len(dataset.selecting[0])
    if n_real < MIN_REAL:
        raise UserError(
            f"{MIN_REAL} {evaluation.selection} images or more are needed, but {dataset.name!r} has {n_real}"
        )
    polygons = {"manifold": asdict(evaluation.manifold)} if evaluation.needs("polygons") else {}
    reported = {"n_test": len(dataset.test)} if evaluation.validates else {}
    second = {"second": _seen_by(dataset, evaluation.second)} if evaluation.second else {}
    return {
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "split": evaluation.selection,
        **_seen_by(dataset, evaluation),
        "n_images": evaluation.n_images,
        "n_real": n_real,
        "settings": metrics.settings(evaluation.n_images, n_real),
        "torch_fidelity": version("torch-fidelity"),
        **polygons,
        **reported,
        **second,
    }


def _seen_by(dataset: Dataset, evaluation: Evaluation) -> dict[str, object]:
    extractor = resolve(dataset, evaluation)
    weights = _weights(dataset, evaluation, extractor)
    shortened = evaluation.precision != "float32" and extractor not in WITHOUT_WEIGHTS
    return {
        "extractor": extractor,
        "weights_sha256": file_hash(weights) if weights else None,
        "resize": EXTRACTORS[extractor].resize,
        **({"precision": evaluation.precision} if shortened else {}),
    }


def build_reference(
    dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """The reference of a data set: a pass of the extractor over real and over n_images training samples.

    Raises:
        UserError: as `describe`, or the weights are not those of the published network.
    """
    description = describe(dataset, evaluation)
    extractor = str(description["extractor"])
    extract = features_by(
        extractor, weights_file(extractor, evaluation.weights), device, evaluation.precision
    )
    n_floor = min(evaluation.n_images, len(dataset.train))
    samples = dataset.train[split(len(dataset.train), n_floor)[1]]
    selecting, labels = dataset.selecting
    real, training = extract(selecting), extract(samples)
    moments, of_training = metrics.statistics(real), metrics.statistics(training)
    floor = {"fid": metrics.frechet(of_training, moments)}
    more: dict[str, Any] = {}
    if evaluation.needs("polygons"):
        more["images"] = selecting[: evaluation.manifold.n_recall].cpu()
    if evaluation.validates:
        more["test_mu"], more["test_sigma"] = reported = metrics.statistics(extract(dataset.test))
        floor["test_fid"] = metrics.frechet(of_training, reported)
    if evaluation.second:
        other = evaluation.second.extractor
        extract = features_by(other, weights_file(other, None), device, evaluation.precision)
        more["second_mu"], more["second_sigma"] = second = metrics.statistics(extract(dataset.test))
        floor["second_fid"] = metrics.frechet(metrics.statistics(extract(samples)), second)
    return Reference(description, real, *moments, floor, labels, **more).completed(evaluation)


def cache_root() -> Path:
    """The folder of what processes and studies share: $GANSWEEP_CACHE, else ~/.cache/gansweep."""
    return Path(os.environ.get("GANSWEEP_CACHE") or Path.home() / ".cache" / "gansweep")


def shared_reference(
    dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """The reference of a data set as `build_reference` makes it, from `cache_root()` if any process has
    made it before; the others wait for the first.

    Raises:
        UserError: as `build_reference`.
    """
    folder = cache_root() / "references"
    file = folder / f"{metric_id(describe(dataset, evaluation))}.pt"
    try:
        require_writable(folder)
    except UserError:  # nothing can be kept there
        return build_reference(dataset, evaluation, device)
    with file_lock(folder / f".{file.name}.lock"):
        known = Reference.load(file) if file.exists() else None
        reference = known.completed(evaluation) if known else build_reference(dataset, evaluation, device)
        if reference is not known:
            reference.save(file)
    return reference


def _weights(dataset: Dataset, evaluation: Evaluation, extractor: str) -> Path | None:
    try:
        return weights_file(extractor, evaluation.weights)
    except UserError as error:
        fitting = [name for name in CLASSIFIERS if EXTRACTORS[name].fits(dataset.shape)]
        other = f", or name the extractor {fitting[0]!r}, which is bundled" if fitting else ""
        variable = PUBLISHED[extractor].variable
        raise UserError(
            f"{error}: give their file as Evaluation(weights=...) or in ${variable}{other}"
        ) from None
