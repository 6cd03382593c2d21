"""The winners beside the results of Lucic et al. (2018), if the numbers are comparable.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, the table of the best FID.
Deviations: (1) the median with its exact interval stands beside mean and standard deviation, which are those
of the seeds that ended well.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, listing
from gansweep.report.figures.base import Cell, Plot, Table, fresh_seeds, linked
from gansweep.report.lucic2018 import ARCHITECTURE, EXTRACTOR, N_IMAGES, RESULTS, STEPS
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text, mean_text
from gansweep.results.row import Outcome, slug

_APART = 0.14  # of a row: where the two lie
_MIN_VARIANTS = 4  # variants for a rank correlation
_PAPER_MARKER: dict[str, Any] = {
    "marker": "s",
    "markersize": 4,
    "color": style.MUTE,
    "markerfacecolor": style.PAPER,
}


def published_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per confirmed variant of the paper, that of its lowest FID first: our seeds and its."""
    confirmed = comparison.confirmed[comparison.confirmed["dataset"] == dataset]
    lines: list[dict[str, Any]] = []
    for variant, scores in comparison.confirmed_scores(dataset).items():
        if result := RESULTS.get(dataset, {}).get(variant):
            mine = confirmed[confirmed["variant"] == variant]
            good = mine.loc[mine["outcome"] == Outcome.OK, "reported"].to_numpy(float)
            median = statistics.median_best(scores, 1)
            ours = {"median": median.value, "low": median.low, "high": median.high}
            moments = {
                "mean": float(good.mean()) if len(good) else math.nan,
                "sd": float(good.std(ddof=1)) if len(good) > 1 else math.nan,
            }
            seeds = {"seeds": len(scores), "bad": len(scores) - len(good)}
            theirs = {"paper_mean": result.mean, "paper_sd": result.sd, "note": result.note}
            ratio = {"ratio": median.value / result.mean}
            lines.append({"variant": variant} | ours | moments | seeds | theirs | ratio)
    lines.sort(key=lambda line: (line["paper_mean"], line["variant"]))
    return pd.DataFrame(lines)


def _obstacles(comparison: Comparison, dataset: str) -> list[str]:
    """Why the FIDs of a data set cannot be compared with the paper's; empty if they can."""
    here = comparison.confirmed[comparison.confirmed["dataset"] == dataset]
    measured = [comparison.manifest.metrics[name] for name in here["metric_id"].dropna().unique()]
    found = []
    if extractors := sorted({metric.extractor for metric in measured} - {EXTRACTOR}):
        found.append(f"features are of “{listing(extractors)}”, not of Inception")
    if sizes := sorted({metric.n_images for metric in measured} - {N_IMAGES}):
        found.append(f"FID is of {listing([f'{n:,}' for n in sizes])} images, not of {N_IMAGES:,}")
    if architectures := sorted(set(here["architecture"]) - {ARCHITECTURE}):
        found.append(f"the architecture is “{listing(architectures)}”, not “{ARCHITECTURE}”")
    return found


def plot_published(data: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw our seeds (marker: median and interval) and the paper's (square: mean ± sd), joined by a line, a
    row per variant."""
    ax = ax or style.new_figure(0.8 + 0.28 * len(data), 5.0).subplots()
    ours, paper = data[["low", "median", "high"]], _paper(data)
    _set_axis(ax, np.concatenate([table.to_numpy(float).ravel() for table in (ours, paper)]))
    for row, variant in enumerate(data["variant"]):
        ends = [ours["median"].iloc[row], paper["mean"].iloc[row]]
        ax.plot(ends, [row, row], color=style.FAINT, linewidth=3, solid_capstyle="butt")
        _draw(ax, row + _APART, paper.iloc[row].to_list(), **_PAPER_MARKER)
        _draw(ax, row - _APART, ours.iloc[row].to_list(), **looks[variant].marker(5))
    ax.set_yticks(range(len(data)), [looks[variant].label for variant in data["variant"]])
    ax.set_ylim(len(data) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    return ax


def _paper(data: pd.DataFrame) -> pd.DataFrame:
    mean, sd = data["paper_mean"], data["paper_sd"]
    return pd.DataFrame({"low": mean - sd, "mean": mean, "high": mean + sd})


def _set_axis(ax: Axes, values: np.ndarray) -> None:
    log_axis(ax.xaxis, *log_limits(values, 0.85, 1.18), most=6)


def _draw(ax: Axes, y: float, values: list[float], **marker: Any) -> None:
    """A bar from low to high, to the edge where there is no bound, and a marker if the middle is finite."""
    low, middle, high = values
    left, right = ax.get_xlim()
    ax.plot([max(low, left), min(high, right)], [y, y], color=style.INK, linewidth=1.2, zorder=5)
    if math.isfinite(middle):
        ax.plot(middle, y, linestyle="", zorder=6, **marker)
    else:
        ax.text(right, y, "most seeds failed", fontsize=6.3, color=style.MUTE, ha="right", va="bottom")


def _published_figure(data: pd.DataFrame, looks: dict[str, Look]) -> Figure:
    figure = style.new_figure(0.85 + 0.28 * len(data), 5.2)
    plot_published(data, looks, figure.subplots()).set_xlabel("FID (log; lower is better)")
    entries = [
        style.legend_entry("here: median, 95 %", marker="o", markersize=4.5, color=style.COLLAPSED),
        style.legend_entry("Lucic et al.: mean ± sd", **_PAPER_MARKER),
    ]
    figure.legend(handles=entries, loc="outside lower center", ncol=2)
    return figure


def published_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Our table beside the paper's; None for other data sets, or where none of its variants is confirmed."""
    if dataset not in RESULTS or not len(comparison.confirmed):
        return None
    data, reasons = published_data(comparison, dataset), _obstacles(comparison, dataset)
    if data.empty:
        return None
    label = comparison.dataset_label(dataset)
    with style.house_style():
        figure = None if reasons else _published_figure(data, style.looks(comparison.manifest))
    return Plot(
        name=f"published-{slug(dataset)}",
        question=f"How do the winners on {label} compare with the results of Lucic et al. (2018)?",
        headline="Beside Lucic et al. (2018): " + ("values do not compare" if reasons else _ratios(data)),
        takeaway=_takeaway(comparison, data, reasons),
        caption=_caption(comparison, dataset, data),
        alt=f"Dot plot, a row per variant: FID on {label} on fresh seeds here, and in Lucic et al. (2018).",
        figure=figure,
        data=data,
        table=_table(comparison, dataset, data, not reasons),
    )


def _ratios(data: pd.DataFrame) -> str:
    finite = data[np.isfinite(data["median"])]["ratio"]
    if finite.empty:
        return "most seeds have failed here"
    return f"FIDs here are {finite.min():.2f} to {finite.max():.2f} times the paper’s"


def _takeaway(comparison: Comparison, data: pd.DataFrame, reasons: list[str]) -> str:
    order = _order(data)
    if reasons:
        return f"The values cannot be compared with the paper’s: {listing(reasons)}. {order}"
    finite = data[np.isfinite(data["median"])].sort_values("ratio")
    if finite.empty:
        return f"Most seeds of every winner have failed here. {order}"
    low, high = finite.iloc[0], finite.iloc[-1]
    return (
        f"The median FID here is {low['ratio']:.2f} ({comparison.label(low['variant'])}) to "
        f"{high['ratio']:.2f} times ({comparison.label(high['variant'])}) the paper’s mean. {order}"
    )


def _order(data: pd.DataFrame) -> str:
    """Whether the variants have the paper's order."""
    x, y = data["median"].to_numpy(float), data["paper_mean"].to_numpy(float)
    if len(data) < _MIN_VARIANTS:
        return f"With {len(data)} of the paper’s variants their order says little."
    agreement = statistics.rank_correlation(x, y)
    if math.isnan(agreement.value):
        return "The variants have no order here: their medians are equal."
    return (
        f"The order of the {len(data)} variants agrees with the paper’s to a Spearman correlation of "
        f"{agreement.value:.2f} [{agreement.low:.2f}, {agreement.high:.2f}]; 1 is full agreement."
    )


def _caption(comparison: Comparison, dataset: str, data: pd.DataFrame) -> str:
    seeds, steps = data["seeds"].max(), comparison.manifest.budget.steps
    text = (
        f"Here: {seeds} fresh seeds of the configuration that the search chose, {steps:,} steps; the images "
        f"of the {comparison.selects_on(dataset)} set choose checkpoints and configurations. Lucic et al.: "
        f"50 seeds of the best of 100 random configurations, {STEPS[dataset]:,} steps; the test set chooses. "
        "A bar up to the edge of a panel has no bound there."
    )
    notes = {
        str(note): [comparison.label(variant) for variant in mine["variant"]]
        for note, mine in data[data["note"] != ""].groupby("note")
    }
    return " ".join([text, *[f"{listing(names)}: {note}." for note, names in notes.items()]])


def _table(comparison: Comparison, dataset: str, data: pd.DataFrame, comparable: bool) -> Table:
    columns = ("Variant", "Median FID here [95 %]", "Mean ± sd of good seeds", "Bad seeds", "Lucic et al.")
    rows = [_cells(comparison, dataset, line)[: 6 if comparable else 5] for line in data.to_dict("records")]
    return Table((*columns, *(["Ratio"] if comparable else [])), tuple(rows))


def _cells(comparison: Comparison, dataset: str, line: dict[Any, Any]) -> tuple[Cell, ...]:
    """The cells of a variant; no trials lead to the paper's."""
    cell = {"dataset": dataset, "variant": line["variant"]}
    good = fresh_seeds(**cell, outcome=Outcome.OK)
    mean = mean_text(line["mean"], line["sd"])
    ours = (
        Cell(_text(line["median"]), f"[{_text(line['low'])}, {_text(line['high'])}]", line["median"]),
        *linked([Cell(mean, value=line["mean"])], good),
        Cell(f"{line['bad']} of {line['seeds']}", value=line["bad"] / line["seeds"]),
    )
    return (
        Cell(comparison.label(line["variant"]), variant=line["variant"]),
        *linked(ours, fresh_seeds(**cell)),
        Cell(f"{line['paper_mean']} ± {line['paper_sd']}", line["note"], line["paper_mean"]),
        *linked([Cell(_text(line["ratio"]), value=line["ratio"])], fresh_seeds(**cell)),
    )


def _text(value: float) -> str:
    return fid_text(value) if math.isfinite(value) else "fail" if value > 0 else "none"
