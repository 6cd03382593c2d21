"""The distribution of FID over all configurations: how sensitive is each variant, and how often does it fail?

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, the wide search with its stars;
failures are added here.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import DEFAULT_MARKER, Plot, Value
from gansweep.report.figures.search.failures import FAILURE_LOOKS, failures_among, plot_failures
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import Outcome

_ABOVE, BELOW = -0.13, 0.27  # of a row: where its dots and its interval lie


def distribution_data(comparison: Comparison) -> pd.DataFrame:
    """One line per finished trial: its score (+inf: failed), its outcome, and whether it is the default."""
    finished = pd.concat([comparison.finished, comparison.defaults])
    columns = ["dataset", "variant", "trial_id", "is_default", "outcome", "score"]
    return finished.sort_values(["dataset", "variant", "trial_number"])[columns].reset_index(drop=True)


def plot_distribution(
    points: pd.DataFrame, order: list[str], looks: dict[str, Look], ax: Axes | None = None
) -> Axes:
    """Draw the scores of one data set, a row for each variant of `order`."""
    ax = ax or style.new_figure(0.6 + 0.3 * len(order), 4.0).subplots()
    low, high = log_limits(points["score"], 0.88, 1.04)
    gutter = high * (high / low) ** 0.07
    edge = high * (high / low) ** 0.14 if np.isinf(points["score"]).any() else high
    log_axis(ax.xaxis, low, edge, most=6, last=high)
    if edge > high:  # a lane for failures
        ax.axvspan(high, edge, color=style.BAND, linewidth=0, zorder=0)
        said: dict[str, Any] = {"fontsize": 6.5, "color": style.MUTE, "ha": "center"}
        ax.text(gutter, 1.005, "fail", transform=ax.get_xaxis_transform(), **said)
    for row, variant in enumerate(order):
        mine = points[points["variant"] == variant]
        with style.of_variant(ax, variant):
            _draw_row(ax, row, mine, looks[variant], gutter)
    ax.set_yticks(range(len(order)), [looks[variant].label for variant in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    return ax


def _draw_row(ax: Axes, row: int, points: pd.DataFrame, look: Look, gutter: float) -> None:
    scores = points.loc[~points["is_default"], "score"].to_numpy(float)
    if len(scores):
        finite = scores[np.isfinite(scores)]
        heights = row + _ABOVE + 0.34 * style.scatter_offsets(len(finite))
        ax.plot(finite, heights, "o", color=look.color, markersize=3.2, alpha=0.6, markeredgewidth=0)
        _draw_quartiles(ax, row + BELOW, np.sort(scores), gutter)
    else:
        ax.text(
            0.02,
            row,
            "no finished trial",
            transform=ax.get_yaxis_transform(),
            color=style.MUTE,
            fontsize=6.5,
            va="center",
        )
    if len(scores) and np.isfinite(scores.min()):
        edges: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 0.5}
        ax.plot(scores.min(), row + _ABOVE, "<", color=look.color, markersize=4.4, zorder=7, **edges)
    for score in points.loc[points["is_default"], "score"]:
        x = score if math.isfinite(score) else gutter
        ax.plot(x, row + _ABOVE, **DEFAULT_MARKER, zorder=8)


def row_values(points: pd.DataFrame, order: list[str], looks: dict[str, Look], ax: Axes) -> Iterator[Value]:
    """The median and the lowest FID of each row that `plot_distribution` draws."""
    for row, variant in enumerate(order):
        mine = points[(points["variant"] == variant) & ~points["is_default"]]
        scores = np.sort(mine["score"].to_numpy(float))
        for what, y, score in (
            ("best", row + _ABOVE, scores[0] if len(scores) else math.inf),
            ("median", row + BELOW, statistics.quantile(scores, 0.5) if len(scores) else math.inf),
        ):
            if math.isfinite(score):
                yield Value(ax, float(score), y, f"{looks[variant].label}: {what} {fid_text(score)}", variant)


def _draw_quartiles(ax: Axes, y: float, scores: statistics.Scores, gutter: float) -> None:
    first, middle, third = (statistics.quantile(scores, p) for p in (0.25, 0.5, 0.75))
    start = first if math.isfinite(first) else gutter
    if math.isfinite(third):
        ax.plot([first, third], [y, y], color=style.INK, linewidth=1.2, solid_capstyle="butt", zorder=5)
    elif math.isfinite(first):
        arrow = {
            "arrowstyle": "-|>",
            "lw": 1.2,
            "color": style.INK,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 7,
        }
        ax.annotate("", xy=(gutter, y), xytext=(start, y), arrowprops=arrow, zorder=5)
    middle = middle if math.isfinite(middle) else gutter
    ax.plot(middle, y, "|", color=style.INK, markersize=6.5, markeredgewidth=2, zorder=6)


def _distribution_figure(comparison: Comparison, points: pd.DataFrame) -> tuple[Figure, list[Value]]:
    """Two panels per data set, two data sets side by side; the rows have one order for all."""
    values: list[Value] = []
    order = overall_order(comparison)
    looks = style.looks(comparison.manifest)
    columns = min(2, len(comparison.datasets))
    rows = math.ceil(len(comparison.datasets) / columns)
    height = (0.55 + 0.27 * len(order)) * rows + 0.3
    figure = style.new_figure(height, style.WIDTH if columns == 2 else 5.2)
    grid = figure.subplots(rows, 2 * columns, squeeze=False, sharey=True, width_ratios=[3, 0.85] * columns)
    for index in range(rows * columns):
        left, right = grid[index // columns, 2 * (index % columns) : 2 * (index % columns) + 2]
        if index >= len(comparison.datasets):
            left.set_axis_off()
            right.set_axis_off()
            continue
        dataset = comparison.datasets[index]
        here = points[points["dataset"] == dataset]
        plot_distribution(here, order, looks, left)
        plot_failures(here, order, right)
        values += row_values(here, order, looks, left)
        left.set(title=comparison.dataset_label(dataset), xlabel="FID (log; lower is better)")
        right.set_xlabel("bad trials, %")
    add_legend(figure, 7 if columns == 2 else 4, points, bars=failures_among(points["outcome"]))
    return figure, values


def overall_order(comparison: Comparison) -> list[str]:
    """The variants by their mean rank over the data sets, the best first."""
    ranks = [comparison.ranked(dataset) for dataset in comparison.datasets]
    return sorted(comparison.variants, key=lambda name: (sum(rank.index(name) for rank in ranks), name))


def add_legend(
    figure: Figure,
    columns: int,
    points: pd.DataFrame,
    dot_means: str = "one trial",
    star_means: str = "default",
    interval: str = "",
    bars: Iterable[str] = (),
) -> None:
    """A legend of what there is in these trials. interval: what a thin line is, bars: the
    keys of FAILURE_LOOKS, if there are any."""
    dot: dict[str, Any] = {"linestyle": "", "color": style.COLLAPSED}
    entries = [
        style.legend_entry(dot_means, marker="o", markersize=3, **dot),
        style.legend_entry(
            "median, quartiles (arrow: a failure)",
            marker="|",
            markersize=8,
            markeredgewidth=2,
            color=style.INK,
        ),
        style.legend_entry(
            "best", marker="<", markersize=4.5, markeredgecolor=style.INK, markeredgewidth=0.5, **dot
        ),
        *([style.legend_entry(star_means, **DEFAULT_MARKER)] if points["is_default"].any() else []),
        *([style.legend_entry(interval, color=style.INK, linewidth=0.7)] if interval else []),
        *[Patch(label=name, edgecolor=style.DIVERGED, linewidth=0.5, **FAILURE_LOOKS[name]) for name in bars],
    ]
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncol=columns,
        fontsize=6.4,
        handlelength=1.2,
        columnspacing=0.9,
        handletextpad=0.4,
    )


def distribution_plot(comparison: Comparison) -> Plot:
    """The distribution of FID over all configurations of a study."""
    points = distribution_data(comparison)
    with style.house_style():
        drawn = len(comparison.finished) > 0
        figure, values = _distribution_figure(comparison, points) if drawn else (None, [])
    return Plot(
        name="distribution",
        question="How sensitive is each variant to its hyperparameters?",
        headline=_headline(comparison, points),
        takeaway=" ".join(_sentence(comparison, dataset) for dataset in comparison.datasets)
        if drawn
        else "No figure: no trial of the search has finished.",
        caption=f"Each dot is one trial, {len(comparison.finished)} in all; its FID is the lowest of its "
        "evaluations. Bar and tick: quartiles and median over all trials, with failed ones counted as "
        "worst; an arrow into the grey lane means that the upper quartile is a failure. Star: the "
        "default configuration, not counted among the trials. Right: the share of trials that diverged, "
        "froze, collapsed (no FID below the limit), crashed or ran out of time.",
        alt="Strip plot, a row per variant: the FID of every trial with median and quartiles, and beside "
        "it a bar with the share of bad trials.",
        figure=figure,
        data=points,
        values=tuple(values),
    )


def _headline(comparison: Comparison, points: pd.DataFrame) -> str:
    n, bad = len(comparison.finished), int((comparison.finished["outcome"] != Outcome.OK).sum())
    return f"All trials: {bad} of {n} are bad" if len(points) and n else "All trials: none has finished"


def _sentence(comparison: Comparison, dataset: str) -> str:
    here = comparison.finished[comparison.finished["dataset"] == dataset]
    if here.empty:
        return f"{comparison.dataset_label(dataset)}: no trial has finished."
    bad = (here["outcome"] != Outcome.OK).groupby(here["variant"]).mean().sort_values(kind="stable")
    worst, least = str(bad.index[-1]), [str(variant) for variant in bad.index[bad == bad.iloc[0]]]
    if len(bad) == 1:
        text = f"{100 * bad.iloc[0]:.0f} % of the trials of {comparison.label(worst)} are bad"
    elif bad.iloc[0] == bad.iloc[-1]:
        text = f"{100 * bad.iloc[0]:.0f} % of the trials of every variant are bad"
    else:
        text = (
            f"bad trials are most frequent with {comparison.label(worst)} ({100 * bad.iloc[-1]:.0f} %), "
            f"least with {comparison.labels(least)} ({100 * bad.iloc[0]:.0f} %)"
        )
    return f"{comparison.dataset_label(dataset)}: {text}."
