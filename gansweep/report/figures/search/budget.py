"""The budget curve: what does tuning effort buy?

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, minimum FID against budget; drawn
here as the median of the best of k, whose interval is exact.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot, Value
from gansweep.report.statistics import Scores
from gansweep.report.style import labels, style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import slug

_MAX_COLOURED = 8  # with more variants than this, only the best are in colour
_N_HIGHLIGHTED = 5
MAX_BANDS = 1  # bands of several variants merge into one haze
MARKED_BUDGETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def budget_data(comparison: Comparison) -> pd.DataFrame:
    """The curves: k (trials), median best FID with its interval while k <= k_max, and the unbiased mean.

    For the mean, an FID above the collapse threshold, or a failure, counts as that threshold.
    """
    lines = []
    for (dataset, variant), scores in comparison.scores.items():
        for k in budgets(len(scores)):
            lines.append(
                {"dataset": dataset, "variant": variant, "n": len(scores), "k": k}
                | _point(scores, k, comparison.manifest.collapse_above[dataset])
            )
    columns = ["dataset", "variant", "n", "k", "median", "low", "high", "mean"]
    return pd.DataFrame(lines, columns=columns)


def budgets(n: int) -> list[float]:
    """1, 2, ... 50 trials, then some 60 up to n, and the largest budget with an interval, its band's end."""
    whole = {*range(1, min(n, 50) + 1), *(k for k in MARKED_BUDGETS if k <= n)}
    beyond = [float(k) for k in np.geomspace(50, max(50, n), 60).round() if k <= n]
    k_max = (1 - 1e-9) * statistics.largest_budget(n)  # just inside: at the bound itself rounding decides
    return sorted({*map(float, whole), *beyond, *([k_max] if k_max > 1 else [])})


def _point(scores: Scores, k: float, cap: float) -> dict[str, float]:
    estimate = statistics.median_best(scores, k)
    bounded = k <= statistics.largest_budget(len(scores))
    return {
        "median": estimate.value,
        "low": estimate.low if bounded else math.nan,
        "high": estimate.high if bounded else math.nan,
        "mean": statistics.mean_best(scores, int(k), cap) if k == int(k) else math.nan,
    }


def thinning(curves: pd.DataFrame) -> str:
    """Returns a sentence for the caption if `budgets` omits some budgets."""
    return " Of the budgets above 50 some 60 are drawn." if curves["k"].max() > 110 else ""


def plot_budget(curves: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw the curves of one data set: the variants of `looks` in colour, the others in grey."""
    ax = ax or style.new_figure(3.1, 4.5).subplots()
    low, high = limits(curves)
    log_axis(ax.yaxis, low, high)
    n = int(curves["n"].max())
    log_axis(ax.xaxis, 0.93, max(1.5, n * 1.08))
    ax.grid(True, axis="y")
    ends = []
    for variant, curve in curves.groupby("variant"):
        look = looks.get(str(variant))
        if look is None:
            ax.plot(curve["k"], curve["median"], color=style.FAINT, linewidth=0.8, zorder=1)
            continue
        with style.of_variant(ax, str(variant)):
            _draw_curve(ax, curve, look, high, banded=str(variant) in list(looks)[:MAX_BANDS])
        last = curve[np.isfinite(curve["median"])].tail(1)
        ends += [(look, float(last["k"].iloc[0]), float(last["median"].iloc[0]))] if len(last) else []
    _mark_end_of_intervals(ax, curves)
    labels.end_labels(ax, ends)
    return ax


def _draw_curve(ax: Axes, curve: pd.DataFrame, look: Look, top: float, banded: bool) -> None:
    k_max = statistics.largest_budget(int(curve["n"].iloc[0]))
    bounded, beyond = curve[curve["k"] <= k_max], curve[curve["k"] >= k_max * (1 - 1e-6)]
    band = bounded[np.isfinite(bounded["low"]) & banded]
    ax.fill_between(
        band["k"], band["low"], band["high"].clip(upper=10 * top), color=look.color, alpha=0.13, linewidth=0
    )
    line: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
    ax.plot(bounded["k"], bounded["median"], linewidth=1.7, zorder=4, **line)
    ax.plot(beyond["k"], beyond["median"], linewidth=0.9, zorder=3, **line)
    marked = curve[curve["k"].isin(MARKED_BUDGETS)]
    ax.plot(marked["k"], marked["median"], linestyle="", zorder=5, **look.marker(3.8))


def limits(curves: pd.DataFrame) -> tuple[float, float]:
    """The range of FIDs that shows the curves: lines of variant, median and low."""
    finite = curves[np.isfinite(curves["median"])]
    if finite.empty:
        return 1.0, 10.0
    low, _ = log_limits(finite[["median", "low"]], 0.9, 1.0)
    starts = finite.groupby("variant")["median"].max()
    # One hopeless variant must not flatten the others: its curve enters from above.
    high = 1.3 * min(float(starts.max()), 4 * float(starts.median()))
    return low, high if high > low else 10 * low


def _mark_end_of_intervals(ax: Axes, curves: pd.DataFrame) -> None:
    k_max = statistics.largest_budget(int(curves["n"].max()))
    if k_max <= 1:
        return
    ax.axvline(k_max, color=style.MUTE, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    ax.text(
        k_max * 1.05,
        0.985,
        "k > N/5.3: no\n95 % interval",
        fontsize=6.5,
        color=style.MUTE,
        va="top",
        transform=ax.get_xaxis_transform(),
    )


def _budget_figure(comparison: Comparison, dataset: str, curves: pd.DataFrame) -> tuple[Figure, Axes]:
    figure = style.new_figure(3.0, 4.6)
    ax = plot_budget(curves, highlighted(comparison, comparison.ranked(dataset)), figure.subplots())
    sizes = sorted({len(scores) for scores in comparison.started(dataset).values()})
    ax.set_title(
        f"{comparison.dataset_label(dataset)}  (N = {'–'.join(map(str, sizes[:: len(sizes) - 1 or 1]))})"
    )
    ax.set_xlabel(f"budget k: {comparison.unit}s tried (log)")
    ax.set_ylabel("median best FID\n(log; lower is better)")
    return figure, ax


def highlighted(comparison: Comparison, ranking: list[str]) -> dict[str, Look]:
    """The looks of the variants to colour, the first of a ranking first."""
    looks = style.looks(comparison.manifest)
    n_coloured = _MAX_COLOURED if len(looks) <= _MAX_COLOURED else _N_HIGHLIGHTED
    return {variant: looks[variant] for variant in ranking[:n_coloured]}


def budget_plot(comparison: Comparison, dataset: str) -> Plot:
    """The budget curves of a data set; without a figure where the sampler makes them meaningless."""
    curves = budget_data(comparison)
    curves = curves[curves["dataset"] == dataset].reset_index(drop=True)
    enough = not curves.empty and int(curves["n"].max()) > 1
    drawn = comparison.is_random_search and enough and bool(np.isfinite(curves["median"]).any())
    figure: Figure | None = None
    values: list[Value] = []
    if drawn:
        with style.house_style():
            figure, ax = _budget_figure(comparison, dataset, curves)
        values += _values(comparison, curves, ax)
    needed = f"two finished {comparison.unit}s of a variant, besides the default"
    needed = f"a {comparison.unit} that has not failed" if enough else needed
    return Plot(
        name=f"budget-{slug(dataset)}",
        question=f"What does tuning effort buy on {comparison.dataset_label(dataset)}?",
        headline=_headline(comparison, dataset) if drawn else "What tuning buys: no curve",
        takeaway=_sentence(comparison, dataset) if drawn else refusal(comparison, needed),
        caption=f"Median of the lowest FID among k random {comparison.unit}s; a failed one counts as worse "
        "than any FID. Band: the exact 95 % interval of the leader (the others are in the plotted "
        "data), drawn up to k = N/5.3; beyond it lines are thin, "
        "because N trials cannot bound them from below. A band is of one curve alone; whether variants are "
        "separable is said by the tests of the verdict. The default configuration is left out. The plotted "
        "data also hold the unbiased mean, with failures counted as the FID from which a trial has collapsed."
        f"{thinning(curves)}",
        alt=f"Line chart: median best FID against the number of {comparison.unit}s tried, for "
        f"{comparison.labels(comparison.variants)}.",
        figure=figure,
        data=curves if drawn else curves.iloc[:0],
        values=tuple(values),
    )


def _values(comparison: Comparison, curves: pd.DataFrame, ax: Axes) -> Iterator[Value]:
    looks = highlighted(comparison, comparison.ranked(str(curves["dataset"].iloc[0])))
    marked = curves[curves["k"].isin(MARKED_BUDGETS) & np.isfinite(curves["median"])]
    for k, variant, median, low, high in zip(
        *(marked[name] for name in ("k", "variant", "median", "low", "high")), strict=True
    ):
        if variant in looks:
            bounds = f" [{fid_text(low, 'none')}, {fid_text(high, 'fail')}]" if low == low else ""
            text = f"{comparison.label(variant)}, k = {k:.0f}: {fid_text(median)}{bounds}"
            yield Value(ax, float(k), float(median), text, str(variant))


def _headline(comparison: Comparison, dataset: str) -> str:
    first, k = comparison.ranked(dataset)[0], comparison.budget(dataset)
    if math.isinf(comparison.at_budget[dataset, first].value):
        return "What tuning buys: half of the searches fail with every variant"
    among = f"the best of {k} {comparison.unit}s" if k > 1 else f"a single {comparison.unit}"
    return f"What tuning buys: {comparison.label(first)} leads by {among}"


def refusal(comparison: Comparison, needed: str) -> str:
    """Returns the reason for no curve: dependent trials, or too few trials."""
    if comparison.is_random_search:
        return f"No curve: it takes {needed}."
    return (
        f"No curve: the trials of the sampler “{comparison.manifest.sampler}” depend on each other, so "
        "they say nothing about the best of k independent ones. Use the sampler “random” for this figure."
    )


def _sentence(comparison: Comparison, dataset: str) -> str:
    started = comparison.started(dataset)
    if not started:
        return f"{comparison.dataset_label(dataset)}: no trial has finished."
    first = comparison.ranked(dataset)[0]
    k = comparison.budget(dataset)
    once = statistics.median_best(started[first], 1).value
    then = comparison.at_budget[dataset, first].value
    label, name = comparison.dataset_label(dataset), comparison.label(first)
    if math.isinf(then):
        return f"{label}: with every variant at least half of the searches of {k} {comparison.unit}s fail."
    if k == 1:
        return f"{label}: {name} has the lowest median FID of a single {comparison.unit}, {fid_text(once)}."
    start = "a failure" if math.isinf(once) else f"{fid_text(once)}"
    return (
        f"{label}: {name} has the lowest median at k = {k}; trying {k} instead of one takes it "
        f"from {start} to {fid_text(then)}."
    )
