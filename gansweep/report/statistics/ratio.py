"""How much lower: the ratio of two samples of scores, with an exact interval."""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, Estimate, Scores

_MAX_EXACT_PAIRS = 10_000  # up to 100 x 100 the null distribution is exact; above, its normal approximation
_N_BISECTIONS = 80


def hodges_lehmann(x: Scores, y: Scores, alpha: float = ALPHA) -> Estimate:
    """The ratio of a score of x to one of y: exp of the median of all log x_i - log y_j, with its interval.

    The interval of level 1 - alpha holds the ratios r for which the rank-sum test accepts x = r y; its
    ends are 0 and +inf where so few runs give no bound. Against a failure a success has ratio 0, a failure
    has +inf against a success. Two failures are a tie at every r, as in the test: half of such pairs count
    on either side. If all runs of both fail the ratio is 1, without bounds.

    Source: Hodges and Lehmann, "Estimates of Location Based on Rank Tests", 1963; the test is that of Mann
    and Whitney, 1947. Deviations: above 10,000 pairs the null distribution is the normal approximation.

    >>> hodges_lehmann(np.array([1.0, 2.0, np.inf]), np.array([2.0, 4.0, 8.0]))
    Estimate(value=0.5, low=0.0, high=inf)
    """
    good_x, good_y = np.log(x[np.isfinite(x)]), np.log(y[np.isfinite(y)])
    x_alone = len(good_x) * (len(y) - len(good_y))  # pairs in which only x succeeded
    y_alone = (len(x) - len(good_x)) * len(good_y)
    n = x_alone + len(good_x) * len(good_y) + y_alone
    ties = len(x) * len(y) - n

    def ratio(rank: int) -> float:
        """The rank-th smallest of the n ratios, from 1."""
        if rank <= x_alone:
            return 0.0
        return math.inf if rank > n - y_alone else math.exp(_difference(good_x, good_y, rank - x_alone))

    middle = math.sqrt(ratio((n + 1) // 2) * ratio(n // 2 + 1)) if n else 1.0
    rank = _critical(len(x), len(y), alpha) - math.ceil(ties / 2)
    return Estimate(middle, *((ratio(rank), ratio(n + 1 - rank)) if rank >= 1 else (0.0, math.inf)))


def _difference(x: Scores, y: Scores, rank: int) -> float:
    """The rank-th smallest of all x_i - y_j, from 1, by bisection; x and y are sorted and finite."""
    low, high = float(x[0] - y[-1]), float(x[-1] - y[0])
    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        below = x.size * y.size - int(np.searchsorted(y, x - middle).sum())  # those with x_i - y_j <= middle
        low, high = (low, middle) if below >= rank else (middle, high)
    return high


@lru_cache(maxsize=64)
def _critical(n: int, m: int, alpha: float) -> int:
    """The largest c such that less than c pairs in favour have probability <= alpha / 2 under the null."""
    if n * m <= _MAX_EXACT_PAIRS:
        return int(np.searchsorted(np.cumsum(_pairs_in_favour(n, m)), alpha / 2, side="right"))
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    return math.floor((n * m + 1) / 2 + NormalDist().inv_cdf(alpha / 2) * spread)


def _pairs_in_favour(n: int, m: int) -> NDArray[np.float64]:
    """The probabilities of 0..n m pairs with y_j below x_i when x and y are one sample without ties.

    The largest of all is an x, which is above all y, with probability n / (n + m); otherwise it is a y.
    """
    row = [np.ones(1)] * (m + 1)
    for i in range(1, n + 1):
        above, row = row, [np.ones(1)]
        for j in range(1, m + 1):
            here = np.zeros(i * j + 1)
            here[j:] += above[j] * (i / (i + j))
            here[: i * (j - 1) + 1] += row[j - 1] * (j / (i + j))
            row.append(here)
    return row[m]
