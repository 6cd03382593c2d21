"""Scores of generated samples against a reference, in memory: torch-fidelity's numbers, its functions."""

import torch
from torch import Tensor

from gansweep.errors import UserError
from gansweep.evaluation import metrics
from gansweep.evaluation.extractors import build, extract, file_hash, weights_file
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
        weights = weights_file(name, evaluation.weights)
        if weights and file_hash(weights) != reference.description["weights_sha256"]:
            raise UserError(f"{weights} is not the file of weights that the reference was computed with")
        layers = [self.spec.features] + [self.spec.logits] * ("isc" in self.metrics)
        self.network = build(name, layers, weights, device)

    def score(self, samples: Tensor) -> dict[str, float]:
        """The metrics asked for, without those the extractor has none of.

        samples: n_images generated ones, uint8 [N, C, H, W] from `to_uint8`, or finite float vectors [N, d].
        """
        expected = self.reference.description["n_images"]
        if len(samples) != expected:
            raise ValueError(f"scores are of {expected} samples, but got {len(samples)}")
        require_finite(samples)
        layers = extract(self.network, samples, self.spec.batch_size, self.device)
        features = layers[self.spec.features]
        scores: dict[str, float] = {}
        if "fid" in self.metrics:
            real = self.reference.mu, self.reference.sigma
            scores["fid"] = metrics.frechet(metrics.statistics(features), real)
        if "isc" in self.metrics:
            scores["isc"] = metrics.inception_score(layers[self.spec.logits])
        if "kid" in self.metrics:
            scores["kid"] = metrics.kernel_distance(features, self.reference.features)
        if "precision" in self.metrics or "recall" in self.metrics:
            scores |= metrics.precision_recall(features, self.reference.features)
        return {name: scores[name] for name in self.metrics}


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
