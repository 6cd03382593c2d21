"""Cost against quality of a whole search: which variants are worth their price?"""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import NDArray

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.costs import TIMES, device, trial_costs, unit
from gansweep.report.figures.base import Plot, Value
from gansweep.report.figures.search.budget import refusal
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.panels import large_panels
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text

# Where a name may stand, seen from its point, the first choice first: distances in points, and directions.
_Pixels = NDArray[np.float64]  # [2]
_MAX_NAMED = 12  # points
_LABEL_DISTANCES = (8.0, 14.0, 21.0, 29.0, 38.0, 48.0)
_DIRECTIONS = ((1, 0), (-1, 0), (1, 0.7), (1, -0.7), (-1, 0.7), (-1, -0.7), (0, 1), (0, -1))


def pareto_data(comparison: Comparison) -> pd.DataFrame:
    """A point per data set and variant that succeeds: hours of k trials (training and evaluation, failed
    ones included), the median best of k with its 95 % interval, and whether no other variant is both cheaper
    and better. k is the data set's common budget."""
    lines = []
    for dataset in comparison.datasets:
        k, costs = comparison.budget(dataset), trial_costs(comparison, dataset)["seconds"]
        for variant in comparison.started(dataset):
            estimate = comparison.at_budget[dataset, variant]
            if math.isinf(estimate.value):
                continue
            lines.append(
                {
                    "dataset": dataset,
                    "variant": variant,
                    "n": len(comparison.scores[dataset, variant]),
                    "k": k,
                }
                | {"hours": k * float(costs[variant]) / 3600, "median": estimate.value}
                | {"low": estimate.low, "high": estimate.high}
            )
    points = pd.DataFrame(lines, columns=["dataset", "variant", "n", "k", "hours", "median", "low", "high"])
    front = pd.Series(False, index=points.index)
    for _, group in points.groupby("dataset"):
        front[group.index] = statistics.pareto(group["hours"].to_numpy(), group["median"].to_numpy())
    return points.assign(front=front)


def plot_pareto(points: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw the points of one data set at their `cost`, without names, and the front as a line of steps."""
    ax = ax or style.new_figure(3.0, 4.0).subplots()
    low, high = _limits(points)
    log_axis(ax.yaxis, low, high)
    cheap, dear = float(points["cost"].min()), float(points["cost"].max())
    room = max(1.25, (dear / cheap) ** 0.25)  # for the names
    log_axis(ax.xaxis, cheap / room, dear * room, most=5)
    ax.grid(True)
    front = points[points["front"]].sort_values("cost")
    ax.step(front["cost"], front["median"], where="post", color=style.INK, linewidth=1.3, zorder=3)
    for _, point in points.iterrows():
        look, ends = looks[point["variant"]], np.clip([point["low"], point["high"]], low / 10, 10 * high)
        ax.plot([point["cost"]] * 2, ends, color=look.color, linewidth=0.9, alpha=0.4, zorder=1)
        ax.plot(point["cost"], point["median"], zorder=4, **look.marker(5.5))
    return ax


def _limits(points: pd.DataFrame) -> tuple[float, float]:
    ends = points[["median", "low", "high"]].to_numpy(float)
    low, high = log_limits(ends, 0.88, 1.14)
    _, highest = log_limits(points["median"], 1.0, 4 * 1.14)
    return low, min(high, highest)


def _name_points(ax: Axes, points: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Write each name where it covers no mark and no other name, names on the front first and in bold; of
    very many points those on the front alone.

    To be called when the figure has all its panels and labels, since these move the points.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    places = ax.transData.transform(points[["cost", "median"]].to_numpy(float))
    tops, bottoms = (
        ax.transData.transform(np.column_stack([points["cost"], np.clip(points[end], 1e-9, 1e9)]))[:, 1]
        for end in ("high", "low")
    )
    taken = [Bbox([xy - 4 * scale, xy + 4 * scale]) for xy in places]
    taken += [
        Bbox([[x - 1, low], [x + 1, top]]) for (x, _), low, top in zip(places, bottoms, tops, strict=True)
    ]
    taken += _corridors(ax, points, scale)
    for index in np.lexsort((points["median"], ~points["front"])):
        point, look = points.iloc[index], looks[points["variant"].iloc[index]]
        if len(points) > _MAX_NAMED and not point["front"]:
            continue
        weight = "bold" if point["front"] else "normal"
        text = ax.annotate(
            look.label,
            (point["cost"], point["median"]),
            textcoords="offset points",
            xytext=(0, 0),
            fontsize=7.2,
            fontweight=weight,
            color=look.text_color,
            arrowprops={"arrowstyle": "-", "color": look.color, "lw": 0.5, "shrinkA": 0, "shrinkB": 3},
        )
        size = np.array(text.get_window_extent().size)
        box = _free(np.asarray(places[index]), size, scale, taken, ax.bbox)
        text.xyann = tuple((np.array([box.x0, box.y0 + 2 * scale]) - places[index]) / scale)
        taken.append(box)


def _corridors(ax: Axes, points: pd.DataFrame, scale: float) -> list[Bbox]:
    """Boxes around the line of the front, which no name may cross."""
    front = points[points["front"]].sort_values("cost")
    corners = ax.transData.transform(front[["cost", "median"]].to_numpy(float))
    steps = [((x0, y0), (x1, y0), (x1, y1)) for (x0, y0), (x1, y1) in pairwise(corners)]
    lines = [line for a, b, c in steps for line in ((a, b), (b, c))]
    return [Bbox(np.sort(np.array(line), axis=0) + scale * np.array([[-1, -1], [1, 1]])) for line in lines]


def _free(place: _Pixels, size: _Pixels, scale: float, taken: list[Bbox], frame: BboxBase) -> Bbox:
    """A box of that size near a place: the nearest that is inside the frame and overlaps least."""
    found = []
    for reach in _LABEL_DISTANCES:
        for right, up in _DIRECTIONS:
            centre = place + scale * reach * np.array([right, up]) + size / 2 * np.array([right, np.sign(up)])
            box = Bbox([centre - size / 2, centre + size / 2])
            outside = not (frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1))
            found.append((sum(box.overlaps(other) for other in taken) + 10 * outside, box))
            if not found[-1][0]:
                return box
    return min(found, key=lambda item: item[0])[1]


def _pareto_figure(comparison: Comparison, points: pd.DataFrame) -> tuple[Figure, list[Value]]:
    """A panel for each data set."""
    shown, looks = list(dict.fromkeys(points["dataset"])), style.looks(comparison.manifest)
    panels, drawn = large_panels(len(shown), height=2.9), []
    for ax, dataset in zip(panels.axes, shown, strict=True):
        here = points[points["dataset"] == dataset]
        time = unit(3600 * float(here["hours"].median()), TIMES)
        drawn.append(here.assign(cost=here["hours"] * 3600 / TIMES[time]))
        plot_pareto(drawn[-1], looks, ax)
        ax.set_title(f"{comparison.dataset_label(dataset)}  (k = {here['k'].iloc[0]})")
        ax.set_xlabel(f"{device(comparison)} time of the search, {time} (log)")
        ax.set_ylabel("median best FID\n(log; lower is better)" if ax in panels.left else "")
    panels.hide_unused()
    values: list[Value] = []
    for ax, here in zip(panels.axes, drawn, strict=True):
        _name_points(ax, here, looks)
        for point in here[np.isfinite(here["median"])].to_dict("records"):
            bounds = f"[{fid_text(point['low'], 'none')}, {fid_text(point['high'], 'fail')}]"
            text = f"{comparison.label(point['variant'])}: FID {fid_text(point['median'])} {bounds}"
            values.append(Value(ax, point["cost"], point["median"], text, point["variant"]))
    return panels.figure, values


def pareto_plot(comparison: Comparison) -> Plot | None:
    """Cost and quality of all variants; None if no data set has two variants to compare."""
    points = pareto_data(comparison)
    if points.groupby("dataset").size().max() < 2 or points.empty:
        return None
    drawn = comparison.is_random_search
    with style.house_style():
        figure, values = _pareto_figure(comparison, points) if drawn else (None, [])
    return Plot(
        name="pareto",
        question="Which variants are worth their price?",
        headline=_headline(comparison, points) if drawn else "Which variants are worth their price: no front",
        takeaway=_takeaway(comparison, points) if drawn else refusal(comparison, "random trials"),
        caption=f"Each point is a search of k random {comparison.unit}s of a variant, k being the largest "
        "budget at which every variant can be bounded: across, its expected time in training and "
        "evaluation, failed trials included; up, the median of its lowest FID with the exact 95 % "
        "interval. Black line and bold names: the Pareto front, the variants than which no other is both "
        "cheaper and better; it is of the medians, so where intervals overlap it may be chance.",
        alt="Scatter chart, a panel per data set: median best FID of each variant against the cost of its "
        "search, with the Pareto front marked.",
        figure=figure,
        data=points if drawn else points.iloc[:0],
        values=tuple(values),
    )


def _headline(comparison: Comparison, points: pd.DataFrame) -> str:
    front = points[points["front"]].sort_values("hours")
    return f"Worth their price: {comparison.labels(list(dict.fromkeys(map(str, front['variant']))))}"


def _takeaway(comparison: Comparison, points: pd.DataFrame) -> str:
    return " ".join(_sentence(comparison, str(name), p) for name, p in points.groupby("dataset", sort=False))


def _sentence(comparison: Comparison, dataset: str, points: pd.DataFrame) -> str:
    front = points[points["front"]].sort_values("hours")
    names = [str(name) for name in front["variant"]]
    label = comparison.dataset_label(dataset)
    if len(names) == 1:
        return f"{label}: {comparison.label(names[0])} is both the cheapest and the best of {len(points)}."
    dearer = front["hours"].iloc[-1] / front["hours"].iloc[0] - 1
    lower = 1 - statistics.times(front["median"].iloc[-1], front["median"].iloc[0])
    return (
        f"{label}: none is both cheaper and better than {comparison.labels(names)}; from "
        f"{comparison.label(names[0])} to {comparison.label(names[-1])} a search costs {100 * dearer:.0f} % "
        f"more and its median best FID is {100 * lower:.0f} % lower."
    )
