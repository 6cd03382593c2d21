"""Which of two variants is better: probability of improvement, its interval and its test."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, BLOCK, Estimate, Scores, mid_ranks

N_PERMUTATIONS = 10_000
_MAX_EXACT_PAIRS = 2500  # of scores, for which the distribution of the rank sum is computed
_N_BISECTIONS = 60
_NEGLIGIBLE_EXPONENT = 60  # a score with a weight below exp(-60) is left out

_Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Effect:
    """How scores differ from those of a reference.

    ratio: of a score to one of the reference, single runs; below 1 it is better. improvement: the probability
    that a run is better than one of the reference, ties halved; p: its two-sided p-value; adjusted: p
    adjusted for all tests of its family (Holm).
    """

    ratio: Estimate
    improvement: float
    p: float
    adjusted: float


def improvement(
    x: Scores, y: Scores, k: int = 1, n_permutations: int = N_PERMUTATIONS
) -> tuple[float, float]:
    """P(best of k from x < best of k from y) + half of P(equal), and its p-value (two-sided, permutations).

    For k = 1 this is the test of Mann and Whitney (1947), ties included; two failures are a tie. The
    null hypothesis is that both sets of scores are draws from one distribution. For k = 1 and up to 50 scores
    against 50 all permutations count; else n_permutations do, drawn with a fixed seed, the same ones for x
    against y as for y against x.
    """
    if (len(y), y.tolist()) < (len(x), x.tolist()):
        value, p = improvement(y, x, k, n_permutations)
        return 1 - value, p
    from_x, ties = _sorted_pool(x, y)
    if k == 1 and len(x) * len(y) <= _MAX_EXACT_PAIRS:
        return float(_improvement(from_x[None], ties, len(x), len(y), 1)[0]), _exact_p(x, y)
    # Of the best of k only the lowest scores matter: those after them weigh less than exp(-60).
    reach = min(len(ties), math.ceil(_NEGLIGIBLE_EXPONENT * len(ties) / k))
    reach += int(np.argmax(ties[reach - 1 :]))  # to the end of a run of equal scores
    from_x, ties = from_x[:reach], ties[:reach]
    value = float(_improvement(from_x[None], ties, len(x), len(y), k)[0])
    null = _null(len(x), len(y), k, n_permutations, ties.tobytes())
    slack = 1e-12  # so that equal shares compare as equal
    above = (np.count_nonzero(null >= value - slack) + 1) / (n_permutations + 1)
    below = (np.count_nonzero(null <= value + slack) + 1) / (n_permutations + 1)
    return value, min(1.0, 2 * min(above, below))


def _exact_p(x: Scores, y: Scores) -> float:
    """The two-sided p-value of the rank sum of x among all ways to choose len(x) of the pooled scores."""
    doubled = (2 * mid_ranks(np.concatenate([x, y]))).round().astype(int)  # mid-ranks are halves
    ways = np.zeros((len(x) + 1, int(doubled.sum()) + 1))  # [chosen so far, their sum]
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    chances, observed = ways[-1] / ways[-1].sum(), int(doubled[: len(x)].sum())
    return min(1.0, 2 * min(float(chances[: observed + 1].sum()), float(chances[observed:].sum())))


def improvement_interval(x: Scores, y: Scores, alpha: float = ALPHA) -> Estimate:
    """P(x < y) + half of P(x = y), with an interval that holds its level near 0 and 1 too.

    The interval holds the values that differ from the estimate by less than z standard errors, each with the
    standard error that it would have itself, as Wilson's interval of a share does.

    Source: Newcombe, "Confidence Intervals for an Effect Size Measure Based on the Mann-Whitney Statistic,
    Part 2", 2006, method 5.

    >>> improvement_interval(np.arange(10.0), np.arange(10.0, 20.0)).high
    1.0
    """
    from_x, ties = _sorted_pool(x, y)
    value = float(_improvement(from_x[None], ties, len(x), len(y), 1)[0])
    z, extra = NormalDist().inv_cdf(1 - alpha / 2), (len(x) + len(y)) / 2 - 1

    def tenable(share: float) -> bool:
        sizes = 1 + extra * ((1 - share) / (2 - share) + share / (1 + share))
        return abs(value - share) <= z * math.sqrt(share * (1 - share) * sizes / (len(x) * len(y)))

    return Estimate(value, _edge(tenable, value, 0.0), _edge(tenable, value, 1.0))


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted for their number, step-down (Holm, 1979), in the given order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def _edge(tenable: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where an interval ends between its estimate and a bound, by bisection."""
    for _ in range(_N_BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if tenable(middle) else (inside, middle)
    return inside


def _sorted_pool(x: Scores, y: Scores) -> tuple[_Labels, _Labels]:
    """Of both samples sorted together: which scores are from x, and where runs of equal scores end: [N]."""
    pooled = np.concatenate([x, y])
    order = np.argsort(pooled, kind="stable")
    ordered = pooled[order]
    return order < len(x), np.append(ordered[1:] != ordered[:-1], True)  # +inf equals +inf


def _improvement(from_x: _Labels, ties: _Labels, n_x: int, n_y: int, k: int) -> Scores:
    """The probability of improvement at budget k for each labelling [R, N] of the sorted pool: [R]."""
    if k == 1:
        rank_sums = from_x @ mid_ranks(np.cumsum(ties) - ties)
        return np.asarray(1 - (rank_sums - n_x * (n_x + 1) / 2) / (n_x * n_y))
    survival_x, survival_y = _survival(from_x, ties, n_x, k), _survival(~from_x, ties, n_y, k)
    best_x_here = -np.diff(survival_x, axis=1)
    y_above = (survival_y[:, :-1] + survival_y[:, 1:]) / 2
    return np.asarray(np.einsum("rt,rt->r", best_x_here, y_above))


def _survival(chosen: _Labels, ties: _Labels, n: int, k: int) -> Scores:
    """The chance that the best of k of n chosen scores is above each distinct value, with 1 in front:
    [R, 1 + values]."""
    below = np.cumsum(chosen, axis=1, dtype=np.int32)[:, ties]
    above = (1 - np.arange(n + 1) / n) ** k  # by how many are below: far fewer powers than places
    return np.concatenate([np.ones((len(chosen), 1)), above[below]], axis=1)


@lru_cache(maxsize=64)
def _null(n_x: int, n_y: int, k: int, n_permutations: int, ties: bytes) -> Scores:
    """The probability of improvement in each permutation: [n_permutations]. It depends on the sizes and on
    where scores are equal, so that most pairs of variants share it."""
    ends = np.frombuffer(ties, dtype=np.bool_)
    labellings = _labellings(n_x, n_x + n_y, len(ends), n_permutations)
    blocks = np.array_split(labellings, _n_blocks(labellings.size))
    return np.concatenate([_improvement(block, ends, n_x, n_y, k) for block in blocks])


@lru_cache(maxsize=2)
def _labellings(n_x: int, n: int, reach: int, n_permutations: int) -> _Labels:
    """Which of the lowest of n scores are called x, in each permutation: [n_permutations, reach]."""
    first, generator = np.arange(n) < n_x, np.random.default_rng(0)
    sizes = [len(rows) for rows in np.array_split(np.arange(n_permutations), _n_blocks(n_permutations * n))]
    return np.concatenate(
        [generator.permuted(np.tile(first, (size, 1)), axis=1)[:, :reach] for size in sizes]
    )


def _n_blocks(size: int) -> int:
    return math.ceil(size / BLOCK)
