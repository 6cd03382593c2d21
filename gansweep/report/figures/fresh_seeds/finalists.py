"""How well the FIDs of the winners are known: noise of fresh latents, and the bias of finitely many images.

Source: Chong, Forsyth, "Effectively Unbiased FID and Inception Score and where to find them", 2020,
arXiv:1911.07023. FID at n images is above that of infinitely many by about slope / n, and the slope depends
on the generator, so a ranking at a fixed n may change.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, linked, where
from gansweep.report.statistics import times
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.records import Finalist
from gansweep.results.row import slug

_REPEATABILITY = 1.96 * math.sqrt(2)  # two evaluations differ by less, in sd, in 95 % of cases (ISO 5725)
_TABLE_COLUMNS = ("Variant", "FID at N", "sd of draws", "N", "FID at ∞", "Difference", "Slope", "Trial")


def finalist_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per variant: mean and sd of FID over fresh latents at N images, and what it tends to."""
    entries = [entry for entry in comparison.finalists if entry.dataset == dataset]
    data = pd.DataFrame([_line(comparison, entry) for entry in entries])
    return data.sort_values(["fid", "variant"], ignore_index=True) if entries else data


def _line(comparison: Comparison, entry: Finalist) -> dict[str, object]:
    draws = np.array(entry.draws, float)
    sd = float(draws.std(ddof=1)) if len(draws) > 1 else math.nan
    measured = {"fid": float(draws.mean()), "sd": sd, "draws": len(draws)}
    size = {"n_images": comparison.manifest.metrics[entry.metric_id].n_images}
    names = ("fid_infinity", "slope", "trial_id", "phase", "metric_id")
    return {"variant": entry.variant} | measured | size | {name: getattr(entry, name) for name in names}


def noise(data: pd.DataFrame) -> float:
    """The standard deviation of log FID over fresh latents, pooled over variants; NaN from single draws.

    That of log FID is, for small ones, the sd divided by the mean.
    """
    relative = (data["sd"] / data["fid"])[data["fid"] > 0].dropna()
    weights = data.loc[relative.index, "draws"] - 1
    return math.sqrt(float((weights * relative**2).sum() / weights.sum())) if len(relative) else math.nan


def _indistinct(data: pd.DataFrame) -> list[tuple[str, str]]:
    """Neighbours in the ranking by FID whose ratio two evaluations of one generator may have by chance."""
    limit = math.exp(_REPEATABILITY * noise(data))
    rows = data.to_dict("records")
    return [(a["variant"], b["variant"]) for a, b in pairwise(rows) if times(b["fid"], a["fid"]) <= limit]


def plot_finalists(
    data: pd.DataFrame, looks: dict[str, Look], floor: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw FID at N images (marker) and at infinitely many (tick), a row per variant; the floor is dashed."""
    ax = ax or style.new_figure(0.8 + 0.26 * len(data), 5.0).subplots()
    drawn = [*data["fid"], *data["fid_infinity"], *([floor] if floor else [])]
    log_axis(ax.xaxis, *log_limits(drawn, 0.88, 1.14), most=7)  # an extrapolation may be negative
    if floor:
        ax.axvline(floor, color=style.MUTE, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
    for row, line in enumerate(data.to_dict("records")):
        _draw_row(ax, row, line, looks[line["variant"]])
    ax.set_yticks(range(len(data)), [looks[variant].label for variant in data["variant"]])
    ax.set_ylim(len(data) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    return ax


def _draw_row(ax: Axes, row: int, line: dict[Any, Any], look: Look) -> None:
    left = ax.get_xlim()[0]
    infinity = max(line["fid_infinity"], left)
    ax.plot([infinity, line["fid"]], [row, row], color=look.color, linewidth=1.4)
    ax.plot(infinity, row, "|", color=look.color, markersize=9, markeredgewidth=2)
    if line["draws"] > 1:
        ends = [max(line["fid"] + side * 2 * line["sd"], left) for side in (-1, 1)]
        ax.plot(ends, [row + 0.3] * 2, color=style.INK, linewidth=1.4, solid_capstyle="butt")
    ax.plot(line["fid"], row, linestyle="", zorder=6, **look.marker(5))


def _finalists_figure(data: pd.DataFrame, looks: dict[str, Look], floor: float | None) -> Figure:
    """The panel with its legend."""
    figure = style.new_figure(0.85 + 0.26 * len(data), 5.2)
    ax = plot_finalists(data, looks, floor, figure.subplots())
    ax.set_xlabel("FID (log; lower is better)")
    grey: dict[str, Any] = {"color": style.COLLAPSED, "linestyle": ""}
    entries = [
        style.legend_entry(f"at N = {data['n_images'].max():,}", marker="o", markersize=4, **grey),
        style.legend_entry("at infinitely many", marker="|", markersize=8, markeredgewidth=2, **grey),
        style.legend_entry("± 2 sd of fresh latents", color=style.INK, linewidth=1.4),
    ]
    if floor:
        dashed: dict[str, Any] = {"color": style.MUTE, "linestyle": (0, (3, 2)), "linewidth": 1}
        entries.append(style.legend_entry("training images", **dashed))
    figure.legend(handles=entries, loc="outside lower center", ncol=len(entries), columnspacing=1.2)
    return figure


def finalists_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The finalists measured once more on one data set; None where none were."""
    data, label = finalist_data(comparison, dataset), comparison.dataset_label(dataset)
    if data.empty:
        return None
    floor = _floor(comparison, data)
    order = {variant: place for place, variant in enumerate(comparison.order(dataset))}
    shown = data.sort_values("variant", key=lambda names: names.map(order), ignore_index=True)
    with style.house_style():
        figure = _finalists_figure(shown, style.looks(comparison.manifest), floor)
    return Plot(
        name=f"finalists-{slug(dataset)}",
        question=f"How well are the FIDs of the winners on {label} known?",
        headline="How well the FIDs of the best trials are known: " + _known(data),
        takeaway=" ".join(_sentences(comparison, data, floor)),
        caption="Rows are in the order of the results; the lowest FID here is of the luckiest trial. The "
        f"best trial of each variant, measured again with {data['draws'].max()} fresh sets of "
        f"latents. Marker: mean FID of N = {data['n_images'].max():,} images; tick: the FID that a straight "
        "line in 1 / n gives for infinitely many (Chong and Forsyth, 2020); bar: two standard deviations of "
        "the draws to either side. Slope: what FID gains with 1 / n. This is noise of the evaluation alone; "
        "another training seed moves FID more." + _dashed(comparison, data, floor),
        alt=f"Dumbbell plot, a row per variant: FID on {label} of N images and of infinitely many.",
        figure=figure,
        data=data,
        table=_table(comparison, shown),
    )


def _known(data: pd.DataFrame) -> str:
    sd = noise(data)
    return "one draw of latents" if math.isnan(sd) else f"fresh latents move them by {100 * sd:.2g} %"


def _floor(comparison: Comparison, data: pd.DataFrame) -> float | None:
    """The FID of training images to the reference images of the finalists."""
    floor = comparison.manifest.metrics[data["metric_id"].iloc[0]].floor
    return floor.get("test_fid", floor.get("fid")) if floor else None


def _dashed(comparison: Comparison, data: pd.DataFrame, floor: float | None) -> str:
    """What the dashed line is, for the caption."""
    if not floor:
        return ""
    if not _has_two_floors(comparison, data):
        return " Dashed: the FID of training images."
    return (
        " Dashed: the FID of training images against the test images; against the validation images, which "
        "are others and of another number, it differs."
    )


def _has_two_floors(comparison: Comparison, data: pd.DataFrame) -> bool:
    """Whether the FID of training images is known against the validation images, too."""
    return "test_fid" in (comparison.manifest.metrics[data["metric_id"].iloc[0]].floor or {})


def _sentences(comparison: Comparison, data: pd.DataFrame, floor: float | None) -> list[str]:
    found = []
    if len(data) > 1:
        found += [_ranking(comparison, data), _noise(comparison, data)]
    best = data.iloc[0]
    if floor and best["fid"] > 0:
        found.append(
            f"The lowest FID, {fid_text(best['fid'])} of {comparison.label(best['variant'])}, is "
            f"{best['fid'] / floor:.2g} times that of real training images"
            f"{' against the test images' * _has_two_floors(comparison, data)}, {fid_text(floor)}."
        )
    return found or [f"{comparison.label(best['variant'])} has an FID of {fid_text(best['fid'])}."]


def _ranking(comparison: Comparison, data: pd.DataFrame) -> str:
    """Whether the ranking changes with infinitely many images."""
    after = list(data.sort_values("fid_infinity", kind="stable")["variant"])
    moved = [a for a, b in zip(data["variant"], after, strict=True) if a != b]
    if not moved:
        return "The ranking is the same for infinitely many images."
    first, then = (comparison.label(order[0]) for order in (list(data["variant"]), after))
    head = f"{first} stays first" if first == then else f"{then}, not {first}, would be first"
    return f"With infinitely many images {head}; {len(moved)} of {len(data)} variants change places."


def _noise(comparison: Comparison, data: pd.DataFrame) -> str:
    """Names the neighbours in the ranking that the evaluation cannot separate."""
    sd = noise(data)
    if math.isnan(sd):
        return "With one draw of latents the noise of the evaluation is unknown."
    text = f"Fresh latents move FID by {100 * sd:.2g} % (sd)"
    pairs = [comparison.labels([a, b]) for a, b in _indistinct(data)]
    if not pairs:
        return f"{text}, less than any difference between neighbours in the ranking."
    return f"{text}; too close to separate in view of it are {'; '.join(pairs)}."


def _table(comparison: Comparison, data: pd.DataFrame) -> Table:
    return Table(_TABLE_COLUMNS, tuple(_cells(comparison, line) for line in data.to_dict("records")))


def _cells(comparison: Comparison, line: dict[Any, Any]) -> tuple[Cell, ...]:
    bias = line["fid"] - line["fid_infinity"]
    sd = "–" if math.isnan(line["sd"]) else f"{line['sd']:.2g}"
    trial = where(trial_id=line["trial_id"])
    cells = (
        Cell(comparison.label(line["variant"]), variant=line["variant"]),
        Cell(fid_text(line["fid"]), value=line["fid"]),
        Cell(sd, value=line["sd"]),
        Cell(f"{line['n_images']:,}", value=line["n_images"]),
        Cell(fid_text(line["fid_infinity"]), value=line["fid_infinity"]),
        Cell(f"{bias:.3g}", value=bias),
        Cell(f"{line['slope']:.4g}", value=line["slope"]),
        Cell(line["trial_id"], trials=trial),
    )
    return linked(cells, trial)
