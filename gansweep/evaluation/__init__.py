"""Scores of generators: settings are imported here, torch-fidelity only by the modules that make scores."""

from gansweep.evaluation.requirements import check_metrics
from gansweep.evaluation.settings import EXTRACTORS, Evaluation, Extractor, Manifold
from gansweep.results.metrics import METRICS, Metric

__all__ = ["EXTRACTORS", "METRICS", "Evaluation", "Extractor", "Manifold", "Metric", "check_metrics"]
