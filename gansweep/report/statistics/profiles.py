"""How often a variant comes near the best, and which points no other beats in both respects."""

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, RESAMPLES, Scores, expanded_levels

_Curve = NDArray[np.float64]


def profile(
    scores: dict[str, Scores], best: dict[str, float], ratios: _Curve, alpha: float = ALPHA
) -> tuple[_Curve, _Curve, _Curve]:
    """The share of runs with a score of at most ratio x best, and its pointwise interval: [T] each.

    scores: the runs of one variant by data set, one or more on each; best: the score that counts as the best
    of each data set, fixed for all variants; ratios: [T], ascending. The share is averaged over data sets;
    failures never arrive. The bootstrap resamples the runs within each data set; its levels are the
    `expanded_levels` of the smallest.

    Source: Dolan and Moré, "Benchmarking Optimization Software with Performance Profiles", 2002,
    arXiv:cs/0102001. Deviations: all runs count, not one per problem; with a fixed best score the curves do
    not depend on which variants are compared.
    """
    generator = np.random.default_rng(0)
    shares, resampled = [], []
    for dataset, here in scores.items():
        within = np.minimum(ratios * best[dataset] * (1 + 1e-12), np.finfo(float).max)
        reached = np.searchsorted(here, within, side="right") / len(here)
        shares.append(reached)
        steps = np.diff(reached, prepend=0.0, append=1.0).clip(min=0.0)
        counts = generator.multinomial(len(here), steps / steps.sum(), size=RESAMPLES)
        resampled.append(np.cumsum(counts[:, :-1], axis=1) / len(here))
    levels = expanded_levels(max(2, min(map(len, scores.values()))), alpha)
    low, high = np.quantile(np.mean(resampled, axis=0), levels, axis=0)
    return np.mean(shares, axis=0), low, high


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
