"""What tuning effort buys: the best of k trials, exactly and distribution-free."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, Estimate, Scores, quantile

_TAIL_SDS = 10.0  # standard deviations from its mean beyond which a binomial count is left out: below 1e-15


def median_best(scores: Scores, k: float, alpha: float = ALPHA) -> Estimate:
    """The median of the best of k fresh trials, with its exact interval of level 1 - alpha.

    The best of k has median F^-1(p) with p = 1 - 2^(-1/k), F being the distribution of one trial. How many
    of the N scores lie below F^-1(p) is binomial(N, p), which gives two order statistics as exact bounds.

    Source: Lourie, Cho, He, "Show Your Work with Confidence", 2023, arXiv:2311.09480, for quantile curves.
    """
    p = 1 - 0.5 ** (1 / k)
    n = len(scores)
    start, masses = _binomial(n, p)
    cdf = np.cumsum(masses)
    first = start + int(np.searchsorted(cdf, alpha / 2))
    last = start + int(np.searchsorted(cdf, 1 - alpha / 2)) + 1
    low = float(scores[first - 1]) if first >= 1 else -math.inf
    high = float(scores[last - 1]) if last <= n else math.inf
    return Estimate(quantile(scores, p), low, high)


def luck_band(scores: Scores, k: float, q: float = 0.1) -> tuple[float, float]:
    """The q- and the (1-q)-quantile of the best of k fresh trials: what one search of k trials may find.

    The p-quantile of the best of k is F^-1(1 - (1-p)^(1/k)). The band says how lucky a search may be, not
    how well N trials determine the curve; that is the interval of `median_best`.

    Source: Lourie, Cho, He, "Show Your Work with Confidence", 2023, arXiv:2311.09480.

    >>> luck_band(np.array([1.0, 2.0, 3.0, np.inf]), 1), luck_band(np.array([1.0, 2.0, 3.0, np.inf]), 2)
    ((1.0, inf), (1.0, 3.0))
    """
    low, high = (quantile(scores, 1 - (1 - p) ** (1 / k)) for p in (q, 1 - q))
    return low, high


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
    # Each weight is at most 1 - k/N times the one before: what is left out weighs less than exp(-45).
    last = min(n - k + 1, math.ceil(45 * n / k))
    i = np.arange(1, last)
    weights = np.cumprod(np.append(k / n, (n - i - k + 1) / (n - i)))
    return float(np.dot(weights, np.minimum(scores[:last], cap)))


def _binomial(n: int, p: float) -> tuple[int, NDArray[np.float64]]:
    """A count of successes and the probabilities of this one and those after it, up to the far tail."""
    reach = _TAIL_SDS * math.sqrt(n * p * (1 - p)) + 4 * _TAIL_SDS
    start, stop = max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach)) + 1
    j, logs = np.arange(start, stop), _log_factorials(n)
    choose = logs[n] - logs[j] - logs[n - j]
    return start, np.exp(choose + j * math.log(p) + (n - j) * math.log1p(-p))


@lru_cache(maxsize=64)
def _log_factorials(n: int) -> NDArray[np.float64]:
    """log 0!, ..., log n!"""
    return np.array([math.lgamma(j + 1) for j in range(n + 1)])
