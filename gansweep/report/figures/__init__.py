"""The figures of a report. A new figure is a module, and a line of FIGURES."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Literal

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

__all__ = ["FIGURES", "FigureKind", "Plot", "Table", "plots"]

FRESH_SEEDS = "Fresh seeds"
DIFFERENCES = "Differences"  # heading of the group of fresh seeds in a study without them


def _is_halved(comparison: Comparison) -> bool:
    return comparison.is_halved


def _is_random(comparison: Comparison) -> bool:
    return comparison.is_random_search


def _always(comparison: Comparison) -> bool:
    return True


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure.

    draw: makes the figure of a study or, with `per` "dataset", of one of its data sets; None if there is
    nothing to show. group: its heading. needs_all_trials: it is valid for a random sample of
    trials only, so a search that prunes trials has no such figure. when: which studies have it. place: where
    the page shows it; the first of a data set that may is on the first screen, others like it stand open.
    """

    draw: Callable[..., Plot | None]
    group: str
    per: Literal["dataset", "study"] = "dataset"
    needs_all_trials: bool = False
    when: Callable[[Comparison], bool] = _always
    place: Literal["first", "open", "folded"] = "folded"

    def is_shown(self, comparison: Comparison) -> bool:
        """Whether a study has this figure."""
        return self.when(comparison) and not (self.needs_all_trials and comparison.is_halved)


KNOWN, SEARCH, HYPERPARAMETERS = "What is known of the data", "Search", "Hyperparameters"
LUCK, COST, OTHER = "Luck and transfer", "Cost", "Other metrics"
FIGURES = (  # in the order of the report; figures of a group are adjacent
    FigureKind(confirmation_plot, FRESH_SEEDS, place="first"),
    FigureKind(effects_plot, FRESH_SEEDS),
    FigureKind(improvement_plot, FRESH_SEEDS),
    FigureKind(published_plot, FRESH_SEEDS),
    FigureKind(finalists_plot, FRESH_SEEDS),
    FigureKind(coverage_plot, KNOWN, needs_all_trials=True),
    FigureKind(fits_plot, KNOWN, needs_all_trials=True),
    FigureKind(cross_plot, KNOWN, needs_all_trials=True),
    FigureKind(partial(strips_plot, group=POLYGONS), KNOWN, needs_all_trials=True),
    FigureKind(f1_budget_plot, KNOWN, needs_all_trials=True),
    FigureKind(partial(strips_plot, group=CONDITIONAL), KNOWN, needs_all_trials=True),
    FigureKind(halving_plot, SEARCH, when=_is_halved),
    FigureKind(budget_plot, SEARCH, place="first"),
    FigureKind(budget_each_plot, SEARCH, when=_is_random),
    FigureKind(distribution_plot, SEARCH, per="study", needs_all_trials=True, place="open"),
    FigureKind(profile_plot, SEARCH, per="study"),
    FigureKind(hyperparameter_plot, HYPERPARAMETERS, needs_all_trials=True),
    FigureKind(importance_plot, HYPERPARAMETERS, needs_all_trials=True),
    FigureKind(variance_plot, LUCK, per="study"),
    FigureKind(transfer_plot, LUCK, per="study", needs_all_trials=True),
    FigureKind(cost_plot, COST, when=_is_random),
    FigureKind(pareto_plot, COST, per="study", when=_is_random),
    FigureKind(partial(strips_plot, group=FURTHER), OTHER, needs_all_trials=True),
    FigureKind(agreement_plot, OTHER, needs_all_trials=True),
    FigureKind(learning_plot, "Learning", needs_all_trials=True),
    FigureKind(failure_plot, "Failures", needs_all_trials=True),
)


def plots(comparison: Comparison) -> list[Plot]:
    """Returns all figures of a study in the order of the report, each with the heading of its group."""
    shown = [kind for kind in FIGURES if kind.is_shown(comparison)]
    drawn = []
    for (group, per), together in groupby(shown, lambda kind: (kind.group, kind.per)):
        title, kinds = group, list(together)
        if group == FRESH_SEEDS and not len(comparison.confirmed):
            title = DIFFERENCES
        found = _of_study(comparison, kinds) if per == "study" else _of_each_dataset(comparison, kinds)
        drawn += [replace(plot, group=title) for plot in found]
    placed = list(_one_first(drawn))
    if len(comparison.datasets) == 1 and all(plot.place != "first" for plot in placed):
        return [_leading(plot, comparison.datasets[0]) for plot in placed]
    return placed


def _leading(plot: Plot, dataset: str) -> Plot:
    """A figure that stands open, on the first screen, where no other does."""
    return replace(plot, place="first", dataset=dataset) if plot.place == "open" else plot


def _of_study(comparison: Comparison, kinds: list[FigureKind]) -> Iterator[Plot]:
    for kind in kinds:
        if plot := kind.draw(comparison):
            yield replace(plot, place=kind.place)


def _of_each_dataset(comparison: Comparison, kinds: list[FigureKind]) -> Iterator[Plot]:
    for dataset in comparison.datasets:
        for kind in kinds:
            if plot := kind.draw(comparison, dataset):
                yield replace(plot, dataset=dataset, place=kind.place)


def _one_first(drawn: list[Plot]) -> Iterator[Plot]:
    """The figures, with one of each data set on the first screen; one without a drawing is folded."""
    seen = set()
    for plot in drawn:
        if plot.figure is None:
            yield replace(plot, place="folded")
        elif plot.place == "first" and plot.dataset in seen:
            yield replace(plot, place="open")
        else:
            seen |= {plot.dataset} if plot.place == "first" else set()
            yield plot
