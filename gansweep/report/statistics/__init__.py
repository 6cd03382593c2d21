"""Statistics of searches whose trials may fail: exact where they can be, in numpy.

A score is an FID: lower is better, and a failed trial scores +inf. So medians, quantiles and ranks stay
defined, and no failure is dropped. `scores` are float arrays [N], sorted ascending. The trials must be
independent draws from one search distribution (random search); with any other sampler none of these
intervals holds.
"""

from gansweep.report.statistics.agreement import kendall, rank_correlation
from gansweep.report.statistics.budget import largest_budget, luck_band, mean_best, median_best
from gansweep.report.statistics.comparing import (
    Effect,
    holm,
    improvement,
    improvement_interval,
)
from gansweep.report.statistics.importance import importance
from gansweep.report.statistics.pairs import Pairs, compare_pairs
from gansweep.report.statistics.profiles import mean_of_shares, pareto, profile
from gansweep.report.statistics.ranks import MeanRanks, critical_difference
from gansweep.report.statistics.ratio import hodges_lehmann
from gansweep.report.statistics.scores import ALPHA, RESAMPLES, Estimate, Scores, quantile, times, wilson
from gansweep.report.statistics.variance import VarianceSplit, all_positive, variance_split

__all__ = [
    "ALPHA",
    "RESAMPLES",
    "Effect",
    "Estimate",
    "MeanRanks",
    "Pairs",
    "Scores",
    "VarianceSplit",
    "all_positive",
    "compare_pairs",
    "critical_difference",
    "hodges_lehmann",
    "holm",
    "importance",
    "improvement",
    "improvement_interval",
    "kendall",
    "largest_budget",
    "luck_band",
    "mean_best",
    "mean_of_shares",
    "median_best",
    "pareto",
    "profile",
    "quantile",
    "rank_correlation",
    "times",
    "variance_split",
    "wilson",
]
