"""Where in the search space trials fail: along each hyperparameter, and in the plane of two."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, dependence, draws, linked
from gansweep.report.figures.hyperparameters.failure_pair import MAX_DOTS, draw_pair, shaded_cell
from gansweep.report.figures.hyperparameters.failure_regions import (
    BadShare,
    bad_share,
    binned,
    failure_data,
    most_predictive,
    predictive_pair,
    shared,
    worst_region,
)
from gansweep.report.style import style
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale, option
from gansweep.results.row import slug
from gansweep.space import Distribution, Scalar

_ROW_INCHES = 0.23  # inches: a variant's row


def plot_failure_strips(cells: pd.DataFrame, scale: Scale, order: list[str], ax: Axes | None = None) -> Axes:
    """Draw the share of bad trials, in %, along one hyperparameter, a row for each variant of `order`.

    A number is bold where its interval lies above the share among all trials of the variant.
    """
    ax = ax or style.new_figure(0.5 + _ROW_INCHES * len(order), 2.0).subplots()
    scale.set_axis(ax, np.array([]))
    for row, variant in enumerate(order):
        mine = cells[cells["variant"] == variant]
        overall = mine["bad"].sum() / max(1, mine["trials"].sum())
        for cell in mine[mine["trials"] >= MIN_TRIALS_PER_BIN].to_dict("records"):
            corner, width = (cell["low"], row - 0.45), cell["high"] - cell["low"]
            ax.add_patch(shaded_cell(corner, width, 0.9, cell["share"], edgecolor=style.FAINT, linewidth=0.4))
            centre = scale.centres(np.array([cell["low"], cell["high"]]))[0]
            weight = "bold" if cell["low_95"] > overall else "normal"
            text = f"{100 * cell['share']:.0f}"
            ax.text(centre, row, text, ha="center", va="center_baseline", fontsize=5.8, fontweight=weight)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_yticks(range(len(order)), [""] * len(order))
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _failure_figure(
    comparison: Comparison, dataset: str, cells: pd.DataFrame, points: pd.DataFrame
) -> Figure:
    """Strips, a column per hyperparameter that has trials; below, the plane of the two most predictive ones
    that trials search together, if there are any."""
    order = [name for name in comparison.ranked(dataset) if (cells["variant"] == name).any()]
    looks, pair = style.looks(comparison.manifest), predictive_pair(points)
    scales = {n: scale for n, scale in shared(comparison).items() if (cells["parameter"] == n).any()}
    heights = [0.55 + _ROW_INCHES * len(order), 2.5][: 2 if pair else 1]
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
    if pair:
        draw_pair(parts[1], pair, scales, points)
    return figure


def _say_unused(ax: Axes, row: int, constant: Distribution | Scalar | None) -> None:
    text = "not used" if constant is None else f"fixed at {option(constant)}"
    text = "searched otherwise" if isinstance(constant, Distribution) else text
    where: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "center", "va": "center_baseline"}
    ax.text(0.5, row, text, fontsize=5.8, color=style.MUTE, **where)


def failure_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Where trials fail on one data set; None where nothing shared was searched or no trial has finished."""
    points = binned(comparison, dataset)
    if points.empty:
        return None
    cells, label = failure_data(comparison, dataset), comparison.dataset_label(dataset)
    refusal = _refusal(comparison, cells, points, label)
    with style.house_style():
        figure = None if refusal else _failure_figure(comparison, dataset, cells, points)
    return Plot(
        name=f"failure-map-{slug(dataset)}",
        question=f"Where in the search space do trials go bad on {label}?",
        headline=f"Where trials go bad: {_region(comparison, points)}",
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
    every = math.ceil(len(trials) / MAX_DOTS)
    drawn = f"one trial in {every} is drawn" if every > 1 else "all trials are drawn"
    bottom = "No trial searches two of them, so there is no plane of two."
    if predictive_pair(points):
        bottom = (
            "Bottom: the two most predictive hyperparameters over all variants that trials search together; "
            f"{drawn}, and the shading is of all."
        )
    return (
        f"Bad trials diverged, crashed, timed out or collapsed: {trials['bad'].sum()} of {len(trials)}. Top: "
        "share of bad trials in %, in bins of each hyperparameter that variants share; bins of fewer than "
        f"{MIN_TRIALS_PER_BIN} trials are blank, and a number is bold where its 95 % Wilson interval lies "
        f"above the share of the variant over its whole range. {bottom} The worst region is the "
        "option, or end of a range, with the highest interval; it is chosen by the same trials, so its "
        "share is exaggerated."
    )


def _region(comparison: Comparison, points: pd.DataFrame) -> str:
    region = worst_region(points, shared(comparison))
    clear = region is not None and region.inside.low_95 > region.overall
    return region.text if region and clear else "nowhere in particular"


def _refusal(comparison: Comparison, cells: pd.DataFrame, points: pd.DataFrame, label: str) -> str:
    if not cells["bad"].any():
        return f"No figure: no trial on {label} failed or collapsed."
    if (cells["trials"] < MIN_TRIALS_PER_BIN).all():
        return f"No figure: no part of the space has {MIN_TRIALS_PER_BIN} trials of a variant on {label}."
    region = worst_region(points, shared(comparison))
    if region is None or region.inside.low_95 <= region.overall:
        return f"No figure: on {label} no region of the space is clearly worse than the remainder."
    return ""


def _takeaway(comparison: Comparison, points: pd.DataFrame) -> str:
    region = worst_region(points, shared(comparison))
    assert region is not None  # or there is a refusal
    name, explained = next(iter(most_predictive(points).items()))
    there = f"{100 * region.inside.share:.0f} % of {region.inside.trials} trials are bad there"
    return (
        f"The worst region is {region.text}: {there}, {100 * region.elsewhere:.0f} % elsewhere. The most "
        f"predictive hyperparameter is {name}: it explains {100 * explained:.0f} % of the variance of being "
        "bad."
    )


def _table(comparison: Comparison, dataset: str, points: pd.DataFrame) -> Table:
    """A line per variant: how many of its trials are bad, and where most are."""
    rows = []
    for variant in comparison.ranked(dataset):
        mine = points[points["variant"] == variant]
        if len(mine):
            region = worst_region(mine, shared(comparison))
            trials = draws(dataset=dataset, variant=variant)
            cells = _shares(bad_share(mine.drop_duplicates("trial_id")["bad"].to_numpy(bool)), trials)
            there: tuple[Cell, ...] = (Cell("–"), Cell("–"))
            if region:
                there = _shares(region.inside, f"{trials} {region.trials}")
            place = Cell(region.text if region and region.inside.bad else "–")
            rows.append((Cell(comparison.label(variant), variant=variant), *cells, place, *there))
    columns = (
        "Variant",
        "Bad, % [95 %]",
        "Trials",
        "Worst region",
        "Bad there, % [95 %]",
        "Trials there",
    )
    return Table(columns, tuple(rows))


def _shares(bad: BadShare, trials: str) -> tuple[Cell, ...]:
    interval = f"[{100 * bad.low_95:.0f}, {100 * bad.high_95:.0f}]"
    cell = Cell(f"{100 * bad.share:.0f}", interval, bad.share)
    return linked((cell, Cell(str(bad.trials), value=bad.trials)), trials)
