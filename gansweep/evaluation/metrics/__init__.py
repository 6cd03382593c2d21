"""Every metric by name, as a function of the scored members of a pack: one line per metric."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor

from gansweep.data import MIXTURES, POLYGONS
from gansweep.evaluation.metrics import features, mixture, pairwise, polygons
from gansweep.evaluation.metrics.features import frechet_distances
from gansweep.evaluation.metrics.scored import Scored

__all__ = ["COMPUTE", "PRECOMPUTE", "Scored"]

Compute: TypeAlias = Callable[[Scored], Tensor]
Shared: TypeAlias = Callable[[Scored], list[dict[str, float]]]


def _second_fid(scored: Scored) -> Tensor:
    assert scored.second_features is not None
    real = scored.reference.second_reference
    seen = (scored.second_features(x).to(real.mu.device) for x in scored.samples)
    return _each(features.frechet(features.statistics(x), real) for x in seen)


def _inception_score(scored: Scored) -> Tensor:
    assert scored.logits is not None
    return features.inception_score(scored.logits)


def _kid(scored: Scored) -> Tensor:
    real, means = scored.reference.features_float32, scored.reference.derived["kernel_means"]
    return _each(pairwise.kernel_distance(x.float(), real, means) for x in scored.features)


def _precision_recall(scored: Scored) -> list[dict[str, float]]:
    real, radii = scored.reference.features_float32, scored.reference.derived["radii"]
    return [pairwise.precision_recall(x.float(), real, radii) for x in scored.features]


def _intra_fid(scored: Scored) -> Tensor:
    assert scored.labels is not None
    return features.intra_frechet(scored.features, scored.labels, scored.reference.by_class)


def _accuracy(scored: Scored) -> Tensor:
    assert scored.logits is not None and scored.labels is not None
    return features.accuracy(scored.logits, scored.labels)


def _coverage(scored: Scored) -> list[dict[str, float]]:
    target = MIXTURES[scored.reference.description["dataset"]]
    return [mixture.coverage(x, target) for x in scored.samples]


def _moments(scored: Scored) -> list[dict[str, float]]:
    return [mixture.moments(x) for x in scored.samples]


def _polygon_precision(scored: Scored) -> Tensor:
    kind, options = POLYGONS[scored.reference.description["dataset"]], scored.evaluation.manifold
    images = (x[: options.n_precision].to(scored.features.device).float() / 255 for x in scored.samples)
    return _each(polygons.precision(x, kind, options) for x in images)


def _polygon_recall(scored: Scored) -> Tensor:
    assert scored.generators is not None and scored.reference.images is not None
    real = scored.reference.images.float() / 255
    return _each(polygons.recall(real, g, scored.evaluation.manifold) for g in scored.generators)


def _polygon_f1(scored: Scored) -> Tensor:
    pairs = zip(scored.once(_polygon_precision), scored.once(_polygon_recall), strict=True)
    return _each(polygons.f1(precision.item(), recall.item()) for precision, recall in pairs)


def _each(values: Iterable[float]) -> Tensor:
    """One value per member."""
    return torch.tensor(list(values), dtype=torch.float64)


def _entry(shared: Shared, name: str) -> Compute:
    """A metric that is one of several values computed together for each member."""
    return lambda scored: _each(values[name] for values in scored.once(shared))


COMPUTE: dict[str, Compute] = {
    "fid": lambda scored: frechet_distances(scored.moments, scored.reference.selecting),
    "test_fid": lambda scored: frechet_distances(scored.moments, scored.reference.reported),
    "second_fid": _second_fid,
    "isc": _inception_score,
    "kid": _kid,
    "precision": _entry(_precision_recall, "precision"),
    "recall": _entry(_precision_recall, "recall"),
    "intra_fid": _intra_fid,
    "accuracy": _accuracy,
    "polygon_f1": _polygon_f1,
    "polygon_precision": lambda scored: scored.once(_polygon_precision),
    "polygon_recall": lambda scored: scored.once(_polygon_recall),
    "modes": _entry(_coverage, "modes"),
    "high_quality": _entry(_coverage, "high_quality"),
    "mean": _entry(_moments, "mean"),
    "sd": _entry(_moments, "sd"),
}
"""Each returns the values of all members, [P]; a member whose features are not finite gets NaN afterwards."""

PRECOMPUTE: dict[str, tuple[str, Callable[[Tensor, int], Tensor]]] = {
    "kid": ("kernel_means", pairwise.kernel_means),
    "precision": ("radii", lambda real, n_images: pairwise.radii(real)),
    "recall": ("radii", lambda real, n_images: pairwise.radii(real)),
}
"""What a metric needs of the real features alone, computed once for all generators: its name in
`Reference.derived`, and a function of these features, float32 [N, D], and the number of generated samples."""
