"""How often a variant comes near the best, and which points no other beats in both respects."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gansweep.report.statistics.scores import ALPHA, Scores

_Curve = NDArray[np.float64]


def profile(
    scores: dict[str, Scores], best: dict[str, float], ratios: _Curve, alpha: float = ALPHA
) -> tuple[_Curve, _Curve, _Curve]:
    """The share of runs with a score of at most ratio x best, and its pointwise interval: [T] each.

    scores: the runs of one variant by data set, one or more on each; best: the score that counts as the best
    of each data set, fixed for all variants; ratios: [T], at least 1; every run that did not fail is within
    +inf. The share is averaged over data sets, its interval is that of `mean_of_shares`; failures never
    arrive. A score or best below 0 counts as 0, and only a score of 0 is within a ratio of a best of 0.

    Source: Dolan and Moré, "Benchmarking Optimization Software with Performance Profiles", 2002,
    arXiv:cs/0102001. Deviations: all runs count, not one per problem; with a fixed best score the curves do
    not depend on which variants are compared.
    """
    counts = []
    for dataset, here in scores.items():
        within = np.full(len(ratios), np.finfo(float).max)
        bounded = np.isfinite(ratios)
        within[bounded] = np.minimum(ratios[bounded] * max(best[dataset], 0.0) * (1 + 1e-12), within[bounded])
        counts.append(np.searchsorted(np.maximum(here, 0.0), within, side="right"))
    sizes = np.array([len(here) for here in scores.values()])
    return mean_of_shares(np.stack(counts, axis=-1), sizes, alpha)


def mean_of_shares(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], alpha: float = ALPHA
) -> tuple[_Curve, _Curve, _Curve]:
    """The mean of D shares, and its interval: [...] each. counts: [..., D], of sizes [D], each at least 1.

    The interval of each share is the exact one of Clopper and Pearson (1934). The distances of its ends from
    the estimates are added as variances are, for the low end and the high end apart, so that shares of 0 and
    1 on two data sets are no certainty. For one data set the interval is exact.

    Source: the square-and-add method, or MOVER: Newcombe, "Interval Estimation for the Difference Between
    Independent Proportions", 1998, method 10; Zou, Huang, Zhang, "A Note on Confidence Interval Estimation
    for a Linear Function of Binomial Proportions", 2009. Deviations: Clopper-Pearson limits in place of
    Wilson's, which hold too seldom near 0 and 1 for few runs, and for four data sets.

    >>> [round(float(end), 2) for end in mean_of_shares(np.array([10, 0]), np.array([10, 10]))]
    [0.5, 0.35, 0.65]
    """
    shares = counts / sizes
    low = special.betaincinv(np.maximum(counts, 1), sizes - counts + 1, alpha / 2)
    high = special.betaincinv(counts + 1, np.maximum(sizes - counts, 1), 1 - alpha / 2)
    below = np.square(shares - np.where(counts > 0, low, 0.0)).sum(axis=-1)
    above = np.square(np.where(counts < sizes, high, 1.0) - shares).sum(axis=-1)
    mean, n_shares = shares.mean(axis=-1), len(sizes)
    return mean, mean - np.sqrt(below) / n_shares, mean + np.sqrt(above) / n_shares


def pareto(cost: _Curve, value: _Curve) -> NDArray[np.bool_]:
    """Which points no other beats: none has a lower cost and value, or one lower and the other equal: [n].

    Lower is better in both; a point that is not finite in both is never on the front.

    >>> pareto(np.array([1.0, 2.0, 3.0, 1.0]), np.array([5.0, 6.0, 1.0, np.inf]))
    array([ True, False,  True, False])
    """
    usable = np.isfinite(cost) & np.isfinite(value)
    cost, value = np.where(usable, cost, np.inf), np.where(usable, value, np.inf)
    order = np.lexsort((value, cost))
    front = np.zeros(len(order), dtype=bool)
    best, at = np.inf, np.inf
    for index in order:
        if value[index] < best or (value[index] == best and cost[index] == at):
            front[index] = True
            best, at = value[index], cost[index]
    return front & usable
