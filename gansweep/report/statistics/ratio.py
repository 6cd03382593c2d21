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
    ends are 0 and +inf where so few runs give no bound. A score below 0 counts as 0: it is an estimate of
    what cannot be negative. A score of 0 is to the others what a success is to a failure: it has ratio 0 to a
    higher one, a higher one and a failure have +inf to it, a success has 0 to a failure. Two of 0, and two
    failures, are a tie at every r, as in the test: half of such pairs count on either side. The ratio is 1
    where all pairs are ties, and where as many pairs have ratio 0 as have +inf and none lies between.

    Source: Hodges and Lehmann, "Estimates of Location Based on Rank Tests", 1963; the test is that of Mann
    and Whitney, 1947. Deviations: above 10,000 pairs the null distribution is the normal approximation.

    >>> hodges_lehmann(np.array([1.0, 2.0, np.inf]), np.array([2.0, 4.0, 8.0]))
    Estimate(value=0.5, low=0.0, high=inf)
    >>> hodges_lehmann(np.array([0.0, 1.0]), np.array([1.0, 2.0])).value
    0.0
    """
    zeros_x, logs_x, fails_x = _kinds(x)
    zeros_y, logs_y, fails_y = _kinds(y)
    n_below = zeros_x * (len(y) - zeros_y) + len(logs_x) * fails_y  # pairs of ratio 0
    n_above = zeros_y * (len(x) - zeros_x) + len(logs_y) * fails_x  # pairs of ratio +inf
    n = n_below + len(logs_x) * len(logs_y) + n_above
    ties = len(x) * len(y) - n

    def ratio(rank: int) -> float:
        """The rank-th smallest of the n ratios, from 1."""
        if rank <= n_below:
            return 0.0
        return math.inf if rank > n - n_above else math.exp(_difference(logs_x, logs_y, rank - n_below))

    below, above = (ratio((n + 1) // 2), ratio(n // 2 + 1)) if n else (1.0, 1.0)
    middle = 1.0 if below == 0 and above == math.inf else math.sqrt(below * above)
    rank = _critical(len(x), len(y), alpha) - math.ceil(ties / 2)
    return Estimate(middle, *((ratio(rank), ratio(n + 1 - rank)) if rank >= 1 else (0.0, math.inf)))


def _kinds(scores: Scores) -> tuple[int, Scores, int]:
    """The number of scores of at most 0, the logs of those above, and the number of failures."""
    good = scores[np.isfinite(scores)]
    return int(np.sum(good <= 0)), np.log(good[good > 0]), len(scores) - len(good)


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
