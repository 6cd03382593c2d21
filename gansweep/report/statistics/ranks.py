"""Mean ranks over data sets, where there are enough of them to say anything."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, Scores, mid_ranks, quantile

_MIN_DATASETS = 6
_N_PERMUTATIONS = 10_000


@dataclass(frozen=True)
class MeanRanks:
    """Variants by their mean rank over data sets, the best first; ranks are [m], 1 is the best.

    difference: mean ranks closer than this cannot be separated (Nemenyi). p: whether the variants differ at
    all (Friedman).
    """

    names: tuple[str, ...]
    ranks: NDArray[np.float64]
    difference: float
    n_datasets: int
    p: float


def critical_difference(scores: dict[str, dict[str, Scores]], alpha: float = ALPHA) -> MeanRanks | str:
    """Mean ranks of the median scores of the variants that all data sets have; a sentence if too few data.

    scores: by data set and variant. With fewer than six data sets the test can hardly reject, and runs are
    no substitute for data sets. p is by permutation of the ranks within data sets.

    Source: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", 2006.
    """
    names = [name for name in next(iter(scores.values())) if all(name in here for here in scores.values())]
    m, n = len(names), len(scores)
    if m < 2:
        return "No mean ranks: fewer than two variants have runs on every data set."
    difference = _studentised_range(m, alpha) * math.sqrt(m * (m + 1) / (12 * n))
    if n < _MIN_DATASETS:
        return (
            f"No mean ranks: with {m} variants on {n} data set{'s' * (n > 1)} two mean ranks would have to "
            f"differ by {difference:.2f} to be separated, and they can differ by {m - 1} at most; it takes "
            f"{_MIN_DATASETS} data sets."
        )
    ranks = np.array([mid_ranks([quantile(here[name], 0.5) for name in names]) for here in scores.values()])
    mean = ranks.mean(axis=0)
    order = np.argsort(mean, kind="stable")
    return MeanRanks(tuple(names[i] for i in order), mean[order], difference, n, _friedman(ranks))


def _friedman(ranks: NDArray[np.float64]) -> float:
    """The p-value of the spread of mean ranks, from permutations of the ranks [n, m] within data sets."""
    generator = np.random.default_rng(0)
    shuffled = generator.permuted(np.repeat(ranks[None], _N_PERMUTATIONS, axis=0), axis=2).mean(axis=1)
    at_least = np.var(shuffled, axis=1) >= np.var(ranks.mean(axis=0)) - 1e-12
    return float((np.count_nonzero(at_least) + 1) / (_N_PERMUTATIONS + 1))


def _studentised_range(m: int, alpha: float) -> float:
    """The upper alpha-quantile of the range of m standard normal variables."""
    z = np.linspace(-8.0, 8.0, 1601)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    below = np.cumsum(density) * (z[1] - z[0]) - density * (z[1] - z[0]) / 2  # trapezoids

    def coverage(width: float) -> float:
        """P(range <= width): the lowest of m is at z, the others within width above it."""
        inside = np.interp(z + width, z, below) - below
        return float(np.sum(m * density * inside ** (m - 1)) * (z[1] - z[0]))

    low, high = 0.0, 16.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if coverage(middle) < 1 - alpha else (low, middle)
    return high
