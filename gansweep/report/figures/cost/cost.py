"""The budget curve against its cost: time, steps of the discriminator, images.

The number of trials is not a measure of cost: five steps of D for each step of G, or a penalty, cost more.
"""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.costs import COUNTS, PRICES, TIMES, device, equal_cost, trial_costs, unit
from gansweep.report.figures.base import Cell, Plot, Table, draws, linked
from gansweep.report.figures.search.budget import MAX_BANDS, budgets, highlighted, limits, refusal, thinning
from gansweep.report.metrics import metric_interval, metric_text
from gansweep.report.style import labels, style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.style import Look
from gansweep.results.row import slug
from gansweep.results.status.words import duration

_MARKED_BUDGETS = (1, 10, 100, 1000)  # trials


def cost_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The curves: variant, n, k, expected seconds, steps and images of k trials, median best FID with its
    interval while k <= k_max; only of variants that have succeeded at all."""
    costs, lines = trial_costs(comparison, dataset), []
    for variant, scores in comparison.started(dataset).items():
        if math.isinf(scores[0]):
            continue  # without a success there is no curve, and the cost may be 0
        for k in budgets(len(scores)):
            estimate = statistics.median_best(scores, k)
            bounded = k <= statistics.largest_budget(len(scores))
            lines.append(
                {"variant": variant, "n": len(scores), "k": k}
                | {price: k * float(costs[price][variant]) for price in PRICES}
                | {"median": estimate.value, "low": estimate.low if bounded else math.nan}
                | {"high": estimate.high if bounded else math.nan}
            )
    return pd.DataFrame(lines, columns=["variant", "n", "k", *PRICES, "median", "low", "high"])


def plot_cost(
    curves: pd.DataFrame, price: str, looks: dict[str, Look], name: str, ax: Axes | None = None
) -> Axes:
    """Draw the curves of one data set against a price called `name`; grey those without a look."""
    ax = ax or style.new_figure(3.1, 3.0).subplots()
    low, high = limits(curves)
    log_axis(ax.yaxis, low, high)
    units = TIMES if price == "seconds" else COUNTS
    chosen = unit(float(curves[price].median()), units)
    spent = curves[price] / units[chosen]
    log_axis(ax.xaxis, 0.9 * float(spent.min()), 1.1 * float(spent.max()), most=4)
    ax.set_xlabel(f"{name}{', ' if chosen else ''}{chosen} (log)")
    ax.grid(True, axis="y")
    for variant, curve in curves.assign(spent=spent).groupby("variant"):
        look = looks.get(str(variant))
        if look is None:
            ax.plot(curve["spent"], curve["median"], color=style.FAINT, linewidth=0.8, zorder=1)
            continue
        bounded, beyond = _split(curve)
        if str(variant) in list(looks)[:MAX_BANDS]:
            top = bounded["high"].clip(upper=10 * high)
            ax.fill_between(bounded["spent"], bounded["low"], top, color=look.color, alpha=0.13, linewidth=0)
        line: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
        ax.plot(bounded["spent"], bounded["median"], linewidth=1.6, zorder=4, **line)
        ax.plot(beyond["spent"], beyond["median"], linewidth=0.8, zorder=3, **line)
        marked = curve[curve["k"].isin(_MARKED_BUDGETS)]
        ax.plot(marked["spent"], marked["median"], linestyle="", zorder=5, **look.marker(3.8))
    return ax


def _split(curve: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The part of a curve with an interval and the part beyond it, with the point between them in both."""
    bounded = curve[curve["low"].notna()]
    return bounded, curve.iloc[max(0, len(bounded) - 1) :]


def _cost_figure(comparison: Comparison, dataset: str, curves: pd.DataFrame) -> Figure:
    """Panels for time and steps, with the names of the curves at the right; images go with steps."""
    looks = highlighted(comparison, comparison.ranked(dataset))
    figure = style.new_figure(2.8)
    axes = figure.subplots(1, 2, sharey=True)
    plot_cost(curves, "seconds", looks, f"{device(comparison)} time", axes[0])
    plot_cost(curves, "steps", looks, "steps of D", axes[1])
    axes[0].set_ylabel("median best FID\n(log; lower is better)")
    size = COUNTS[unit(float(curves["steps"].median()), COUNTS)]
    ends = curves[curves["variant"].isin(list(looks))].groupby("variant").tail(1)
    places = zip(ends["variant"], ends["steps"] / size, ends["median"], strict=True)
    labels.end_labels(axes[-1], [(looks[str(name)], float(x), float(y)) for name, x, y in places])
    return figure


def cost_plot(comparison: Comparison, dataset: str) -> Plot:
    """The budget curves of one data set against their cost; without a figure for dependent trials."""
    curves = cost_data(comparison, dataset)
    drawn = comparison.is_random_search and not curves.empty and int(curves["n"].max()) > 1
    label = comparison.dataset_label(dataset)
    with style.house_style():
        figure = _cost_figure(comparison, dataset, curves) if drawn else None
    needed = f"two finished {comparison.unit}s of a variant on {label}, besides the default"
    return Plot(
        name=f"cost-{slug(dataset)}",
        question=f"What does a good FID cost on {label}?",
        headline=_headline(comparison, dataset) if drawn else "What a good FID costs: no curve",
        takeaway=_takeaway(comparison, dataset) if drawn else refusal(comparison, needed),
        caption=f"Median of the lowest FID among k random {comparison.unit}s, against their cost: k "
        f"times the mean cost of a {_unit(comparison)}, including failed ones, which end early. "
        "Time is training and evaluation; trials of one pack share its time, packs on a GPU that of the GPU. "
        "Markers: k = 1, 10, 100 and 1000. Band: the exact 95 % interval of the leader; beyond k = "
        "N/5.3 lines are thin, because N trials cannot bound them from below."
        f"{thinning(curves)}",
        alt=f"Line charts: median best FID on {label} against time and discriminator steps.",
        figure=figure,
        data=curves if drawn else curves.iloc[:0],
        table=_table(comparison, dataset) if drawn else None,
    )


def _headline(comparison: Comparison, dataset: str) -> str:
    _, medians = equal_cost(comparison, dataset)
    if not medians:
        return "What a good FID costs"
    return f"What a good FID costs: {comparison.label(next(iter(medians)))} is best for equal time"


def _table(comparison: Comparison, dataset: str) -> Table:
    """A line per variant: the cost of a trial, and the trials that equal time allows."""
    costs = trial_costs(comparison, dataset)
    spent, medians = equal_cost(comparison, dataset)
    columns = ["Variant", f"{device(comparison)} seconds of a {_unit(comparison)}", "Steps of D", "Images"]
    bought = f"{_unit(comparison).capitalize()}s for {duration(spent)}"
    columns += [bought, "Their median best FID [95 %]"] if medians else []
    rows = []
    for variant in (name for name in comparison.ranked(dataset) if name in costs.index):
        prices = [float(costs[price][variant]) for price in PRICES]
        cells = [Cell(comparison.label(variant), variant=variant)]
        cells += [Cell(f"{v:,.0f}" if v >= 100 else f"{v:.3g}", value=v) for v in prices]
        if variant in medians:
            estimate = medians[variant]
            note = metric_interval("fid", estimate)
            cells += [Cell(f"{spent / prices[0]:.1f}", value=spent / prices[0])]
            cells += [Cell(metric_text("fid", estimate.value), note, estimate.value)]
        elif medians:
            cells += [Cell("–", value=math.inf)] * 2
        rows.append(linked(cells, draws(dataset=dataset, variant=variant)))
    return Table(tuple(columns), tuple(rows))


def _unit(comparison: Comparison) -> str:
    return comparison.unit if comparison.is_halved else "trial"


def _takeaway(comparison: Comparison, dataset: str) -> str:
    costs, kind = trial_costs(comparison, dataset)["seconds"], f"{device(comparison)} time"
    low, high = float(costs.min()), float(costs.max())
    text = f"A {_unit(comparison)} takes {duration(high)} of {kind} on average"
    if low < high:
        cheap, dear = (f"({comparison.label(str(name))})" for name in (costs.idxmin(), costs.idxmax()))
        times = f"from {duration(low)} {cheap} to {duration(high)} {dear}"
        text = f"A {_unit(comparison)} takes {times} of {kind}"
    spent, medians = equal_cost(comparison, dataset)
    if len(medians) < 2:
        return f"{text}."
    first, by_trials = next(iter(medians)), comparison.ranked(dataset)[0]
    agreed = "as" if first == by_trials else f"while {comparison.label(by_trials)} has it"
    return (
        f"{text}. For {duration(spent)} of it {comparison.label(first)} has the lowest median best FID, "
        f"{metric_text('fid', medians[first].value)}, {agreed} for an equal number of {_unit(comparison)}s."
    )
