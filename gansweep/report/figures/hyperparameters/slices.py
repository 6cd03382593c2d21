"""FID against every searched hyperparameter: where it matters, and where it kills.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, FID against each parameter; failures
have a strip of their own here, because inside a median they would hide the other trials.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import DEFAULT_MARKER, Plot
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale, searched
from gansweep.report.style.style import Look
from gansweep.results.row import Outcome, slug

_STRIP_LOW, _STRIP_HEIGHT = 1.05, 0.26  # of a panel's height: the strip of failures above it
_ROW_INCHES, _MARGIN_INCHES = (
    1.2,
    (0.75, 0.1, 0.42, 0.25),
)  # of a variant; left, right, top, bottom


def hyperparameter_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per finished trial and searched hyperparameter of one data set."""
    finished = pd.concat([comparison.finished, comparison.defaults])
    here = finished[finished["dataset"] == dataset].sort_values(["variant", "trial_number"])
    parts = [
        _column(here, variant, name) for name, users in searched(comparison).items() for variant in users
    ]
    columns = ["variant", "parameter", "value", "trial_id", "is_default", "outcome", "score"]
    return pd.concat(parts)[columns].reset_index(drop=True) if parts else pd.DataFrame(columns=columns)


def _column(trials: pd.DataFrame, variant: str, name: str) -> pd.DataFrame:
    """`hp_<name>` of a variant's trials as `value`, with the types that the space gives it."""
    mine = trials[trials["variant"] == variant]
    if f"hp_{name}" not in mine:
        return mine.iloc[:0].assign(parameter=name, value=None)
    return mine.assign(parameter=name, value=mine[f"hp_{name}"].astype(object))


def plot_hyperparameter(points: pd.DataFrame, scale: Scale, look: Look, ax: Axes | None = None) -> Axes:
    """Draw FID against one hyperparameter of one variant: share of bad trials on top, good trials below."""
    ax = ax or style.new_figure(1.8, 2.2).subplots()
    drawn = points[~points["is_default"]]
    x, ok = scale.positions(drawn["value"]), (drawn["outcome"] == Outcome.OK).to_numpy(bool)
    scores = drawn["score"].to_numpy(float)
    default = points[points["is_default"]]
    star_x = scale.positions(default["value"])
    scale.set_axis(ax, star_x)
    edges = scale.edges(len(drawn))
    spread = 0.5 * style.scatter_offsets(len(x)) if scale.kind == "choice" else np.zeros(len(x))
    ax.plot(
        (x + spread)[ok], scores[ok], "o", color=look.color, markersize=2.0, alpha=0.45, markeredgewidth=0
    )
    bins = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    _draw_strip(ax, edges, [~ok[bins == index] for index in range(len(edges) - 1)])
    _draw_medians(
        ax, scale, edges, [np.sort(scores[ok & (bins == index)]) for index in range(len(edges) - 1)], look
    )
    for position, score in zip(star_x, default["score"], strict=True):
        top = not math.isfinite(score) or score > ax.get_ylim()[1]
        where: dict[str, Any] = {"transform": ax.get_xaxis_transform()} if top else {}
        ax.plot(
            position,
            _STRIP_LOW + _STRIP_HEIGHT / 2 if top else score,
            **DEFAULT_MARKER,
            **where,
            clip_on=False,
            zorder=8,
        )
    ax.grid(True, axis="y")
    return ax


def _draw_strip(ax: Axes, edges: NDArray[np.float64], bad: list[NDArray[np.bool_]]) -> None:
    """The share of bad trials in each bin, as a bar in a lane above; bins with few trials stay empty."""
    lane: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False, "linewidth": 0}
    for left, right, share in zip(edges[:-1], edges[1:], bad, strict=True):
        if len(share) >= MIN_TRIALS_PER_BIN:
            ax.fill_between([left, right], _STRIP_LOW, _STRIP_LOW + _STRIP_HEIGHT, color=style.BAND, **lane)
            top = _STRIP_LOW + _STRIP_HEIGHT * float(share.mean())
            ax.fill_between([left, right], _STRIP_LOW, top, color=style.DIVERGED, **lane)


def _draw_medians(
    ax: Axes, scale: Scale, edges: NDArray[np.float64], groups: list[statistics.Scores], look: Look
) -> None:
    """Median and quartiles of each bin with enough good trials, where there are several bins."""
    if len(groups) == 1:
        return
    rows = [
        [
            statistics.quantile(group, p) if len(group) >= MIN_TRIALS_PER_BIN else math.nan
            for p in (0.25, 0.5, 0.75)
        ]
        for group in groups
    ]
    low, middle, high = np.array(rows).T
    if scale.kind == "choice":
        for index, value in enumerate(middle):
            ax.plot([index - 0.3, index + 0.3], [value, value], color=look.color, linewidth=2)
        return
    centres = scale.centres(edges)
    ax.fill_between(centres, low, high, color=look.color, alpha=0.15, linewidth=0)
    ax.plot(centres, middle, color=look.color, linewidth=1.5, marker="_", markersize=5, markeredgewidth=1.5)


def _hyperparameter_figure(comparison: Comparison, dataset: str, points: pd.DataFrame) -> Figure:
    """A row per variant with a panel for each of its hyperparameters; its height grows with the variants."""
    scales, looks = searched(comparison), style.looks(comparison.manifest)
    own = {
        variant: [(name, users[variant]) for name, users in scales.items() if variant in users]
        for variant in comparison.ranked(dataset)
    }
    own = {variant: mine for variant, mine in own.items() if mine}
    n_columns = max(map(len, own.values()))
    left, right, top, bottom = _MARGIN_INCHES
    height = _ROW_INCHES * len(own) + top + bottom
    width = min(style.WIDTH, left + right + 1.6 * n_columns + 0.8)
    figure = Figure(figsize=(width, height))
    grid = figure.add_gridspec(
        len(own),
        n_columns,
        left=left / width,
        right=1 - right / width,
        top=1 - top / height,
        bottom=bottom / height,
        hspace=0.85,
        wspace=0.2,
    )
    limits = _fid_limits(points)
    for row, (variant, mine) in enumerate(own.items()):
        for column, (name, scale) in enumerate(mine):
            ax = figure.add_subplot(grid[row, column])
            log_axis(ax.yaxis, *limits, most=5)
            ax.tick_params(labelleft=column == 0)
            ax.tick_params(axis="x", labelsize=6)  # neighbours' would touch
            here = points[(points["variant"] == variant) & (points["parameter"] == name)]
            plot_hyperparameter(here, scale, looks[variant], ax)
            ax.set_title(name, pad=19, fontsize=7, fontweight="normal")
        _label_row(figure.axes[-len(mine)], looks[variant])
    return figure


def _label_row(ax: Axes, look: Look) -> None:
    ax.set_ylabel("FID (log)", fontsize=7)
    ax.text(
        -0.03,
        _STRIP_LOW + _STRIP_HEIGHT / 2,
        "bad",
        transform=ax.transAxes,
        fontsize=6.3,
        ha="right",
        va="center",
    )
    name: dict[str, Any] = {"fontweight": "bold", "fontsize": 8.5, "color": look.text_color, "rotation": 90}
    ax.annotate(
        look.label,
        (0, 0.6),
        (-44, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        **name,
    )


def _fid_limits(points: pd.DataFrame) -> tuple[float, float]:
    good = points.loc[(points["outcome"] == Outcome.OK), "score"]
    return log_limits(good, 0.88, 1.1)


def hyperparameter_plot(comparison: Comparison, dataset: str) -> Plot:
    """FID against every searched hyperparameter on one data set."""
    points = hyperparameter_data(comparison, dataset)
    label = comparison.dataset_label(dataset)
    with style.house_style():
        figure = _hyperparameter_figure(comparison, dataset, points) if len(points) else None
    return Plot(
        name=f"hyperparameters-{slug(dataset)}",
        question=f"Which hyperparameters matter on {label}?",
        headline=_headline(comparison, points),
        takeaway=_takeaway(comparison, dataset, points),
        caption="A row per variant, the best first, with a panel for each hyperparameter of it. Below: the "
        f"trials that succeeded, with median and quartiles of bins of at least {MIN_TRIALS_PER_BIN}. Strip "
        "on top: the share of bad trials (diverged, collapsed, crashed or timed out), from none to all, in "
        "each bin. Star: the default configuration; in the strip if it failed.",
        alt=f"Grid of scatter plots: FID on {label} against each searched hyperparameter of each variant, "
        "with a strip for the share of bad trials above each.",
        figure=figure,
        data=points,
    )


def _headline(comparison: Comparison, points: pd.DataFrame) -> str:
    ratios = _ratios(comparison, points) if len(points) else {}
    if not ratios:
        return "Which hyperparameters mattered: too few trials to say"
    (variant, name), _ = max(ratios.items(), key=lambda item: item[1])
    return f"Which hyperparameters mattered: {name} most, on {comparison.label(variant)}"


def _ratios(comparison: Comparison, points: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The median FID of the worst bin ÷ that of the best, by variant and hyperparameter, where above 1."""
    return {
        (variant, name): ratio
        for name, users in searched(comparison).items()
        for variant, scale in users.items()
        if (ratio := _ratio_of_bins(points, variant, name, scale)) > 1
    }


def _takeaway(comparison: Comparison, dataset: str, points: pd.DataFrame) -> str:
    """Names the hyperparameter whose bins differ most in median FID."""
    if not len(points):
        return "No figure: no trial has finished, or nothing was searched."
    ratios = _ratios(comparison, points)
    if not ratios:
        return "No bin has enough trials for a median; see the dots."
    (variant, name), ratio = max(ratios.items(), key=lambda item: item[1])
    found = f"{ratio:.1f} times that of its best" if ratio < math.inf else "above 0, that of its best is not"
    return (
        f"Of the effects that have two bins to compare ({len(ratios)}), the largest is that of {name} on "
        f"{comparison.label(variant)}: the median FID of its worst bin is {found}."
    )


def _ratio_of_bins(points: pd.DataFrame, variant: str, name: str, scale: Scale) -> float:
    chosen = (points["variant"] == variant) & (points["parameter"] == name) & ~points["is_default"]
    mine = points[chosen]
    edges = scale.edges(len(mine))
    bins = np.clip(
        np.searchsorted(edges, scale.positions(mine["value"]), side="right") - 1, 0, len(edges) - 2
    )
    good = mine[(mine["outcome"] == Outcome.OK).to_numpy(bool)]
    grouped = good["score"].groupby(bins[(mine["outcome"] == Outcome.OK).to_numpy(bool)])
    medians = grouped.median()[grouped.size() >= MIN_TRIALS_PER_BIN]
    return statistics.times(float(medians.max()), float(medians.min())) if len(medians) > 1 else 1.0
