"""Where in the search space trials fail: along each hyperparameter, and in the plane of two."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, dependence, draws, linked
from gansweep.report.figures.hyperparameters.failure_regions import (
    binned,
    deadliest,
    decisive,
    failure_data,
    share,
    shared,
)
from gansweep.report.style import style
from gansweep.report.style.scales import ENOUGH, Scale, option
from gansweep.results.row import slug
from gansweep.space import Distribution, Scalar

SHOWN = 600  # dots of a panel
DARKEST = 0.6  # opacity of a cell in which all trials are bad: text stays readable on it
ROW = 0.23  # inches: a variant's row
GOOD: dict[str, Any] = {"color": style.MUTE, "marker": "o", "markersize": 2.6, "markeredgewidth": 0.5}
GOOD |= {"markerfacecolor": style.PAPER}
BAD: dict[str, Any] = {"color": style.INK, "marker": "x", "markersize": 3.2, "markeredgewidth": 0.8}


def plot_failure_strips(cells: pd.DataFrame, scale: Scale, order: list[str], ax: Axes | None = None) -> Axes:
    """Draw the share of bad trials, in %, along one hyperparameter, a row for each variant of `order`.

    A number is bold where its interval lies above the share among all trials of the variant.
    """
    ax = ax or style.new_figure(0.5 + ROW * len(order), 2.0).subplots()
    scale.set_axis(ax, np.array([]))
    for row, variant in enumerate(order):
        mine = cells[cells["variant"] == variant]
        overall = mine["bad"].sum() / max(1, mine["trials"].sum())
        for cell in mine[mine["trials"] >= ENOUGH].to_dict("records"):
            corner, width = (cell["low"], row - 0.45), cell["high"] - cell["low"]
            ax.add_patch(_cell(corner, width, 0.9, cell["share"], edgecolor=style.FAINT, linewidth=0.4))
            centre = scale.centres(np.array([cell["low"], cell["high"]]))[0]
            weight = "bold" if cell["low_95"] > overall else "normal"
            text = f"{100 * cell['share']:.0f}"
            ax.text(centre, row, text, ha="center", va="center_baseline", fontsize=5.8, fontweight=weight)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_yticks(range(len(order)), [""] * len(order))
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _cell(corner: tuple[float, float], width: float, height: float, bad: float, **edge: Any) -> Rectangle:
    return Rectangle(corner, width, height, facecolor=_shade(bad), **edge)


def _shade(bad: float) -> Any:
    return to_rgba(style.DIVERGED, DARKEST * bad)


def plot_failure_pair(points: pd.DataFrame, scales: tuple[Scale, Scale], ax: Axes | None = None) -> Axes:
    """Draw trials in the plane of two hyperparameters, bad ones as crosses, over the share of bad ones.

    points: x, y (positions on the scales) and bad.
    """
    ax = ax or style.new_figure(2.4, 3.2).subplots()
    scales[0].set_axis(ax, np.array([]))
    _set_y_axis(ax, scales[1])
    across = 2 * ENOUGH * math.isqrt(len(points) // (2 * ENOUGH))
    edges = scales[0].edges(across), scales[1].edges(across)
    bad = points[points["bad"]]
    counts = np.histogram2d(points["x"], points["y"], edges)[0]
    shares = np.histogram2d(bad["x"], bad["y"], edges)[0] / np.maximum(counts, 1)
    for i, j in np.argwhere(counts >= ENOUGH):
        corner = (edges[0][i], edges[1][j])
        width, height = edges[0][i + 1] - corner[0], edges[1][j + 1] - corner[1]
        ax.add_patch(_cell(corner, width, height, shares[i, j], linewidth=0))
    drawn = points.iloc[:: math.ceil(len(points) / SHOWN)]
    x = _spread(drawn["x"], scales[0], style.scatter_offsets(len(drawn)))
    y = _spread(drawn["y"], scales[1], style.scatter_offsets(len(drawn), math.sqrt(2)))
    for here, look in ((~drawn["bad"], GOOD), (drawn["bad"], BAD)):
        ax.plot(x[here], y[here], linestyle="", **look)
    return ax


def _spread(positions: pd.Series, scale: Scale, offsets: NDArray[np.float64]) -> pd.Series:
    """Positions apart from each other where all trials of an option have the same."""
    return positions + 0.7 * offsets * (scale.kind == "choice")


def _set_y_axis(ax: Axes, scale: Scale) -> None:
    if scale.kind == "choice":
        ax.set_ylim(-0.6, len(scale.values) - 0.4)
        ax.set_yticks(range(len(scale.values)), [option(value) for value in scale.values])
    elif scale.kind == "loguniform":
        style.log_axis(ax.yaxis, scale.values[0], scale.values[1], most=5)
    else:
        low, high = scale.values
        ax.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        ax.locator_params(axis="y", nbins=4)


def failure_figure(comparison: Comparison, dataset: str, cells: pd.DataFrame, points: pd.DataFrame) -> Figure:
    """Strips, a column per hyperparameter; below, the plane of the two that tell most, if there are two."""
    order = [name for name in comparison.ranked(dataset) if (cells["variant"] == name).any()]
    scales, looks = shared(comparison), style.looks(comparison.manifest)
    heights = [0.55 + ROW * len(order), 2.5][: 1 if len(scales) < 2 else 2]
    figure = style.new_figure(sum(heights), min(style.WIDTH, 1.4 + 1.3 * max(3, len(scales))))
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = parts[0].subplots(1, len(scales), squeeze=False)[0]
    for ax, (name, scale) in zip(axes, scales.items(), strict=True):
        mine = cells[cells["parameter"] == name]
        plot_failure_strips(mine, scale, order, ax)
        for row, variant in enumerate(order):
            if not (mine["variant"] == variant).any():
                _say_unused(ax, row, comparison.manifest.space(variant).get(name))
        ax.set_title(name, fontsize=7.5, fontweight="normal")
    axes[0].set_yticks(range(len(order)), [looks[variant].label for variant in order])
    if len(heights) > 1:
        _draw_pair(parts[1], comparison, points)
    return figure


def _say_unused(ax: Axes, row: int, constant: Distribution | Scalar | None) -> None:
    text = "not used" if constant is None else f"fixed at {option(constant)}"
    text = "searched otherwise" if isinstance(constant, Distribution) else text
    where: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "center", "va": "center_baseline"}
    ax.text(0.5, row, text, fontsize=5.8, color=style.MUTE, **where)


def _draw_pair(figure: SubFigure, comparison: Comparison, points: pd.DataFrame) -> None:
    x, y = list(decisive(points))[:2]
    scales = shared(comparison)
    ax, key = figure.subplots(1, 2, width_ratios=[3, 1])
    trials = pair_points(points, {x: scales[x], y: scales[y]})
    plot_failure_pair(trials, (scales[x], scales[y]), ax)
    ax.set(xlabel=x, ylabel=y)
    key.set_axis_off()
    entries = [
        style.legend_entry("good trial", linestyle="", **GOOD),
        style.legend_entry("bad trial", linestyle="", **BAD),
        *[
            Patch(facecolor=_shade(share), edgecolor=style.FAINT, label=f"{100 * share:.0f} % bad")
            for share in (0.0, 0.5, 1.0)
        ],
    ]
    key.legend(handles=entries, loc="upper left", borderaxespad=0)


def pair_points(points: pd.DataFrame, scales: dict[str, Scale]) -> pd.DataFrame:
    """One line per trial that searched two hyperparameters: x, y (positions on their scales) and bad."""
    table = points[["trial_id", "bad"]].drop_duplicates("trial_id").set_index("trial_id")
    for axis, (name, scale) in zip("xy", scales.items(), strict=True):
        mine = points[points["parameter"] == name]
        table[axis] = pd.Series(scale.positions(mine["value"]), index=mine["trial_id"].to_numpy())
    return table.dropna().reset_index()


def failure_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Where trials fail on one data set; None where nothing shared was searched or no trial has finished."""
    points = binned(comparison, dataset)
    if points.empty:
        return None
    cells, label = failure_data(comparison, dataset), comparison.dataset_label(dataset)
    refusal = _refusal(cells, label)
    with style.house_style():
        figure = None if refusal else failure_figure(comparison, dataset, cells, points)
    return Plot(
        name=f"failure-map-{slug(dataset)}",
        question=f"Where in the search space do trials go bad on {label}?",
        takeaway=refusal or _takeaway(comparison, points),
        caption=f"{_caption(points)} {dependence(comparison)}".strip(),
        alt=f"Heat strips of the share of bad trials on {label} along each hyperparameter, a row per "
        "variant; below, a scatter plot of bad and good trials over two hyperparameters.",
        figure=figure,
        data=cells,
        table=None if refusal else _table(comparison, dataset, points),
    )


def _caption(points: pd.DataFrame) -> str:
    trials = points.drop_duplicates("trial_id")
    every = math.ceil(len(trials) / SHOWN)
    drawn = f"one trial in {every} is drawn" if every > 1 else "all trials are drawn"
    return (
        f"Bad trials diverged, crashed, timed out or collapsed: {trials['bad'].sum()} of {len(trials)}. Top: "
        f"their share in %, in bins of each hyperparameter that variants share; bins of fewer than {ENOUGH} "
        "trials are blank, and a number is bold where its 95 % Wilson interval lies above the share of the "
        "variant over its whole range. Bottom: the two hyperparameters that tell most about it over all "
        f"variants; {drawn}, and the shading is of all. The deadliest region is the option, or end of a "
        "range, whose interval lies highest; it is chosen by these trials, which exaggerates it."
    )


def _refusal(cells: pd.DataFrame, label: str) -> str:
    if not cells["bad"].any():
        return f"No figure: no trial on {label} failed or collapsed."
    if (cells["trials"] < ENOUGH).all():
        return f"No figure: no part of the space has {ENOUGH} trials of a variant on {label}."
    return ""


def _takeaway(comparison: Comparison, points: pd.DataFrame) -> str:
    region = deadliest(points, shared(comparison))
    if region is None or region["low_95"] <= region["overall"]:
        return "Over all variants no region of the space is clearly deadlier than the rest."
    name, explained = next(iter(decisive(points).items()))
    return (
        f"Deadliest is {region['text']}: {100 * region['share']:.0f} % of {region['trials']} trials are bad "
        f"there, {100 * region['elsewhere']:.0f} % elsewhere. {name} tells most about it: "
        f"{100 * explained:.0f} % of the variance of being bad."
    )


def _table(comparison: Comparison, dataset: str, points: pd.DataFrame) -> Table:
    """A line per variant: how many of its trials are bad, and where most are."""
    rows = []
    for variant in comparison.ranked(dataset):
        mine = points[points["variant"] == variant]
        if len(mine):
            region = deadliest(mine, shared(comparison))
            trials = draws(dataset=dataset, variant=variant)
            cells = _shares(share(mine.drop_duplicates("trial_id")["bad"].to_numpy(bool)), trials)
            there: tuple[Cell, ...] = (Cell("–"), Cell("–"))
            if region:
                there = _shares(region, f"{trials} {region['inside']}")
            place = Cell(region["text"] if region and region["bad"] else "–")
            rows.append((Cell(comparison.label(variant), variant=variant), *cells, place, *there))
    columns = (
        "Variant",
        "Bad, % [95 %]",
        "Trials",
        "Deadliest region",
        "Bad there, % [95 %]",
        "Trials there",
    )
    return Table(columns, tuple(rows))


def _shares(region: dict[str, Any], trials: str) -> tuple[Cell, ...]:
    interval = f"[{100 * region['low_95']:.0f}, {100 * region['high_95']:.0f}]"
    bad = Cell(f"{100 * region['share']:.0f}", interval, region["share"])
    return linked((bad, Cell(str(region["trials"]), value=region["trials"])), trials)
