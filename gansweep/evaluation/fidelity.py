"""Scores of generated samples against a reference, in memory: torch-fidelity's numbers, its functions."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansweep.data import MIXTURES, POLYGONS
from gansweep.errors import UserError
from gansweep.evaluation import manifold, metrics
from gansweep.evaluation.coverage import coverage, moments
from gansweep.evaluation.extractors import build, extract, features_by
from gansweep.evaluation.manifold import Generator
from gansweep.evaluation.published import file_hash, weights_file
from gansweep.evaluation.reference import Reference, build_reference
from gansweep.evaluation.settings import EXTRACTORS, Evaluation

__all__ = ["Evaluation", "Evaluator", "Reference", "build_reference", "finite", "to_uint8"]


class Evaluator:
    """Scores one generator after another against the same real samples; the extractor is built once."""

    def __init__(
        self, reference: Reference, evaluation: Evaluation, device: str | torch.device = "cpu"
    ) -> None:
        """
        Raises:
            UserError: the extractor's weights are missing here, or differ from the reference's.
        """
        self.reference, self.evaluation, self.device = reference, evaluation, device
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
            self.see_again = features_by(description["extractor"], weights, device)

    def score(
        self, samples: Tensor, labels: Tensor | None = None, generator: Generator | None = None
    ) -> dict[str, float]:
        """The metrics asked for, without those the extractor has none of.

        samples: n_images generated ones, uint8 [N, C, H, W] from `to_uint8`, or finite float vectors [N, d].
        labels: int64 [N], what they were asked to be; only conditional metrics need them.
        generator: what made them; only polygon metrics need it.
        """
        expected = self.reference.description["n_images"]
        if len(samples) != expected:
            raise ValueError(f"scores are of {expected} samples, but got {len(samples)}")
        require_finite(samples)
        layers = extract(self.network, samples, self.spec.batch_size, self.device)
        scores = self._fidelity(layers)
        if self.see_again:
            moments_again = metrics.statistics(self.see_again(samples))
            scores["second_fid"] = metrics.frechet(moments_again, self.reference.seen_again)
        if labels is not None:
            scores |= self._conditional(layers, labels.cpu())
        if self.evaluation.needs("mixture"):
            scores |= coverage(samples, MIXTURES[self.reference.description["dataset"]])
        if self.evaluation.needs("1-D"):
            scores |= moments(samples)
        if self.evaluation.needs("polygons"):
            scores |= self._polygon(samples, generator)
        return {name: scores[name] for name in self.metrics}

    def features(self, samples: Tensor) -> Tensor:
        """What FID compares of samples as `score` takes them, of any number: float64 [N, D] on the CPU."""
        require_finite(samples)
        return extract(self.network, samples, self.spec.batch_size, self.device)[self.spec.features]

    def _fidelity(self, layers: dict[str, Tensor]) -> dict[str, float]:
        """The metrics that compare features."""
        features, real = layers[self.spec.features], self.reference
        scores: dict[str, float] = {}
        if self.evaluation.asks("fid", "test_fid"):
            moments = metrics.statistics(features)
            scores["fid"] = metrics.frechet(moments, (real.mu, real.sigma))
            if self.evaluation.validates:
                scores["test_fid"] = metrics.frechet(moments, real.reported)
        if "isc" in self.metrics:
            scores["isc"] = metrics.inception_score(layers[self.spec.logits])
        if "kid" in self.metrics:
            scores["kid"] = metrics.kernel_distance(features, real.features)
        if self.evaluation.asks("precision", "recall"):
            scores |= metrics.precision_recall(features, real.features)
        return scores

    def _conditional(self, layers: dict[str, Tensor], labels: Tensor) -> dict[str, float]:
        """The metrics of samples whose class was asked for."""
        scores: dict[str, float] = {}
        if "intra_fid" in self.metrics:
            scores["intra_fid"] = metrics.intra_frechet(layers[self.spec.features], labels, self._by_class)
        if "accuracy" in self.metrics:
            scores["accuracy"] = metrics.accuracy(layers[self.spec.logits], labels)
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
    def _by_class(self) -> dict[int, tuple[Tensor, Tensor]]:
        features, labels = self.reference.features, self.reference.labels
        assert labels is not None  # metrics by class of a data set without labels were refused
        return {k: metrics.statistics(features[labels == k]) for k in labels.unique().tolist()}


def _weights(description: dict[str, Any], evaluation: Evaluation) -> Path | None:
    """The file of an extractor's weights, which must be the one that a reference describes."""
    path = weights_file(description["extractor"], evaluation.weights)
    if path and file_hash(path) != description["weights_sha256"]:
        raise UserError(f"{path} is not the file of weights that the reference was computed with")
    return path


def finite(x: Tensor) -> bool:
    """Whether no element is NaN or infinite."""
    return bool(torch.isfinite(x).all())


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
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)
