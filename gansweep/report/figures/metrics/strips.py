"""Metrics besides FID: every trial, the median over trials, and the best trial of each variant."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison, listing
from gansweep.report.figures.base import Cell, Plot, Table, draws, linked, where
from gansweep.report.metrics import median, metric_interval, metric_text, per_trial
from gansweep.report.statistics import quantile
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.results.metrics import METRICS, Metric, Strips, in_strips
from gansweep.results.row import FAILED, slug

_ABOVE, _BELOW = -0.12, 0.26  # of a row: where its dots and its median lie


@dataclass(frozen=True)
class Group:
    """Metrics that answer one question together."""

    name: Strips
    question: str
    headline: str  # of its answer
    at: str  # the metric that chooses among the evaluations of a trial and among trials; "": the last, by FID
    caption: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of its metrics."""
        return in_strips(self.name)


POLYGONS = Group(
    name="polygons",
    question="How much of the manifold of polygons is learned",
    headline="How much of the polygons is learned",
    at="polygon_f1",
    caption="Precision is the share of samples that lie near a polygon, recall the share of test images near "
    "which the generator can draw, F1 their harmonic mean. A trial counts with its evaluation of highest F1.",
)
CONDITIONAL = Group(
    name="conditional",
    question="Do samples match their labels",
    headline="Whether samples match their labels",
    at="fid",
    caption="Intra-class FID is the mean over classes of the FID between samples requested as a class and "
    "its test images; few images of a class raise it for all variants. Accuracy is the share of samples that "
    "a classifier gives the requested label. A trial counts with its evaluation of lowest FID.",
)
FURTHER = Group(
    name="further",
    question="What do other metrics say",
    headline="What other metrics say",
    at="fid",
    caption="A trial counts with its evaluation of lowest FID.",
)


def plot_strip(
    points: pd.DataFrame, name: str, order: list[str], looks: dict[str, Look], ax: Axes | None = None
) -> Axes:
    """Draw one metric of all trials, a row for each variant of `order`; the best trial has a marker.

    points: variant, is_best and the metric; failed trials count in quartiles and have no dot.
    """
    ax = ax or style.new_figure(0.6 + 0.3 * len(order), 3.0).subplots()
    metric = METRICS[name]
    drawn = points[~points["failed"]]
    _set_axis(ax, metric, drawn[name].to_numpy(float))
    for row, variant in enumerate(order):
        mine, look = points[points["variant"] == variant], looks[variant]
        dots = mine.loc[~mine["failed"] & ~mine["is_best"], name].to_numpy(float)
        heights = row + _ABOVE + 0.34 * style.scatter_offsets(len(dots))
        ax.plot(dots, heights, "o", color=look.color, markersize=2.2, alpha=0.6, markeredgewidth=0)
        best = mine.loc[mine["is_best"] & ~mine["failed"], name]
        if len(best):  # what is empty and not clipped has a place outside of the axes
            ax.plot(best, [row + _ABOVE], linestyle="", zorder=7, clip_on=False, **look.marker(5))
        if len(mine):
            _draw_quartiles(ax, row + _BELOW, mine[name].to_numpy(float))
    ax.set_yticks(range(len(order)), [looks[variant].label for variant in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    better = "higher" if metric.higher else "lower"
    ax.set_xlabel(f"{metric.label}{' (log)' if metric.log else ''}\n{better} is better")
    return ax


def _set_axis(ax: Axes, metric: Metric, values: np.ndarray) -> None:
    if metric.share:
        ax.set_xlim(-0.02, 1.02)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    elif metric.log:
        log_axis(ax.xaxis, *log_limits(values, 0.85, 1.15), most=4)
    else:
        ax.locator_params(axis="x", nbins=4)


def _draw_quartiles(ax: Axes, y: float, values: np.ndarray) -> None:
    first, middle, third = (quantile(np.sort(values), p) for p in (0.25, 0.5, 0.75))
    if math.isfinite(third):
        ax.plot([first, third], [y, y], color=style.INK, linewidth=1.2, solid_capstyle="butt", zorder=5)
    elif math.isfinite(first):
        arrow = {"arrowstyle": "-|>", "lw": 1.2, "color": style.INK, "shrinkA": 0, "mutation_scale": 7}
        edge = ax.get_yaxis_transform()
        ax.annotate("", (1, y), (first, y), edge, "data", arrowprops=arrow | {"shrinkB": 0}, zorder=5)
    if math.isfinite(middle):
        ax.plot(middle, y, "|", color=style.INK, markersize=6.5, markeredgewidth=2, zorder=6)


def with_best(table: pd.DataFrame, at: str) -> pd.DataFrame:
    """The trials of `per_trial`, marked where best of a variant (by `at` if there, else FID) or failed."""
    worth = table["score"] if at not in table else table[at] * (-1 if METRICS[at].higher else 1)
    best = table.assign(worth=worth).sort_values(["worth", "trial_number"]).drop_duplicates("variant").index
    return table.assign(is_best=table.index.isin(best), failed=table["outcome"].isin(FAILED))


def metric_table(
    comparison: Comparison, dataset: str, points: pd.DataFrame, names: list[str], order: list[str]
) -> Table:
    """A line per variant: each metric of its best trial, and its median over trials."""
    columns = ["Variant", "Trials"]
    for name in names:
        label = METRICS[name].label
        columns += [f"{label[0].upper()}{label[1:]}, best trial", "median [95 %]"]
    rows = []
    for variant in order:
        mine = points[points["variant"] == variant]
        best = mine[mine["is_best"]].iloc[0]
        cells = [Cell(comparison.label(variant), variant=variant), Cell(str(len(mine)), value=len(mine))]
        for name in names:
            value = float(best[name])
            estimate = median(mine[name], METRICS[name].higher)
            note = metric_interval(name, estimate) if comparison.is_random_search else ""
            cells += [
                Cell(metric_text(name, value), value=value, trials=where(trial_id=str(best["trial_id"]))),
                Cell(metric_text(name, estimate.value), note, estimate.value),
            ]
        rows.append(linked(cells, draws(dataset=dataset, variant=variant)))
    return Table(tuple(columns), tuple(rows))


def order_of(points: pd.DataFrame, name: str) -> list[str]:
    """The variants with trials, the one of best median of a metric first."""
    higher = METRICS[name].higher
    keys = {}
    for variant, mine in points.groupby("variant"):
        best = float(mine.loc[mine["is_best"], name].iloc[0])
        sign = -1 if higher else 1
        keys[str(variant)] = (sign * median(mine[name], higher).value, sign * best, str(variant))
    return sorted(keys, key=keys.__getitem__)


def _strips_figure(
    points: pd.DataFrame, names: list[str], order: list[str], looks: dict[str, Look]
) -> Figure:
    """A panel for each metric, the rows in common."""
    figure = style.new_figure(0.75 + 0.27 * len(order), min(style.WIDTH, 1.4 + 1.9 * len(names)))
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for ax, name in zip(axes, names, strict=True):
        plot_strip(points, name, order, looks, ax)
    return figure


def strips_plot(comparison: Comparison, dataset: str, group: Group) -> Plot | None:
    """The metrics of a group on one data set; None where none of them was measured."""
    names = comparison.measured(dataset, group.metrics)
    if not names:
        return None
    points = with_best(per_trial(comparison, dataset, names, group.at), group.at)
    if points.empty:
        return None
    order = order_of(points, names[0])
    with style.house_style():
        figure = _strips_figure(points, names, order, style.looks(comparison.manifest))
    label = comparison.dataset_label(dataset)
    return Plot(
        name=f"{group.name}-{slug(dataset)}",
        question=f"{group.question} on {label}?",
        headline=f"{group.headline}: {comparison.label(order[0])} is best by {METRICS[names[0]].label}",
        takeaway=takeaway(comparison, points, names),
        caption=f"{group.caption} Dots: the {int((~points['failed']).sum())} trials that did not fail; "
        f"marker: the variant’s trial of {_chosen_by(group)}. Bar and tick: quartiles and median over all "
        f"{len(points)} trials, a failed one counting as worst; an arrow to the edge means that the upper "
        "quartile is a failure.",
        alt=f"Strip plots, a row per variant, of {listing([METRICS[n].label for n in names])} on {label}.",
        figure=figure,
        data=points.drop(columns="score"),
        table=metric_table(comparison, dataset, points, names, order),
    )


def _chosen_by(group: Group) -> str:
    return f"{'highest' if METRICS[group.at].higher else 'lowest'} {METRICS[group.at].label}"


def takeaway(comparison: Comparison, points: pd.DataFrame, names: list[str]) -> str:
    """The best trial by the first metric, and the variant of best median by each."""
    first = names[0]
    higher = METRICS[first].higher
    best = points.sort_values(first, ascending=not higher, kind="stable").iloc[0]
    if best["failed"] or (higher and best[first] == 0):
        label = METRICS[first].label
        return f"No trial has any {label}: it is 0 for all." if higher else "All trials have failed."
    others = [f"{METRICS[name].label} {metric_text(name, best[name])}" for name in names[1:]]
    text = (
        f"The {'highest' if higher else 'lowest'} {METRICS[first].label} of a trial, "
        f"{metric_text(first, best[first])}, is one of {comparison.label(best['variant'])}"
        f"{' with ' + listing(others) if others else ''}."
    )
    if points["variant"].nunique() == 1:
        return text
    wins: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        wins.setdefault(_leaders(points, name), []).append(METRICS[name].label)
    parts = [
        f"{comparison.labels(variants)} {'have' if len(variants) > 1 else 'has'} the best {listing(won)}"
        for variants, won in wins.items()
    ]
    return f"{text} In the median over trials {', '.join(parts)}."


def _leaders(points: pd.DataFrame, name: str) -> tuple[str, ...]:
    """The variants that share the best median of a metric."""
    higher = METRICS[name].higher
    medians = {str(v): median(mine[name], higher).value for v, mine in points.groupby("variant")}
    best = max(medians.values()) if higher else min(medians.values())
    return tuple(variant for variant, value in medians.items() if value == best)
