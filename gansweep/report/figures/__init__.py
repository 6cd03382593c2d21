"""The figures of a report; each module draws one kind."""

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.budget import budget_plot
from gansweep.report.figures.distribution import distribution_plot
from gansweep.report.figures.hyperparameters import hyperparameter_plot
from gansweep.report.figures.learning import learning_plot

__all__ = ["Plot", "plots"]


def plots(comparison: Comparison) -> list[Plot]:
    """All figures of a study, in the order of the report."""
    return [
        budget_plot(comparison),
        distribution_plot(comparison),
        *[hyperparameter_plot(comparison, dataset) for dataset in comparison.datasets],
        *[learning_plot(comparison, dataset) for dataset in comparison.datasets],
    ]
