"""Scores of trials that may fail, their quantiles, and values with an interval."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]

ALPHA = 0.05
RESAMPLES = 2_000  # of every bootstrap; each has a fixed seed
BLOCK = 4_000_000  # numbers of a resampling held at a time, so that ten thousand trials fit into memory


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `low` is -inf and `high` +inf where the data give no bound."""

    value: float
    low: float
    high: float


def quantile(scores: Scores, p: float) -> float:
    """The p-quantile, approximately median-unbiased (type 8 of Hyndman and Fan, 1996); +inf is allowed.

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


def times(score: float, base: float) -> float:
    """How many times `base` a score is. Below 0 counts as 0, which is +inf times less than all above it.

    >>> times(3.0, 2.0), times(1.0, -0.5), times(-0.1, 2.0), times(-0.1, 0.0)
    (1.5, inf, 0.0, 1.0)
    """
    if base > 0:
        return max(score, 0.0) / base
    return math.inf if score > 0 else 1.0


def wilson(count: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share, count of n > 0 (Wilson, 1927).

    >>> tuple(round(bound, 3) for bound in wilson(20, 100))
    (0.133, 0.289)
    """
    share, spread = count / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def bound_of_agreement(n: int, alpha: float = ALPHA) -> float:
    """The least probability of an event that n independent trials in a row may show, at level alpha / 2.

    A bootstrap of observations that all agree has no spread; this bound is exact.

    >>> round(bound_of_agreement(10), 3), round(bound_of_agreement(30), 3)
    (0.692, 0.884)
    """
    return float((alpha / 2) ** (1 / n))


def mid_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """1 for the lowest, in the order given; ties, failures among them, have their mean rank: [n].

    >>> mid_ranks([np.inf, 2.0, np.inf]).tolist()
    [2.5, 1.0, 2.5]
    """
    ordered = np.sort(values)
    left, right = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (left + right + 1) / 2
