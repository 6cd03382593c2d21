"""How much of the differences between runs is the configuration, how much the seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gansweep.report.statistics.scores import ALPHA, RESAMPLES, Estimate, Scores, expanded_levels


@dataclass(frozen=True)
class VarianceSplit:
    """Variances of the log score: between seeds of one configuration, and between configurations.

    share: of the configuration in their sum (the intraclass correlation); NaN where all runs are equal.
    n_configurations, n_runs: those with a score; n_failed: the runs left out because they have none.
    """

    seed: float
    configuration: float
    share: Estimate
    n_configurations: int
    n_runs: int
    n_failed: int


def variance_split(groups: list[Scores], alpha: float = ALPHA) -> VarianceSplit | None:
    """One-way random effects of the log score; each group is the runs of one configuration.

    Between seeds the variance is MSW, between configurations (MSB - MSW) / n0, at least 0, with
    n0 = (N - sum of n_i^2 / N) / (a - 1) for a groups of n_i runs, N in all. The interval of the share is the
    bootstrap over configurations, read at `expanded_levels`. A failed run has no log score: it is left out
    and counted. None unless two configurations have two scores each.

    Source: Searle, Casella, McCulloch, "Variance Components", 1992, chapter 3.

    >>> split = variance_split([np.exp([0.0, 2.0]), np.exp([4.0, 6.0])])
    >>> round(split.seed, 6), round(split.configuration, 6), round(split.share.value, 6)
    (2.0, 7.0, 0.777778)
    """
    logs = [np.log(group[np.isfinite(group)]) for group in groups]
    logs = [group for group in logs if len(group)]
    if sum(len(group) > 1 for group in logs) < 2:
        return None
    sizes = np.array([len(group) for group in logs])
    means = np.array([group.mean() for group in logs])
    within = np.array([np.square(group - group.mean()).sum() for group in logs])
    seed, configuration = _components(sizes, means, within)
    value = float(_share(seed, configuration))
    draws = np.random.default_rng(0).integers(0, len(logs), (RESAMPLES, len(logs)))
    resampled = _share(*_components(sizes[draws], means[draws], within[draws]))
    defined = resampled[np.isfinite(resampled)] if np.isfinite(value) else np.array([np.nan])
    low, high = np.quantile(defined, expanded_levels(len(logs), alpha))
    share = Estimate(value, float(low), float(high))
    n_failed = sum(len(group) for group in groups) - int(sizes.sum())
    return VarianceSplit(float(seed), float(configuration), share, len(logs), int(sizes.sum()), n_failed)


def _components(
    sizes: NDArray[np.int64], means: Scores, within: Scores
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The variances between seeds and configurations from each group's size, mean and sum of squares.

    The groups are on the last axis. NaN where no group has two runs.
    """
    a, n = sizes.shape[-1], sizes.sum(-1)
    centre = (sizes * means).sum(-1, keepdims=True) / n[..., None]
    between = (sizes * np.square(means - centre)).sum(-1) / (a - 1)
    with np.errstate(invalid="ignore"):
        seed = within.sum(-1) / (n - a)
    size = (n - np.square(sizes).sum(-1) / n) / (a - 1)
    return seed, np.maximum(between - seed, 0.0) / size


def _share(seed: NDArray[np.float64], configuration: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return configuration / (configuration + seed)
