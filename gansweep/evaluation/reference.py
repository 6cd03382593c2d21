"""The real side of a comparison, computed once before training."""

import hashlib
import json
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
from gansweep.data.places import cache_root
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
    """Features of the real samples that select (of the test set or of a validation set), and their identity.

    description: JSON values that identify what is measured: data set, extractor, hashes, numbers of images,
        settings. Scores are comparable if and only if their descriptions are equal.
    features: float64 [N, D] of the real samples, with mean mu [D] and covariance sigma [D, D].
    floor: {"fid": FID of real training samples in place of generated ones}, expected to be the least.
    labels: int64 [N] of the real samples; None if the data set has none.
    images: uint8 [n_recall, C, H, W], the real images of polygon recall; None if it is not requested.
    test_mu, test_sigma: moments of the test samples where a validation set selects, else None.
    second_mu, second_sigma: moments of the test samples in the features of a second extractor, if any.
    derived: further values that metrics need, computed once from the fields above: see `completed`.
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
        """12 hexadecimal digits. Only scores with equal ids may be compared."""
        return metric_id(self.description)

    @property
    def selecting(self) -> Gaussian:
        """The Gaussian of the real samples that select."""
        return Gaussian(self.mu, self.sigma, self.derived["root"])

    @property
    def reported(self) -> Gaussian:
        """The Gaussian of the test samples, for the reported FID."""
        if self.test_mu is None or self.test_sigma is None:
            return self.selecting
        return Gaussian(self.test_mu, self.test_sigma, self.derived["test_root"])

    @property
    def second_reference(self) -> Gaussian:
        """The Gaussian of the test samples in the features of the second extractor, which must exist."""
        assert self.second_mu is not None and self.second_sigma is not None
        return Gaussian(self.second_mu, self.second_sigma, self.derived["second_root"])

    @cached_property
    def features_float32(self) -> Tensor:
        """The features in the precision in which torch-fidelity compares pairs."""
        return self.features.float()

    @cached_property
    def by_class(self) -> dict[int, Gaussian]:
        """The Gaussian of the real samples of each class. Labels must exist."""
        assert self.labels is not None
        return {
            k: metrics.gaussian(*metrics.statistics(self.features[self.labels == k]))
            for k in self.labels.unique().tolist()
        }

    def completed(self, evaluation: Evaluation) -> "Reference":
        """Returns a reference with all derived values that an evaluation needs; files may lack some."""
        wanted: dict[str, Callable[[], Tensor]] = {"root": partial(square_root, self.sigma)}
        for name, sigma in (("test_root", self.test_sigma), ("second_root", self.second_sigma)):
            if sigma is not None:
                wanted[name] = partial(square_root, sigma)
        for name, make in (PRECOMPUTE[metric] for metric in evaluation.metrics if metric in PRECOMPUTE):
            wanted[name] = partial(make, self.features_float32, evaluation.n_images)
        lacking = {name: make() for name, make in wanted.items() if name not in self.derived}
        return replace(self, derived=self.derived | lacking) if lacking else self

    def to(self, device: str | torch.device) -> "Reference":
        """Returns a copy with all tensors on a device."""
        values: dict[str, Any] = {
            f.name: value.to(device)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        values["derived"] = {name: value.to(device) for name, value in self.derived.items()}
        return replace(self, **values)

    def save(self, path: Path) -> None:
        """Write to a file atomically."""
        content = json.dumps({"description": self.description, "floor": self.floor})
        names = [field.name for field in fields(self) if field.name not in ("description", "floor")]
        tensors = {name: getattr(self, name) for name in names}
        save_tensors({"json": content, **tensors}, path)

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Returns the reference in a file that `save` wrote."""
        tensors = torch.load(path, weights_only=True)
        return cls(**json.loads(tensors.pop("json")), **tensors)


def metric_id(description: dict[str, object]) -> str:
    """Returns a hash of a description, the same in every process."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def describe(dataset: Dataset, evaluation: Evaluation) -> dict[str, object]:
    """Returns what an evaluation measures on a data set, as JSON values.

    The requested metrics are not part of the description (a FID does not depend on KID), nor is the seed of
    the latents. Polygon metrics add their settings.

    Raises:
        UserError: the extractor does not fit the data set, the test set is too small, or weights are missing.
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
    """Compute the reference of a data set: the extractor runs over the real and n_images training samples.

    Raises:
        UserError: as for `describe`, or the file does not hold the weights of the published network.
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


def shared_reference(
    dataset: Dataset, evaluation: Evaluation, device: str | torch.device = "cpu"
) -> Reference:
    """Returns the result of `build_reference`, from `cache_root()` if stored; processes wait for the first.

    Raises:
        UserError: as for `build_reference`.
    """
    folder = cache_root() / "references"
    file = folder / f"{metric_id(describe(dataset, evaluation))}.pt"
    try:
        require_writable(folder)
    except UserError:  # the cache is not writable
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
