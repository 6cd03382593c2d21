"""Statistics of searches whose trials may fail: exact, distribution-free, in numpy.

A score is an FID: lower is better, and a failed trial scores +inf. So medians, quantiles and ranks stay
defined, and no failure is dropped. `scores` are float arrays [N], sorted ascending. The trials must be
independent draws from one search distribution (random search); with any other sampler none of these
intervals holds.
"""

from gansweep.report.statistics.agreement import kendall, rank_correlation
from gansweep.report.statistics.budget import largest_budget, luck_band, mean_best, median_best
from gansweep.report.statistics.comparing import (
    N_PERMUTATIONS,
    Effect,
    effects,
    holm,
    improvement,
    improvement_interval,
    improvement_matrix,
    leading_group,
)
from gansweep.report.statistics.importance import importance
from gansweep.report.statistics.profiles import pareto, profile
from gansweep.report.statistics.ranks import MeanRanks, critical_difference
from gansweep.report.statistics.ratio import hodges_lehmann
from gansweep.report.statistics.scores import ALPHA, RESAMPLES, Estimate, Scores, quantile, wilson
from gansweep.report.statistics.variance import VarianceSplit, variance_split

__all__ = [
    "ALPHA",
    "N_PERMUTATIONS",
    "RESAMPLES",
    "Effect",
    "Estimate",
    "MeanRanks",
    "Scores",
    "VarianceSplit",
    "critical_difference",
    "effects",
    "hodges_lehmann",
    "holm",
    "importance",
    "improvement",
    "improvement_interval",
    "improvement_matrix",
    "kendall",
    "largest_budget",
    "leading_group",
    "luck_band",
    "mean_best",
    "median_best",
    "pareto",
    "profile",
    "quantile",
    "rank_correlation",
    "variance_split",
    "wilson",
]
