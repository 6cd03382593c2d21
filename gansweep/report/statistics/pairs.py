"""Which variants of a data set differ: every pair, tested and adjusted as one family."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.budget import median_best
from gansweep.report.statistics.comparing import N_PERMUTATIONS, Effect, holm, improvement
from gansweep.report.statistics.ratio import hodges_lehmann
from gansweep.report.statistics.scores import ALPHA, Scores

_Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """All pairs of the variants of a data set at one budget: what a report calls separable rests on this.

    names: the lowest median best of k first, equal ones by their lowest score, then by name. scores: of each
    name. share[i, j]: the probability that the best of k of i is lower than that of j, ties halved; p: its
    two-sided p-value; adjusted: p adjusted for all pairs (Holm): [m, m] each, 0.5, 1 and 1 on the diagonal.
    """

    names: tuple[str, ...]
    scores: dict[str, Scores]
    k: int
    share: _Matrix
    p: _Matrix
    adjusted: _Matrix
    alpha: float

    @property
    def leader(self) -> str:
        return self.names[0]

    def separable(self, one: str, other: str) -> bool:
        """Whether the test tells two variants apart, whichever is the better one."""
        return bool(self.adjusted[self.names.index(one), self.names.index(other)] < self.alpha)

    def beats(self, one: str, other: str) -> bool:
        """Whether they are separable and the first is the better one."""
        share = self.share[self.names.index(one), self.names.index(other)]
        return self.separable(one, other) and bool(share > 0.5)

    @cached_property
    def leading(self) -> tuple[str, ...]:
        """The leader, and the variants that it does not beat, in this order; empty where all runs failed."""
        if all(np.isinf(scores[0]) for scores in self.scores.values()):
            return ()
        return tuple(name for name in self.names if not self.beats(self.leader, name))

    @property
    def ahead(self) -> tuple[str, ...]:
        """The variants that beat the leader though their medians are higher."""
        return tuple(name for name in self.names if self.beats(name, self.leader))

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """Every other variant against the leader."""
        return {
            name: Effect(
                hodges_lehmann(self.scores[name], self.scores[self.leader]),
                float(self.share[place, 0]),
                float(self.p[place, 0]),
                float(self.adjusted[place, 0]),
            )
            for place, name in enumerate(self.names[1:], 1)
        }


def compare_pairs(scores: dict[str, Scores], k: int = 1, alpha: float = ALPHA) -> Pairs:
    """Test every pair of one or more variants at budget k, adjusted as one family.

    The family is that of all pairs, not of the others against the leader, for the leader is chosen by the
    same data: only so does it keep its level whoever leads. Of more than 20 variants more than 10,000
    permutations are drawn, as the smallest p-value they can give must be significant after adjustment.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979; the test is `improvement`.
    """
    names = tuple(
        sorted(scores, key=lambda name: (median_best(scores[name], k).value, scores[name][0], name))
    )
    pairs = list(combinations(range(len(names)), 2))
    enough = max(N_PERMUTATIONS, math.ceil(2.5 * len(pairs) / alpha))
    tests = [improvement(scores[names[i]], scores[names[j]], k, enough) for i, j in pairs]
    share = np.full((len(names),) * 2, 0.5)
    p, adjusted = np.ones_like(share), np.ones_like(share)
    for (i, j), (value, single), joint in zip(
        pairs, tests, holm([single for _, single in tests]), strict=True
    ):
        share[i, j], share[j, i] = value, 1 - value
        p[i, j] = p[j, i] = single
        adjusted[i, j] = adjusted[j, i] = joint
    return Pairs(names, scores, k, share, p, adjusted, alpha)
