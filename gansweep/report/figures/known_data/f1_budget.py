"""F1 on the manifold of polygons against budget.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, highest F1 against budget, with
precision and recall of the run of highest F1. Deviations: (1) the median with its exact interval, not the
bootstrapped mean; (2) precision and recall are medians over all subsets of k trials, exact, not resampled.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.search.budget import (
    MARKED_BUDGETS,
    MAX_BANDS,
    budgets,
    highlighted,
    refusal,
    thinning,
)
from gansweep.report.metrics import per_trial
from gansweep.report.style import labels, style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.style import Look
from gansweep.results.row import slug

_NAMES = ("polygon_f1", "polygon_precision", "polygon_recall")
_PANELS = {"f1": "F1", "precision": "precision", "recall": "recall"}


def f1_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The curves: variant, n, k, median highest F1 of k trials with its 95 % interval while k <= k_max, and
    the medians of precision and recall of the trial of highest F1 among k.

    A trial counts with its evaluation of highest F1; a failed one has F1, precision and recall 0.
    """
    lines = []
    trials = per_trial(comparison, dataset, list(_NAMES), at=_NAMES[0])
    for variant, mine in trials.groupby("variant"):
        f1, precision, recall = (mine[name].to_numpy(float) for name in _NAMES)
        common = {float(comparison.budget(dataset))} if comparison.budget(dataset) <= len(mine) else set()
        for k in sorted({*budgets(len(mine)), *common}):
            estimate = statistics.median_best(np.sort(-f1), k)
            bounded = k <= statistics.largest_budget(len(mine))
            line = {"variant": str(variant), "n": len(mine), "k": k, "f1": -estimate.value}
            line |= {"low": -estimate.high if bounded else math.nan}
            line |= {"high": -estimate.low if bounded else math.nan}
            if k == int(k):
                weights = _chances(f1, int(k))
                line |= {"precision": _weighted_median(precision, weights)}
                line |= {"recall": _weighted_median(recall, weights)}
            lines.append(line)
    columns = ["variant", "n", "k", "f1", "low", "high", "precision", "recall"]
    return pd.DataFrame(lines, columns=columns)


def _chances(values: np.ndarray, k: int) -> np.ndarray:
    """The chance of each of n trials to have the highest value among k of them drawn without replacement.

    Equal values share their chances. [n]; sums to 1.

    >>> _chances(np.array([0.1, 0.9, 0.5]), 2).round(3)
    array([0.   , 0.667, 0.333])
    """
    n = len(values)
    order = np.argsort(-values, kind="stable")
    i = np.arange(n)
    none_yet = np.cumprod((n - k - i).clip(min=0) / (n - i))  # the best i + 1 are all left out
    chance = -np.diff(none_yet, prepend=1.0)
    _, group, sizes = np.unique(-values[order], return_inverse=True, return_counts=True)
    result = np.empty(n)
    result[order] = (np.bincount(group, chance) / sizes)[group]
    return result


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The smallest value with half of the weight at or below it; weights sum to 1."""
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 - 1e-12)])


def plot_f1(curves: pd.DataFrame, name: str, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw one of `_PANELS`: the variants of `looks` in colour, with three bands if it is F1."""
    ax = ax or style.new_figure(2.6, 2.6).subplots()
    log_axis(ax.xaxis, 0.93, max(1.5, 1.08 * float(curves["n"].max())), most=5)
    ax.set_ylim(-0.02, 1.02)
    ax.grid(True, axis="y")
    for variant, curve in curves.dropna(subset=[name]).groupby("variant"):
        look = looks.get(str(variant))
        if look is None:
            ax.plot(curve["k"], curve[name], color=style.FAINT, linewidth=0.8, zorder=1)
            continue
        bounded = curve[curve["low"].notna()]
        if name == "f1" and str(variant) in list(looks)[:MAX_BANDS]:
            low, high = bounded["low"].clip(lower=0), bounded["high"].clip(upper=1)
            ax.fill_between(bounded["k"], low, high, color=look.color, alpha=0.13, linewidth=0)
        beyond = curve.iloc[max(0, len(bounded) - 1) :]
        ax.plot(bounded["k"], bounded[name], color=look.color, linewidth=1.6, zorder=4)
        ax.plot(beyond["k"], beyond[name], color=look.color, linewidth=0.8, zorder=3)
        marked = curve[curve["k"].isin(MARKED_BUDGETS)]
        ax.plot(marked["k"], marked[name], linestyle="", zorder=5, clip_on=False, **look.marker(3.5))
    ax.set_title(_PANELS[name])
    ax.set_xlabel("budget k (log)")
    return ax


def _f1_figure(comparison: Comparison, curves: pd.DataFrame, ranking: list[str]) -> Figure:
    """A panel each for F1, precision and recall, with the names of the curves at the right."""
    looks = highlighted(comparison, ranking)
    figure = style.new_figure(2.6)
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    for ax, name in zip(axes, _PANELS, strict=True):
        plot_f1(curves, name, looks, ax)
    axes[0].set_ylabel("median of the trial\nof highest F1 among k")
    ends = curves.dropna(subset=["recall"]).groupby("variant").tail(1)
    ends = ends[ends["variant"].isin(list(looks))]
    places = zip(ends["variant"], ends["k"], ends["recall"], strict=True)
    labels.end_labels(axes[-1], [(looks[str(name)], float(x), float(y)) for name, x, y in places])
    return figure


def _f1_ranking(curves: pd.DataFrame, k: float) -> list[str]:
    """The variants, the one of highest median F1 at budget k first."""
    there = curves[curves["k"] <= k].groupby("variant").tail(1)
    return [str(name) for name in there.sort_values("f1", ascending=False, kind="stable")["variant"]]


def f1_budget_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The curves of one data set; None where F1 was not measured, without a figure where they do not hold."""
    if len(comparison.measured(dataset, _NAMES)) < len(_NAMES):
        return None
    curves, label = f1_data(comparison, dataset), comparison.dataset_label(dataset)
    drawn = comparison.is_random_search and not curves.empty and int(curves["n"].max()) > 1
    k = comparison.budget(dataset)
    with style.house_style():
        figure = _f1_figure(comparison, curves, _f1_ranking(curves, k)) if drawn else None
    needed = f"two finished configurations of a variant on {label}, besides the default"
    return Plot(
        name=f"f1-budget-{slug(dataset)}",
        question=f"What does tuning effort buy in F1 on {label}?",
        headline=f"What tuning buys in F1 on {label}",
        takeaway=_takeaway(comparison, curves, k) if drawn else refusal(comparison, needed),
        caption="Left: median of the highest F1 among k random configurations, with the exact 95 % interval "
        "of the best up to k = N/5.3; beyond it lines are thin. Middle and right: precision and "
        "recall of the configuration of highest F1, medians over all subsets of k of the N trials, which "
        "are nearly one near k = N. A trial counts with its evaluation of highest F1, a failed one with 0."
        f"{thinning(curves)}",
        alt=f"Line charts: highest F1, and precision and recall there, on {label} against the number of "
        "configurations tried.",
        figure=figure,
        data=curves if drawn else curves.iloc[:0],
    )


def _takeaway(comparison: Comparison, curves: pd.DataFrame, k: int) -> str:
    first = _f1_ranking(curves, k)[0]
    mine = curves[curves["variant"] == first].set_index("k")
    at, once = mine.loc[float(k)], mine.loc[1.0]
    label = comparison.label(first)
    if at["f1"] == 0:
        return f"With every variant at least half of the searches of {k} trials reach no F1 at all."
    interval = f"[{at['low']:.2f}, {at['high']:.2f}]" if at["low"] == at["low"] else ""
    text = (
        f"{label} has the highest median F1 at k = {k}, {at['f1']:.2f} {interval}".rstrip()
        + f", with precision {at['precision']:.2f} and recall {at['recall']:.2f}"
    )
    return f"{text}; a single configuration has {once['f1']:.2f}." if k > 1 else f"{text}."
