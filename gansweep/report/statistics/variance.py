"""How much of the differences between runs is the configuration, how much the seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gansweep.report.statistics.scores import ALPHA, Estimate, Scores

_MIN_FOR_KURTOSIS = 4  # configurations


@dataclass(frozen=True)
class VarianceSplit:
    """Variances of the log score: between seeds of one configuration, and between configurations.

    share: of the configuration in their sum (the intraclass correlation); NaN where all runs are equal.
    n_configurations, n_runs: those with a score; n_failed: the runs left out because they have none. is_log:
    False if the variances are of the score itself.
    """

    seed: float
    configuration: float
    share: Estimate
    n_configurations: int
    n_runs: int
    n_failed: int
    is_log: bool


def all_positive(scores: Scores) -> bool:
    """Whether every score that is no failure has a logarithm."""
    return bool(np.all(scores > 0))


def variance_split(groups: list[Scores], log: bool = True, alpha: float = ALPHA) -> VarianceSplit | None:
    """One-way random effects of the log score; each group is the runs of one configuration.

    Between seeds the variance is MSW, between configurations (MSB - MSW) / n0, at least 0, with
    n0 = (N - sum of n_i^2 / N) / (a - 1) for a groups of n_i runs, N in all. A failed run has no log score:
    it is left out and counted. Without `log`, and where a score is not above 0, the variances are of the
    score itself. None unless two configurations have two scores each. The interval of the share is that of
    `_share_interval`.

    Source: Searle, Casella, McCulloch, "Variance Components", 1992, chapter 3.

    >>> split = variance_split([np.exp([0.0, 2.0]), np.exp([4.0, 6.0])])
    >>> round(split.seed, 6), round(split.configuration, 6), round(split.share.value, 6)
    (2.0, 7.0, 0.777778)
    """
    good = [finite for group in groups if len(finite := group[np.isfinite(group)])]
    if sum(len(group) > 1 for group in good) < 2:
        return None
    log = log and all(map(all_positive, good))
    values = [np.log(group) for group in good] if log else good
    sizes = np.array([len(group) for group in values])
    means = np.array([_mean(group) for group in values])
    within = np.array([np.square(group - mean).sum() for group, mean in zip(values, means, strict=True)])
    a, n = len(sizes), int(sizes.sum())
    seed = float(within.sum()) / (n - a)
    between = float((sizes * np.square(means - _mean(np.repeat(means, sizes)))).sum()) / (a - 1)
    configuration = max(between - seed, 0.0) / ((n - np.square(sizes).sum() / n) / (a - 1))
    share = _share(seed, float(configuration), sizes, means, alpha)
    n_failed = sum(map(len, groups)) - n
    return VarianceSplit(seed, float(configuration), share, a, n, n_failed, log)


def _mean(values: Scores) -> float:
    """The mean; of equal values it is this value, without an error of rounding."""
    return float(values[0] if np.all(values == values[0]) else values.mean())


def _share(
    seed: float, configuration: float, sizes: NDArray[np.int64], means: Scores, alpha: float
) -> Estimate:
    """The share of the configuration. Where all runs are equal it is undefined, NaN throughout.

    Where the seeds of no configuration differ the normal model would be certain of 1. The low end is then
    the lowest correlation of two seeds that leaves a chance of alpha / 2 to see no difference, if each seed
    either changes nothing or gives a draw as from another configuration.
    """
    if seed == 0 and configuration == 0:
        return Estimate(np.nan, np.nan, np.nan)
    value = configuration / (configuration + seed)
    if seed == 0:
        return Estimate(value, (alpha / 2) ** (2 / int(sizes[sizes > 1].sum())), 1.0)
    low, high = _share_interval(sizes, means, seed, alpha)
    return Estimate(value, min(low, value), max(high, value))


def _share_interval(
    sizes: NDArray[np.int64], means: Scores, seed: float, alpha: float
) -> tuple[float, float]:
    """The interval of the share from the ratio F of the variances of means and of seeds.

    F / (1 + n t), t being the ratio of the variances and n the harmonic mean of the sizes, has an F
    distribution if both are normal: exactly so for equal sizes. The high end leaves alpha / 2 of the chance
    that t = 0 has to give no larger F, so it is above 0 even where the configurations differ less than their
    seeds would have them.

    Source: Thomas and Hultquist, "Interval Estimation for the Unbalanced Case of the One-Way Random Effects
    Model", 1978, for the interval of Searle, "Linear Models", 1971, chapter 9; Read, "Presentation of Search
    Results: the CLs Technique", 2002, for the high end. Deviations: the degrees of freedom between a
    configurations are divided by 1 + g (a - 1) / 2a, g being the excess kurtosis of their means, if positive:
    so the variance of a sample variance depends on it (Box, "Non-Normality and Tests on Variances", 1953).
    """
    a, n = len(sizes), len(sizes) / float((1 / sizes).sum())
    f = n * float(np.square(means - _mean(means)).sum()) / (a - 1) / seed
    between, within = (a - 1) / (1 + _excess_kurtosis(means) * (a - 1) / (2 * a)), int(sizes.sum()) - a
    low = max(0.0, f / float(special.fdtri(between, within, 1 - alpha / 2)) - 1) / n
    chance = float(special.fdtr(between, within, f))
    lower = float(special.fdtri(between, within, alpha / 2 * chance)) if chance else 0.0
    # Near 0 the chance of F is as F to the power of half its degrees of freedom.
    ratio = f / lower if lower else (2 / alpha) ** (2 / between)
    high = (ratio - 1) / n
    return low / (1 + low), high / (1 + high)


def _excess_kurtosis(values: Scores) -> float:
    """G2, unbiased for normal values, if it is positive; 0 for fewer than four values, or equal ones."""
    a, centred = len(values), values - _mean(values)
    spread = float(np.square(centred).mean())
    if a < _MIN_FOR_KURTOSIS or spread == 0:
        return 0.0
    excess = float((centred**4).mean()) / spread**2 - 3
    return max(0.0, (a - 1) / ((a - 2) * (a - 3)) * ((a + 1) * excess + 6))
