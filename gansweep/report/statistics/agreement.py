"""Whether two measures put runs, or variants, in the same order."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, BLOCK, RESAMPLES, Estimate, bound_of_agreement

_Values = NDArray[np.float64]
_Codes = NDArray[np.int64]  # 0, 1, ... for the distinct values in ascending order

_MAX_PAIRED_TRIALS = 1_000  # Kendall's tau compares all pairs with all


def rank_correlation(x: _Values, y: _Values, alpha: float = ALPHA) -> Estimate:
    """Spearman's correlation of n pairs with a percentile-bootstrap interval; ties have their mean rank.

    +inf is the worst rank, so failures count. NaN throughout where x or y is constant. Where all pairs agree
    the bootstrap has no spread; the interval then ends at the bound that follows from that of `kendall`.

    Source: Spearman, "The Proof and Measurement of Association between Two Things", 1904; the bound: Durbin
    and Stuart, "Inversions and Rank Correlation Coefficients", 1951.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, np.inf])).value, 6)
    0.8
    """
    return _estimate(_spearman, _codes(x), _codes(y), lambda t: (max(3 * t, t * t + 2 * t) - 1) / 2, alpha)


def kendall(x: _Values, y: _Values, alpha: float = ALPHA) -> Estimate:
    """Kendall's tau-b of n pairs, which allows for ties, with a percentile-bootstrap interval.

    +inf is the worst rank, so failures count. NaN throughout where x or y is constant. Where all pairs agree
    the bootstrap has no spread; the interval then ends at the exact bound of n / 2 agreements in a row.

    Source: Kendall, "The Treatment of Ties in Ranking Problems", 1945. Deviations: of more than 1,000 pairs
    a fixed random 1,000 are used.

    >>> round(kendall(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, np.inf])).value, 6)
    0.666667
    """
    if len(x) > _MAX_PAIRED_TRIALS:
        chosen = np.random.default_rng(0).choice(len(x), _MAX_PAIRED_TRIALS, replace=False)
        x, y = x[chosen], y[chosen]
    return _estimate(_tau, _codes(x), _codes(y), lambda tau: tau, alpha)


def _estimate(
    statistic: Callable[[_Codes, _Codes, _Values], _Values],
    x: _Codes,
    y: _Codes,
    of_tau: Callable[[float], float],
    alpha: float,
) -> Estimate:
    """A correlation and its interval; `of_tau` gives the least it can be for a given tau."""
    value = float(statistic(x, y, np.ones((1, len(x))))[0])
    if abs(value) > 1 - 1e-9:
        n = min(x.max(), y.max()) + 1
        bound = of_tau(2 * bound_of_agreement(n // 2, alpha) - 1)
        return Estimate(value, bound, value) if value > 0 else Estimate(value, value, -bound)
    if math.isnan(value):
        return Estimate(value, value, value)
    resampled = np.concatenate([statistic(x, y, weights) for weights in _weights(len(x))])
    low, high = np.nanquantile(resampled, [alpha / 2, 1 - alpha / 2])
    return Estimate(value, float(low), float(high))


def _codes(values: _Values) -> _Codes:
    return np.unique(values, return_inverse=True)[1]


def _weights(n: int) -> Iterator[_Values]:
    """How often each of n pairs is drawn in each resample, in blocks: [R, n]."""
    generator = np.random.default_rng(0)
    for block in np.array_split(np.arange(RESAMPLES), math.ceil(RESAMPLES * n / BLOCK)):
        yield generator.multinomial(n, np.full(n, 1 / n), size=len(block)).astype(float)


def _spearman(x: _Codes, y: _Codes, weights: _Values) -> _Values:
    """The correlation of the ranks that pairs have in each weighting [R, n]: [R]; NaN if one is constant."""
    a, b = _ranks(x, weights), _ranks(y, weights)
    a, b = (r - (weights * r).sum(1, keepdims=True) / weights.sum(1, keepdims=True) for r in (a, b))
    product, square_a, square_b = (np.einsum("rn,rn->r", weights, c) for c in (a * b, a * a, b * b))
    with np.errstate(invalid="ignore"):
        return np.asarray(product / np.sqrt(square_a * square_b))


def _ranks(codes: _Codes, weights: _Values) -> _Values:
    """The mean rank of each pair's value in each weighting, up to a constant: [R, n]."""
    order = np.argsort(codes, kind="stable")
    ends = np.append(np.diff(codes[order]) > 0, True)
    up_to = np.cumsum(weights[:, order], axis=1)[:, ends]
    middle = (up_to + np.concatenate([np.zeros((len(weights), 1)), up_to[:, :-1]], axis=1)) / 2
    return np.asarray(middle[:, codes])


def _tau(x: _Codes, y: _Codes, weights: _Values) -> _Values:
    """Tau-b in each weighting [R, n]: [R]; NaN if x or y is constant there."""
    a, b = (np.sign(np.subtract.outer(codes, codes)).astype(float) for codes in (x, y))
    product, square_a, square_b = (
        np.einsum("rn,rn->r", weights @ signs, weights) for signs in (a * b, a * a, b * b)
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(product / np.sqrt(square_a * square_b))
