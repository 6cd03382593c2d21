"""A panel for each variant: how well its budget curve is known, and how lucky one search may be.

The two bands answer different questions and are drawn differently: the interval of the median shrinks with
the number of trials that were run, the luck of a single search of k does not.
"""

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.search.budget import budgets, limits, refusal, thinning
from gansweep.report.metrics import metric_interval, metric_text
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.panels import small_panels
from gansweep.report.style.style import Look
from gansweep.results.row import slug

_LUCK_SHARE = 0.1  # of searches that are luckier than the band, and of searches that are unluckier
_DASHED, _DOTTED = (0, (4, 1.6)), (0, (1, 1.3))


def budget_each_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The curves of one data set for 1 <= k <= k_max: variant, n, k, median with its 95 % interval low and
    high, the quantiles luck_low and luck_high of what one search finds, and the unbiased mean.

    For the mean, an FID above the collapse threshold, or a failure, counts as that threshold.
    """
    cap, lines = comparison.manifest.collapse_above[dataset], []
    for variant, scores in comparison.started(dataset).items():
        for k in budgets(len(scores)):
            if k > statistics.largest_budget(len(scores)):
                break
            median, luck = statistics.median_best(scores, k), statistics.luck_band(scores, k, _LUCK_SHARE)
            lines.append(
                {"variant": variant, "n": len(scores), "k": k, "median": median.value}
                | {"low": median.low, "high": median.high, "luck_low": luck[0], "luck_high": luck[1]}
                | {"mean": statistics.mean_best(scores, int(k), cap) if k == int(k) else math.nan}
            )
    columns = ["variant", "n", "k", "median", "low", "high", "luck_low", "luck_high", "mean"]
    return pd.DataFrame(lines, columns=columns)


def plot_budget_each(
    curve: pd.DataFrame, leader: pd.DataFrame, look: Look, top: float, ax: Axes | None = None
) -> Axes:
    """Draw the curve of one variant, and that of the leader in grey; top: the upper end of the axis."""
    ax = ax or style.new_figure(2.0, 2.4).subplots()
    above = 10 * top  # where a band goes that has no upper bound
    ax.plot(leader["k"], leader["median"], color=style.COLLAPSED, linewidth=1.1, zorder=2)
    ax.fill_between(
        curve["k"], curve["low"], curve["high"].clip(upper=above), color=look.color, alpha=0.2, linewidth=0
    )
    for name in ("luck_low", "luck_high"):
        ax.plot(curve["k"], curve[name].clip(upper=above), color=look.color, linewidth=0.8, linestyle=_DASHED)
    marked: dict[str, Any] = look.marker(3.5) if len(curve) == 1 else {}
    ax.plot(
        curve["k"], curve["median"].clip(upper=above), color=look.color, linewidth=1.7, zorder=4, **marked
    )
    if not np.isfinite(curve["median"]).any():
        ax.text(0.5, 0.5, "most searches\nfail", transform=ax.transAxes, color=style.MUTE, ha="center")
    mean = curve.dropna(subset=["mean"])
    ax.plot(mean["k"], mean["mean"], color=style.INK, linewidth=1.1, linestyle=_DOTTED, zorder=5)
    ax.set_title(look.label, fontsize=8, pad=3)
    ax.grid(True, axis="y")
    return ax


def _budget_each_figure(comparison: Comparison, dataset: str, curves: pd.DataFrame) -> Figure:
    """A panel per variant in the order of the ranking, all with the same axes."""
    order = [name for name in comparison.ranked(dataset) if (curves["variant"] == name).any()]
    looks, is_narrow = style.looks(comparison.manifest), len(order) <= 2  # the legend has more lines then
    panels = small_panels(len(order), height=1.4, margin=1.1 if is_narrow else 0.75, narrow_margin=1.2)
    low, high = limits(curves.assign(low=curves["luck_low"]))
    log_axis(panels.axes[0].yaxis, low, high, most=6)
    log_axis(panels.axes[0].xaxis, 0.95, max(1.6, 1.05 * float(curves["k"].max())), most=5)
    leader = curves[curves["variant"] == order[0]]
    for ax, variant in zip(panels.axes, order, strict=True):
        other = leader.iloc[:0] if variant == order[0] else leader
        plot_budget_each(curves[curves["variant"] == variant], other, looks[variant], high, ax)
    panels.label("budget k (log)", "best FID (log)")
    cap = metric_text("fid", comparison.manifest.collapse_above[dataset])
    _add_legend(panels.figure, looks[order[0]].label if len(order) > 1 else "", cap, panels.n_columns)
    return panels.figure


def _add_legend(figure: Figure, leader: str, cap: str, columns: int) -> None:
    entries = [
        style.legend_entry("median best of k", color=style.MUTE, linewidth=1.7),
        Patch(label="95 % interval of the median", color=style.FAINT, linewidth=0),
        style.legend_entry(
            "what one search of k trials may find: 10 % and 90 %",
            color=style.MUTE,
            linewidth=0.8,
            linestyle=_DASHED,
        ),
        style.legend_entry(
            f"mean best of k, FID capped at {cap}", color=style.INK, linewidth=1.1, linestyle=_DOTTED
        ),
    ]
    if leader:
        entries.append(
            style.legend_entry(f"median of {leader}, for reference", color=style.COLLAPSED, linewidth=1.1)
        )
    figure.legend(handles=entries, loc="outside lower center", ncol=min(3, columns), fontsize=6.6)


def budget_each_plot(comparison: Comparison, dataset: str) -> Plot:
    """The curves of one data set; without a figure where no interval holds or none is bounded."""
    curves = budget_each_data(comparison, dataset)
    valid = comparison.is_random_search and not curves.empty
    drawn = valid and float(curves["k"].max()) >= 3  # below, a curve is little more than a point
    with style.house_style():
        figure = _budget_each_figure(comparison, dataset, curves) if drawn else None
    label, cap = comparison.dataset_label(dataset), comparison.manifest.collapse_above[dataset]
    return Plot(
        name=f"budget-each-{slug(dataset)}",
        question=f"How sure is the budget curve on {label}, and how much is luck?",
        headline=_headline(comparison, dataset) if valid else "How much is luck: no curve",
        takeaway=_takeaway(comparison, dataset) if valid else refusal(comparison, _needed(comparison, label)),
        caption="Filled band: the exact 95 % interval of the median best of k, the uncertainty of the curve; "
        "more trials make it narrower. Dashed: these lines enclose the best FID of 8 of 10 searches of k "
        f"{comparison.unit}s, estimated from all trials; more trials do not bring them together, a "
        f"larger k does. Dotted: the unbiased mean, failures and FIDs above {metric_text('fid', cap)} "
        "counting as that, from which a trial has collapsed. Each curve ends at its largest k with a "
        f"bounded interval, N/5.3 of {_sizes(curves)} {comparison.unit}s.{thinning(curves)}",
        alt=f"Line charts, one panel per variant: median, mean and spread of the best FID on {label} against "
        f"the number of {comparison.unit}s tried.",
        figure=figure,
        data=curves if drawn else curves.iloc[:0],
    )


def _headline(comparison: Comparison, dataset: str) -> str:
    first, k = comparison.ranked(dataset)[0], comparison.budget(dataset)
    low, high = statistics.luck_band(comparison.scores[dataset, first], k, _LUCK_SHARE)
    if math.isinf(low):
        return f"How much is luck: most searches of {comparison.label(first)} fail"
    ends = metric_text("fid", low), metric_text("fid", high) if math.isfinite(high) else "a failure"
    return f"How much is luck: a search of {k} finds {ends[0]} to {ends[1]} with {comparison.label(first)}"


def _needed(comparison: Comparison, label: str) -> str:
    smallest = math.ceil(1 / statistics.largest_budget(1))
    drawn = f"{smallest} finished {comparison.unit}s"
    return f"{drawn} of a variant on {label}, besides the default, for an interval"


def _sizes(curves: pd.DataFrame) -> str:
    sizes = sorted(set(curves["n"]))
    return " to ".join(str(size) for size in sizes[:: len(sizes) - 1 or 1]) or "N"


def _takeaway(comparison: Comparison, dataset: str) -> str:
    """The luck of the leader's search at the common budget, and the variants that may be better."""
    ranking, k = comparison.ranked(dataset), comparison.budget(dataset)
    first, text = ranking[0], partial(metric_text, "fid")
    low, high = statistics.luck_band(comparison.scores[dataset, first], k, _LUCK_SHARE)
    what = f"A search of {k} {comparison.unit}s" if k > 1 else f"A single {comparison.unit}"
    if math.isinf(low):
        return f"{what} of {comparison.label(first)}, the leader, fails in 9 of 10 cases or more."
    upper = text(high) if math.isfinite(high) else "a failure"
    found = f"{what} of {comparison.label(first)} finds an FID from {text(low)} to {upper} in 8 of 10 cases"
    median = comparison.at_budget[dataset, first]
    known = f"its median is known to lie in {metric_interval('fid', median)} (95 %)"
    hidden = [name for name in ranking[1:] if _median(comparison, dataset, name) <= high]
    if len(comparison.started(dataset)) == 1:
        return f"{found}; {known}."
    if not hidden:
        return f"{found}; {known}. Even an unlucky one beats the median of every other variant."
    return f"{found}; {known}. An unlucky one does no better than the median of {comparison.labels(hidden)}."


def _median(comparison: Comparison, dataset: str, variant: str) -> float:
    known = (dataset, variant) in comparison.at_budget
    return comparison.at_budget[dataset, variant].value if known else np.nan
