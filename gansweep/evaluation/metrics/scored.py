"""What a metric is given: the generated samples of a few members and the real side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from gansweep.evaluation.metrics.features import Moments, statistics
from gansweep.evaluation.metrics.polygons import Generator
from gansweep.evaluation.settings import Evaluation

if TYPE_CHECKING:
    from gansweep.evaluation.reference import Reference

T = TypeVar("T")


@dataclass(eq=False, kw_only=True)
class Scored:
    """P members of a pack whose features fit into memory together.

    samples: [P, N, ...], uint8 images or float vectors.
    features: float64 [P, N, D] on the device. logits: float64 [P, N, K] on the device, if a requested metric
        needs logits.
    labels: int64 [N] on the device, the classes requested of conditional generators.
    generators: of the P members, for metrics that need more than samples.
    reference: the real side, on the device.
    second_features: samples [N, ...] -> float64 [N, D] on the CPU, by the second extractor if there is one.
    """

    samples: Tensor
    features: Tensor
    logits: Tensor | None
    labels: Tensor | None
    generators: Sequence[Generator] | None
    reference: "Reference"
    evaluation: Evaluation
    second_features: Callable[[Tensor], Tensor] | None = None
    _results: dict[Any, Any] = field(default_factory=dict)

    def once(self, compute: "Callable[[Scored], T]") -> T:
        """Returns `compute(self)`, which is computed once for all metrics that share it."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        result: T = self._results[compute]
        return result

    @property
    def moments(self) -> Moments:
        """Mean [P, D] and covariance [P, D, D] of the features."""
        return self.once(_moments)


def _moments(scored: Scored) -> Moments:
    return statistics(scored.features)
