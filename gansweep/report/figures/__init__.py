"""The figures of a report; each module draws one kind."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot, Table
from gansweep.report.figures.cost.cost import cost_plot
from gansweep.report.figures.cost.pareto import pareto_plot
from gansweep.report.figures.fresh_seeds.confirmation import confirmation_plot
from gansweep.report.figures.fresh_seeds.effects import effects_plot
from gansweep.report.figures.fresh_seeds.finalists import finalists_plot
from gansweep.report.figures.fresh_seeds.lucic2018 import published_plot
from gansweep.report.figures.fresh_seeds.pairwise import improvement_plot
from gansweep.report.figures.hyperparameters.failure_map import failure_plot
from gansweep.report.figures.hyperparameters.importance import importance_plot
from gansweep.report.figures.hyperparameters.slices import hyperparameter_plot
from gansweep.report.figures.known_data.coverage import coverage_plot
from gansweep.report.figures.known_data.divergences import cross_plot
from gansweep.report.figures.known_data.f1_budget import f1_budget_plot
from gansweep.report.figures.known_data.fits import fits_plot
from gansweep.report.figures.metrics.agreement import agreement_plot
from gansweep.report.figures.metrics.learning import learning_plot
from gansweep.report.figures.metrics.strips import CONDITIONAL, FURTHER, POLYGONS, strips_plot
from gansweep.report.figures.search.budget import budget_plot
from gansweep.report.figures.search.budget_each import budget_each_plot
from gansweep.report.figures.search.distribution import distribution_plot
from gansweep.report.figures.search.halving import halving_plot
from gansweep.report.figures.search.profile import profile_plot
from gansweep.report.figures.search.transfer import transfer_plot
from gansweep.report.figures.search.variance import variance_plot

__all__ = ["Plot", "Table", "plots"]

Draw = Callable[[Comparison, str], Plot | None]


def _polygons(comparison: Comparison, dataset: str) -> Plot | None:
    return strips_plot(comparison, dataset, POLYGONS)


def _conditional(comparison: Comparison, dataset: str) -> Plot | None:
    return strips_plot(comparison, dataset, CONDITIONAL)


def _further(comparison: Comparison, dataset: str) -> Plot | None:
    return strips_plot(comparison, dataset, FURTHER)


# What they show of trials holds for a random sample of them alone, not where the search has pruned some.
OF_ALL_TRIALS: tuple[Callable[..., Plot | None], ...] = (
    *(coverage_plot, fits_plot, cross_plot, _polygons, f1_budget_plot, _conditional, distribution_plot),
    *(hyperparameter_plot, importance_plot, transfer_plot, _further, agreement_plot, learning_plot),
    failure_plot,
)


def plots(comparison: Comparison) -> list[Plot]:
    """All figures of a study in the order of the report, each with the heading of its group."""
    return [
        replace(plot, group=group) for group, drawn in _groups(comparison).items() for plot in drawn if plot
    ]


def _groups(comparison: Comparison) -> dict[str, Iterator[Plot | None]]:
    """What is confirmed comes first, then what the study measures besides FID."""
    return {
        "Fresh seeds" if len(comparison.confirmed) else "Differences": _each(
            comparison, confirmation_plot, effects_plot, improvement_plot, published_plot, finalists_plot
        ),
        "What is known of the data": _each(
            comparison, coverage_plot, fits_plot, cross_plot, _polygons, f1_budget_plot, _conditional
        ),
        "Search": _search(comparison),
        "Hyperparameters": _each(comparison, hyperparameter_plot, importance_plot),
        "Luck and transfer": _all(comparison, variance_plot, transfer_plot),
        "Cost": _cost(comparison),
        "Other metrics": _each(comparison, _further, agreement_plot),
        "Learning": _each(comparison, learning_plot),
        "Failures": _each(comparison, failure_plot),
    }


def _search(comparison: Comparison) -> Iterator[Plot | None]:
    if comparison.is_halved:
        yield from _each(comparison, halving_plot)
    yield budget_plot(comparison)
    if comparison.is_random_search:
        yield from _each(comparison, budget_each_plot)
    yield from _all(comparison, distribution_plot, profile_plot)


def _cost(comparison: Comparison) -> Iterator[Plot | None]:
    if comparison.is_random_search:
        yield from _each(comparison, cost_plot)
        yield pareto_plot(comparison)


def _each(comparison: Comparison, *drawers: Draw) -> Iterator[Plot | None]:
    shown = [draw for draw in drawers if not (comparison.is_halved and draw in OF_ALL_TRIALS)]
    return (draw(comparison, dataset) for dataset in comparison.datasets for draw in shown)


def _all(comparison: Comparison, *drawers: Callable[[Comparison], Plot | None]) -> Iterator[Plot | None]:
    shown = [draw for draw in drawers if not (comparison.is_halved and draw in OF_ALL_TRIALS)]
    return (draw(comparison) for draw in shown)
