"""Statistics of searches whose trials may fail: exact, distribution-free, in numpy.

A score is an FID: lower is better, and a failed trial scores +inf. So medians, quantiles and ranks stay
defined, and no failure is dropped. `scores` are float arrays [N], sorted ascending. The trials must be
independent draws from one search distribution (random search); with any other sampler none of these
intervals holds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

ALPHA = 0.05
PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `low` is -inf and `high` +inf where the data give no bound."""

    value: float
    low: float
    high: float


def quantile(scores: Scores, p: float) -> float:
    """The p-quantile, approximately median-unbiased (type 8 of Hyndman and Fan, 1996); +inf is kept.

    Between a finite score and +inf nothing can be interpolated: the nearer of the two is taken.

    >>> quantile(np.array([1.0, 2.0, 3.0]), 0.5), quantile(np.array([1.0, np.inf, np.inf]), 0.5)
    (2.0, inf)
    """
    n = len(scores)
    position = min(max((n + 1 / 3) * p + 1 / 3, 1.0), float(n))
    below = math.floor(position)
    share = position - below
    a, b = float(scores[below - 1]), float(scores[min(below, n - 1)])
    if share == 0 or a == b:
        return a
    if math.isinf(b):
        return a if share < 0.5 else b
    return a + share * (b - a)


def median_best(scores: Scores, k: float, alpha: float = ALPHA) -> Estimate:
    """The median of the best of k fresh trials, with its exact interval of level 1 - alpha.

    The best of k has median F^-1(p) with p = 1 - 2^(-1/k), F being the distribution of one trial. How many
    of the N scores lie below F^-1(p) is binomial(N, p), which gives two order statistics as exact bounds.

    Source: Lourie, Cho, He, "Show Your Work with Confidence", 2023, arXiv:2311.09480, for quantile curves.
    """
    p = 1 - 0.5 ** (1 / k)
    n = len(scores)
    cdf = np.cumsum(_binomial(n, p))
    first = int(np.searchsorted(cdf, alpha / 2))
    last = int(np.searchsorted(cdf, 1 - alpha / 2)) + 1
    low = float(scores[first - 1]) if first >= 1 else -math.inf
    high = float(scores[last - 1]) if last <= n else math.inf
    return Estimate(quantile(scores, p), low, high)


def largest_budget(n: int, alpha: float = ALPHA) -> float:
    """The largest k at which n trials bound the median of the best of k from below: about n / 5.3."""
    return n * math.log(0.5) / math.log(alpha / 2)


def mean_best(scores: Scores, k: int, cap: float) -> float:
    """The expected best of k <= N trials, unbiased, with scores above `cap` counted as `cap`.

    The average over all subsets of size k: the i-th smallest score is the best of C(N-i, k-1) of C(N, k)
    subsets.

    Source: Tang et al., "Showing Your Work Doesn't Always Work", 2020, arXiv:2004.13705.

    >>> round(mean_best(np.arange(1.0, 11.0), 2, cap=100.0), 4)
    3.6667
    """
    n = len(scores)
    weights = [math.exp(_log_choose(n - i, k - 1) - _log_choose(n, k)) for i in range(1, n - k + 2)]
    return float(np.dot(weights, np.minimum(scores[: len(weights)], cap)))


def wilson(count: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share, count of n > 0 (Wilson, 1927).

    >>> tuple(round(bound, 3) for bound in wilson(20, 100))
    (0.133, 0.289)
    """
    share, spread = count / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def improvement(x: Scores, y: Scores, k: int = 1) -> tuple[float, float]:
    """P(best of k from x < best of k from y) + half of P(equal), and its p-value (two-sided, permutations).

    For k = 1 this is the test of Mann and Whitney (1947), ties included. The test asks whether both sets of
    scores could be draws from one distribution; its 10,000 permutations are drawn with a fixed seed.
    """
    pooled = np.concatenate([x, y])
    order = np.argsort(pooled, kind="stable")
    ties = np.append(np.diff(_ranks(pooled[order])) > 0, True)  # where a run of equal scores ends
    observed = np.zeros((1, len(pooled)), dtype=bool)
    observed[0, : len(x)] = True
    generator = np.random.default_rng(0)
    shuffled = generator.permuted(np.repeat(observed, PERMUTATIONS, axis=0), axis=1)
    value = float(_improvement(observed[:, order], ties, k)[0])
    null = _improvement(shuffled, ties, k)
    slack = 1e-12  # so that equal shares compare as equal
    above = (np.count_nonzero(null >= value - slack) + 1) / (PERMUTATIONS + 1)
    below = (np.count_nonzero(null <= value + slack) + 1) / (PERMUTATIONS + 1)
    return value, min(1.0, 2 * min(above, below))


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


def leading_group(scores: dict[str, Scores], k: int, alpha: float = ALPHA) -> tuple[str, ...]:
    """The variants that the data cannot tell from the best one at budget k, the best one first.

    The leader has the lowest median best of k. A variant leaves the group when the leader improves on it at
    budget k with a Holm-adjusted p-value below alpha. The leader is chosen by the same data, so the test is
    a little lenient.
    """
    ranking = sorted(scores, key=lambda name: (median_best(scores[name], k).value, scores[name][0]))
    leader, others = ranking[0], ranking[1:]
    tests = [improvement(scores[leader], scores[name], k) for name in others]
    adjusted = holm([p for _, p in tests])
    tied = [
        name
        for name, (share, _), p in zip(others, tests, adjusted, strict=True)
        if p >= alpha or share <= 0.5
    ]
    return (leader, *tied)


def _improvement(is_x: NDArray[np.bool_], ties: NDArray[np.bool_], k: int) -> Scores:
    """The probability of improvement at budget k, for each labelling [R, N] of the sorted pool: [R]."""
    survival_x, survival_y = _survival(is_x, ties) ** k, _survival(~is_x, ties) ** k
    best_x_here = -np.diff(survival_x, axis=1)
    y_above = (survival_y[:, :-1] + survival_y[:, 1:]) / 2
    return np.einsum("rt,rt->r", best_x_here, y_above)


def _survival(chosen: NDArray[np.bool_], ties: NDArray[np.bool_]) -> Scores:
    """Each labelling's share of chosen scores above each distinct value, with 1 in front: [R, 1 + values]."""
    counts = np.cumsum(chosen, axis=1)[:, ties] / chosen.sum(axis=1, keepdims=True)
    return np.concatenate([np.ones((len(chosen), 1)), 1 - counts], axis=1)


def _ranks(ordered: Scores) -> NDArray[np.int64]:
    """0, 1, ... for the distinct values of a sorted array; +inf equals +inf."""
    return np.unique(ordered, return_inverse=True)[1]


def _binomial(n: int, p: float) -> Scores:
    """The probabilities of 0..n successes."""
    return np.array(
        [math.exp(_log_choose(n, j) + j * math.log(p) + (n - j) * math.log1p(-p)) for j in range(n + 1)]
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
