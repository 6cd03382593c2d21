"""Scores whole packs of generated samples against a reference, with torch-fidelity's numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gansweep.errors import UserError
from gansweep.evaluation.extractors import build, extract, features_by
from gansweep.evaluation.metrics import COMPUTE, Scored
from gansweep.evaluation.metrics.polygons import Generator
from gansweep.evaluation.reference import Reference, build_reference
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.evaluation.weights import file_hash, weights_file
from gansweep.results.metrics import METRICS

__all__ = ["Evaluation", "Evaluator", "Reference", "build_reference", "finite", "to_uint8"]

FEATURES_AT_ONCE = 2**19  # numbers, of one or more members: few enough for a processor's cache


class Evaluator:
    """Scores packs against the same real samples. The extractor is built once."""

    def __init__(
        self, reference: Reference, evaluation: Evaluation, device: str | torch.device = "cpu"
    ) -> None:
        """
        Raises:
            UserError: the extractor's weights are missing here, or differ from those of the reference.
        """
        self.reference, self.evaluation, self.device = reference.completed(evaluation), evaluation, device
        self.reference_on_device = self.reference.to(device)
        name = reference.description["extractor"]
        self.spec = EXTRACTORS[name]
        self.metrics = [m for m in evaluation.metrics if METRICS[m].needs != "logits" or self.spec.logits]
        weights = _weights(reference.description, evaluation)
        needs_logits = any(METRICS[m].needs in ("logits", "own classes") for m in self.metrics)
        layers = [self.spec.features] + [self.spec.logits] * needs_logits
        self.network = build(name, layers, weights, device)
        self.second_features: Callable[[Tensor], Tensor] | None = None
        if evaluation.second:
            description = reference.description["second"]
            weights = _weights(description, evaluation.second)
            self.second_features = features_by(
                description["extractor"], weights, device, evaluation.precision
            )

    def score(
        self, samples: Tensor, labels: Tensor | None = None, generator: Generator | None = None
    ) -> dict[str, float]:
        """Returns the requested metrics, without those that the extractor cannot give.

        samples: n_images generated samples, uint8 [N, C, H, W] from `to_uint8` or finite vectors [N, d].
        labels: int64 [N], the requested classes; only conditional metrics need them.
        generator: the generator of the samples; only polygon metrics need it.
        """
        require_finite(samples)
        generators = None if generator is None else [generator]
        return self.score_pack(samples.unsqueeze(0), labels, generators)[0]

    def score_pack(
        self, samples: Tensor, labels: Tensor | None = None, generators: Sequence[Generator] | None = None
    ) -> list[dict[str, float]]:
        """Returns the metrics of every member of a pack.

        samples: [P, N, ...], for each member as in `score`. labels: [N], the same for all members.
        A member with a sample or feature that is not finite gets NaN and does not change the other members.
        """
        n_members, n = samples.shape[:2]
        expected = self.reference.description["n_images"]
        if n != expected:
            raise ValueError(f"scores are of {expected} samples, but got {n}")
        size = max(1, FEATURES_AT_ONCE // self.reference_on_device.features.shape[1] // n)
        scores: list[dict[str, float]] = []
        for i in range(0, n_members, size):
            some = None if generators is None else generators[i : i + size]
            scores += self._score(samples[i : i + size], labels, some)
        return scores

    def features(self, samples: Tensor) -> Tensor:
        """Returns the features that FID compares, float64 [N, D] on the CPU, of any number of samples."""
        require_finite(samples)
        return self._extract(samples)[self.spec.features].cpu()

    def _extract(self, samples: Tensor) -> dict[str, Tensor]:
        return extract(self.network, samples, self.spec.batch_size, self.device, self.evaluation.precision)

    def _score(
        self, samples: Tensor, labels: Tensor | None, generators: Sequence[Generator] | None
    ) -> list[dict[str, float]]:
        """Returns the metrics of members whose features fit into memory together."""
        pack = samples.shape[:2]
        layers = {name: x.unflatten(0, pack) for name, x in self._extract(samples.flatten(0, 1)).items()}
        scored = Scored(
            samples=samples,
            features=layers[self.spec.features],
            logits=layers.get(self.spec.logits),
            labels=None if labels is None else labels.to(self.device),
            generators=generators,
            reference=self.reference_on_device,
            evaluation=self.evaluation,
            second_features=self.second_features,
        )
        columns = {name: COMPUTE[name](scored).tolist() for name in self.metrics}
        return [
            {name: column[i] if finite(mean) else torch.nan for name, column in columns.items()}
            for i, mean in enumerate(scored.moments[0])
        ]


def _weights(description: dict[str, object], evaluation: Evaluation) -> Path | None:
    """Returns the file of an extractor's weights, which must be the file that a reference describes."""
    path = weights_file(str(description["extractor"]), evaluation.weights)
    if path and file_hash(path) != description["weights_sha256"]:
        raise UserError(f"{path} is not the file of weights that the reference was computed with")
    return path


def finite(x: Tensor) -> bool:
    """Returns whether no element is NaN or infinite."""
    return not x.is_floating_point() or bool(torch.isfinite(x).all())


def require_finite(x: Tensor) -> None:
    """Refuse samples of a diverged generator, which must never get a score."""
    if not finite(x):
        raise ValueError("the samples are not finite: the generator has diverged")


def to_uint8(x: Tensor) -> Tensor:
    """Returns float images in [0, 1] as uint8 in 0..255, rounded to nearest; values outside are clamped.

    Raises:
        ValueError: a value is not finite (a cast would turn NaN into a black pixel).
    """
    require_finite(x)
    return quantised(x)


def quantised(x: Tensor) -> Tensor:
    """Returns the same as `to_uint8` without a check; values that are not finite become arbitrary."""
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8)
