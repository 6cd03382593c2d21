"""Scores of generators. This module imports settings only, no torch; the modules that compute scores do."""

from gansweep.evaluation.requirements import check_metrics
from gansweep.evaluation.settings import EXTRACTORS, Evaluation, Extractor, Manifold
from gansweep.results.metrics import METRICS, Metric

__all__ = ["EXTRACTORS", "METRICS", "Evaluation", "Extractor", "Manifold", "Metric", "check_metrics"]
