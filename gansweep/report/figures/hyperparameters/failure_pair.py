"""Failed and collapsed trials in the plane of the two most predictive hyperparameters."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import SubFigure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale, option

MAX_DOTS = 600  # dots of a panel
_MAX_OPACITY = 0.6  # opacity of a cell in which all trials are bad: text stays readable on it
_GOOD_TRIAL: dict[str, Any] = {"color": style.MUTE, "marker": "o", "markersize": 2.6, "markeredgewidth": 0.5}
_GOOD_TRIAL |= {"markerfacecolor": style.PAPER}
_BAD_TRIAL: dict[str, Any] = {"color": style.INK, "marker": "x", "markersize": 3.2, "markeredgewidth": 0.8}


def draw_pair(
    figure: SubFigure, pair: tuple[str, str], scales: dict[str, Scale], points: pd.DataFrame
) -> None:
    """Draw the plane of two hyperparameters that some trial searches together, with its key."""
    x, y = pair
    ax, key = figure.subplots(1, 2, width_ratios=[3, 1])
    trials = _pair_points(points, {x: scales[x], y: scales[y]})
    plot_failure_pair(trials, (scales[x], scales[y]), ax)
    ax.set(xlabel=x, ylabel=y)
    key.set_axis_off()
    entries = [
        style.legend_entry("good trial", linestyle="", **_GOOD_TRIAL),
        style.legend_entry("bad trial", linestyle="", **_BAD_TRIAL),
        *[
            Patch(facecolor=_shade(share), edgecolor=style.FAINT, label=f"{100 * share:.0f} % bad")
            for share in (0.0, 0.5, 1.0)
        ],
    ]
    key.legend(handles=entries, loc="upper left", borderaxespad=0)


def _pair_points(points: pd.DataFrame, scales: dict[str, Scale]) -> pd.DataFrame:
    """One line per trial that searched two hyperparameters: x, y (positions on their scales) and bad."""
    table = points[["trial_id", "bad"]].drop_duplicates("trial_id").set_index("trial_id")
    for axis, (name, scale) in zip("xy", scales.items(), strict=True):
        mine = points[points["parameter"] == name]
        table[axis] = pd.Series(scale.positions(mine["value"]), index=mine["trial_id"].to_numpy())
    return table.dropna().reset_index()


def plot_failure_pair(points: pd.DataFrame, scales: tuple[Scale, Scale], ax: Axes | None = None) -> Axes:
    """Draw trials in the plane of two hyperparameters, bad ones as crosses, over the share of bad ones.

    points: x, y (positions on the scales) and bad.
    """
    ax = ax or style.new_figure(2.4, 3.2).subplots()
    scales[0].set_axis(ax, np.array([]))
    _set_y_axis(ax, scales[1])
    across = 2 * MIN_TRIALS_PER_BIN * math.isqrt(len(points) // (2 * MIN_TRIALS_PER_BIN))
    edges = scales[0].edges(across), scales[1].edges(across)
    bad = points[points["bad"]]
    counts = np.histogram2d(points["x"], points["y"], edges)[0]
    shares = np.histogram2d(bad["x"], bad["y"], edges)[0] / np.maximum(counts, 1)
    for i, j in np.argwhere(counts >= MIN_TRIALS_PER_BIN):
        corner = (edges[0][i], edges[1][j])
        width, height = edges[0][i + 1] - corner[0], edges[1][j + 1] - corner[1]
        ax.add_patch(shaded_cell(corner, width, height, shares[i, j], linewidth=0))
    drawn = points.iloc[:: math.ceil(len(points) / MAX_DOTS)]
    x = _spread(drawn["x"], scales[0], style.scatter_offsets(len(drawn)))
    y = _spread(drawn["y"], scales[1], style.scatter_offsets(len(drawn), math.sqrt(2)))
    for here, look in ((~drawn["bad"], _GOOD_TRIAL), (drawn["bad"], _BAD_TRIAL)):
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
        log_axis(ax.yaxis, scale.values[0], scale.values[1], most=5)
    else:
        low, high = scale.values
        ax.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        ax.locator_params(axis="y", nbins=4)


def shaded_cell(
    corner: tuple[float, float], width: float, height: float, share: float, **edge: Any
) -> Rectangle:
    """Returns a cell whose opacity is the share of bad trials in it."""
    return Rectangle(corner, width, height, facecolor=_shade(share), **edge)


def _shade(bad: float) -> Any:
    return to_rgba(style.DIVERGED, _MAX_OPACITY * bad)
