"""Scores of generated samples against a reference, in memory: torch-fidelity's numbers, for whole packs."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansweep.data import MIXTURES, POLYGONS
from gansweep.errors import UserError
from gansweep.evaluation.extractors import build, extract, features_by
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics import pairwise
from gansweep.evaluation.metrics import polygons as manifold
from gansweep.evaluation.metrics.features import Gaussian, frechet_distances, gaussian, statistics
from gansweep.evaluation.metrics.mixture import coverage, moments
from gansweep.evaluation.metrics.polygons import Generator
from gansweep.evaluation.reference import Reference, build_reference
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.evaluation.weights import file_hash, weights_file

__all__ = ["Evaluation", "Evaluator", "Reference", "build_reference", "finite", "to_uint8"]

FEATURES_AT_ONCE = 2**19  # numbers, of one member or more: few enough to stay in a processor's cache


class Evaluator:
    """Scores one pack after another against the same real samples; the extractor is built once."""

    def __init__(
        self, reference: Reference, evaluation: Evaluation, device: str | torch.device = "cpu"
    ) -> None:
        """
        Raises:
            UserError: the extractor's weights are missing here, or differ from the reference's.
        """
        self.reference, self.evaluation, self.device = reference.completed(evaluation), evaluation, device
        self.here = self.reference.to(device)
        name = reference.description["extractor"]
        self.spec = EXTRACTORS[name]
        self.metrics = [m for m in evaluation.metrics if m != "isc" or self.spec.logits]
        weights = _weights(reference.description, evaluation)
        asks_logits = "isc" in self.metrics or evaluation.needs("own classes")
        layers = [self.spec.features] + [self.spec.logits] * asks_logits
        self.network = build(name, layers, weights, device)
        self.see_again: Callable[[Tensor], Tensor] | None = None
        if evaluation.second:
            description = reference.description["second"]
            weights = _weights(description, evaluation.second)
            self.see_again = features_by(description["extractor"], weights, device, evaluation.precision)

    def score(
        self, samples: Tensor, labels: Tensor | None = None, generator: Generator | None = None
    ) -> dict[str, float]:
        """The metrics asked for, without those the extractor has none of.

        samples: n_images generated ones, uint8 [N, C, H, W] from `to_uint8`, or finite float vectors [N, d].
        labels: int64 [N], what they were asked to be; only conditional metrics need them.
        generator: what made them; only polygon metrics need it.
        """
        require_finite(samples)
        generators = None if generator is None else [generator]
        return self.score_pack(samples.unsqueeze(0), labels, generators)[0]

    def score_pack(
        self, samples: Tensor, labels: Tensor | None = None, generators: Sequence[Generator] | None = None
    ) -> list[dict[str, float]]:
        """The metrics of every member of a pack.

        samples: [P, N, ...], of each member what `score` takes; labels: [N], the same for all members.
        A member that has a sample or feature that is not finite gets NaN; the others' scores are their own.
        """
        n_members, n = samples.shape[:2]
        expected = self.reference.description["n_images"]
        if n != expected:
            raise ValueError(f"scores are of {expected} samples, but got {n}")
        size = max(1, FEATURES_AT_ONCE // self.here.features.shape[1] // n)
        scores: list[dict[str, float]] = []
        for i in range(0, n_members, size):
            some = None if generators is None else generators[i : i + size]
            scores += self._score(samples[i : i + size], labels, some)
        return scores

    def features(self, samples: Tensor) -> Tensor:
        """What FID compares of samples as `score` takes them, of any number: float64 [N, D] on the CPU."""
        require_finite(samples)
        return self._extract(samples)[self.spec.features].cpu()

    def _extract(self, samples: Tensor) -> dict[str, Tensor]:
        return extract(self.network, samples, self.spec.batch_size, self.device, self.evaluation.precision)

    def _score(
        self, samples: Tensor, labels: Tensor | None, generators: Sequence[Generator] | None
    ) -> list[dict[str, float]]:
        """The metrics of members whose features fit into memory together."""
        pack = samples.shape[:2]
        layers = {name: x.unflatten(0, pack) for name, x in self._extract(samples.flatten(0, 1)).items()}
        features = layers[self.spec.features]
        gaussians = statistics(features)
        together = self._together(layers, gaussians)
        if self.see_again:
            again = [
                metrics.frechet(statistics(self.see_again(x)), self.reference.seen_again) for x in samples
            ]
            together["second_fid"] = torch.tensor(again, dtype=torch.float64)
        if labels is not None:
            together |= self._conditional(layers, labels.to(self.device))
        columns = {name: column.tolist() for name, column in together.items()}
        scores = []
        for i in range(len(samples)):
            found = {name: column[i] for name, column in columns.items()}
            found |= self._alone(samples[i], features[i], generators[i] if generators else None)
            is_finite = finite(gaussians[0][i])
            scores.append({name: found[name] if is_finite else torch.nan for name in self.metrics})
        return scores

    def _together(self, layers: dict[str, Tensor], gaussians: metrics.Moments) -> dict[str, Tensor]:
        """The metrics of features [P, N, D] that are computed for all members at once, [P] each."""
        scores = {"fid": frechet_distances(gaussians, self.here.selecting)}
        if self.evaluation.validates:
            scores["test_fid"] = frechet_distances(gaussians, self.here.reported)
        if "isc" in self.metrics:
            scores["isc"] = metrics.inception_score(layers[self.spec.logits])
        return scores

    def _conditional(self, layers: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The metrics of samples whose class was asked for, [P] each."""
        scores: dict[str, Tensor] = {}
        if "intra_fid" in self.metrics:
            scores["intra_fid"] = metrics.intra_frechet(layers[self.spec.features], labels, self._by_class)
        if "accuracy" in self.metrics:
            scores["accuracy"] = metrics.accuracy(layers[self.spec.logits], labels)
        return scores

    def _alone(self, samples: Tensor, features: Tensor, generator: Generator | None) -> dict[str, float]:
        """The metrics that need the processor for one member."""
        real, scores = self.here, {}
        if "kid" in self.metrics:
            means = real.derived["kernel_means"]
            scores["kid"] = pairwise.kernel_distance(features.float(), self._real_features, means)
        if self.evaluation.asks("precision", "recall"):
            scores |= pairwise.precision_recall(features.float(), self._real_features, real.derived["radii"])
        if self.evaluation.needs("mixture"):
            scores |= coverage(samples, MIXTURES[self.reference.description["dataset"]])
        if self.evaluation.needs("1-D"):
            scores |= moments(samples)
        if self.evaluation.needs("polygons"):
            scores |= self._polygon(samples, generator)
        return scores

    def _polygon(self, samples: Tensor, generator: Generator | None) -> dict[str, float]:
        """The metrics by distance from the manifold of polygons."""
        options, scores = self.evaluation.manifold, {}
        if self.evaluation.asks("polygon_precision", "polygon_f1"):
            polygons = POLYGONS[self.reference.description["dataset"]]
            generated = samples[: options.n_precision].to(self.device).float() / 255
            scores["polygon_precision"] = manifold.precision(generated, polygons, options)
        if self.evaluation.asks("polygon_recall", "polygon_f1"):
            assert generator is not None and self.reference.images is not None
            real = self.reference.images.to(self.device).float() / 255
            scores["polygon_recall"] = manifold.recall(real, generator, options)
        if "polygon_f1" in self.metrics:
            scores["polygon_f1"] = manifold.f1(scores["polygon_precision"], scores["polygon_recall"])
        return scores

    @cached_property
    def _real_features(self) -> Tensor:
        """As the library has them where it compares pairs."""
        return self.here.features.float()

    @cached_property
    def _by_class(self) -> dict[int, Gaussian]:
        features, labels = self.here.features, self.here.labels
        assert labels is not None  # metrics by class of a data set without labels were refused
        return {k: gaussian(*statistics(features[labels == k])) for k in labels.unique().tolist()}


def _weights(description: dict[str, Any], evaluation: Evaluation) -> Path | None:
    """The file of an extractor's weights, which must be the one that a reference describes."""
    path = weights_file(description["extractor"], evaluation.weights)
    if path and file_hash(path) != description["weights_sha256"]:
        raise UserError(f"{path} is not the file of weights that the reference was computed with")
    return path


def finite(x: Tensor) -> bool:
    """Whether no element is NaN or infinite."""
    return not x.is_floating_point() or bool(torch.isfinite(x).all())


def require_finite(x: Tensor) -> None:
    """Refuse what a diverged generator makes: it must never get a score."""
    if not finite(x):
        raise ValueError("the samples are not finite: the generator has diverged")


def to_uint8(x: Tensor) -> Tensor:
    """Float images in [0, 1] as uint8 in 0..255, rounded to nearest; what lies outside is clamped.

    Raises:
        ValueError: a value is not finite: a cast would turn NaN into a black pixel.
    """
    require_finite(x)
    return quantised(x)


def quantised(x: Tensor) -> Tensor:
    """As `to_uint8`, of any values: those that are not finite become something."""
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8)
