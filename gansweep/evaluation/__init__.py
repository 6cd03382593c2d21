"""Scores of generators: settings are imported here, torch-fidelity only by the modules that make scores."""

from gansweep.evaluation.settings import EXTRACTORS, METRICS, Evaluation, Extractor

__all__ = ["EXTRACTORS", "METRICS", "Evaluation", "Extractor"]
