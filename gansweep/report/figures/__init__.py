"""The figures of a report; each module draws one kind."""

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot, Table
from gansweep.report.figures.budget import budget_plot
from gansweep.report.figures.confirmation import confirmation_plot
from gansweep.report.figures.coverage import coverage_plot
from gansweep.report.figures.distribution import distribution_plot
from gansweep.report.figures.divergences import cross_plot
from gansweep.report.figures.fits import fits_plot
from gansweep.report.figures.hyperparameters import hyperparameter_plot
from gansweep.report.figures.learning import learning_plot
from gansweep.report.figures.strips import CONDITIONAL, FURTHER, POLYGONS, strips_plot

__all__ = ["Plot", "Table", "plots"]


def plots(comparison: Comparison) -> list[Plot]:
    """All figures of a study, in the order of the report: what it measures besides FID comes first."""
    return [
        *[plot for name in comparison.datasets if (plot := confirmation_plot(comparison, name))],
        *[plot for dataset in comparison.datasets for plot in _special(comparison, dataset)],
        budget_plot(comparison),
        distribution_plot(comparison),
        *[plot for name in comparison.datasets if (plot := strips_plot(comparison, name, FURTHER))],
        *[hyperparameter_plot(comparison, dataset) for dataset in comparison.datasets],
        *[learning_plot(comparison, dataset) for dataset in comparison.datasets],
    ]


def _special(comparison: Comparison, dataset: str) -> list[Plot]:
    """The figures of metrics that only some studies have."""
    drawn = (
        coverage_plot(comparison, dataset),
        fits_plot(comparison, dataset),
        cross_plot(comparison, dataset),
        strips_plot(comparison, dataset, POLYGONS),
        strips_plot(comparison, dataset, CONDITIONAL),
    )
    return [plot for plot in drawn if plot]
