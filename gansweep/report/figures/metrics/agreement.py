"""Does the ranking by FID agree with that by other metrics?

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, which correlates the FID of
Inception with that of VGG over trained models. Deviations: (1) any metric that the study measured.
"""

import math
import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, listing
from gansweep.report.figures.base import Cell, Plot, Table, dependence, linked, where
from gansweep.report.metrics import measurements
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.style import Look
from gansweep.results.metrics import METRICS, compared_with_fid
from gansweep.results.row import FAILED, Phase, Status, slug

_MAX_TRIALS = 600  # trials at most, evenly chosen: their intervals need thousands of resamples
_MIN_TRIALS = 8  # trials for a correlation


def _agreement_points(comparison: Comparison, dataset: str, name: str) -> pd.DataFrame:
    """FID and another metric of the trials that did not fail, each at its evaluation of lowest FID."""
    table = measurements(comparison, dataset, ["fid", name], at="fid")
    table = table[~table["outcome"].isin(FAILED)].dropna(subset=["fid", name])
    every = max(1, math.ceil(len(table) / _MAX_TRIALS))
    columns = ["variant", "trial_id", "fid", name]
    return table[columns].iloc[::every].reset_index(drop=True)


def agreement_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per metric: its rank correlation with FID, +1 full agreement, and what each calls best.

    agreement is Spearman's with its 95 % interval low and high, tau Kendall's. `variant` and `best_trial` are
    of the metric's best trial, `place` is the place by that metric, 1 the best, of the trial of lowest FID.
    Metrics of too few trials, or that are the same in all, are left out.
    """
    lines = []
    for name in comparison.measured(dataset, compared_with_fid()):
        points, sign = _agreement_points(comparison, dataset, name), -1 if METRICS[name].higher else 1
        worth = sign * points[name]
        if len(points) >= _MIN_TRIALS and worth.nunique() > 1 and points["fid"].nunique() > 1:
            pair = points["fid"].to_numpy(float), worth.to_numpy(float)
            estimate, tau = statistics.rank_correlation(*pair), statistics.kendall(*pair)
            place = int((worth < worth.iloc[points["fid"].argmin()]).sum()) + 1
            first = points.iloc[worth.argmin()]
            best = {"variant": first["variant"], "best_trial": first["trial_id"], "place": place}
            interval = {"agreement": estimate.value, "low": estimate.low, "high": estimate.high}
            kendall = {"tau": tau.value, "tau_low": tau.low, "tau_high": tau.high}
            lines.append({"metric": name, "trials": len(points)} | interval | kendall | best)
    return pd.DataFrame(lines)


def plot_agreement(data: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the rank correlations with their intervals, a row per metric."""
    ax = ax or style.new_figure(0.7 + 0.26 * len(data), 3.0).subplots()
    for value in (0, 1):
        ax.axvline(value, color=style.FAINT, linewidth=0.8, zorder=1)
    for row, line in enumerate(data.to_dict("records")):
        ax.plot([line["low"], line["high"]], [row, row], color=style.INK, linewidth=1.4)
        ax.plot(line["agreement"], row, "o", color=style.INK, markersize=4)
    ax.set_yticks(range(len(data)), [textwrap.fill(METRICS[name].label, 16) for name in data["metric"]])
    ax.set_ylim(len(data) - 0.5, -0.5)
    ax.set_xlim(min(-0.05, float(data["low"].min()) - 0.05), 1.05)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("rank correlation with FID")
    return ax


def plot_two_metrics(points: pd.DataFrame, name: str, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw FID against another metric, a marker per trial that has its variant's look."""
    ax = ax or style.new_figure(2.6, 3.2).subplots()
    log_axis(ax.xaxis, *log_limits(points["fid"], 0.9, 1.1), most=5)
    metric = METRICS[name]
    if metric.log:
        log_axis(ax.yaxis, *log_limits(points[name], 0.9, 1.1), most=5)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
    for variant, mine in points.groupby("variant"):
        look = looks[str(variant)].marker(2.6) | {"markeredgewidth": 0.6}
        ax.plot(mine["fid"], mine[name], linestyle="", alpha=0.75, **look)
    ax.grid(True)
    ax.set_xlabel("FID (log)")
    ax.set_ylabel(f"{metric.label}{' (log)' if metric.log else ''}")
    return ax


def _agreement_figure(data: pd.DataFrame, points: pd.DataFrame, name: str, looks: dict[str, Look]) -> Figure:
    """The correlations at the left, one scatter plot at the right."""
    figure = style.new_figure(max(2.9, 1.1 + 0.28 * len(data)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    plot_agreement(data, left)
    plot_two_metrics(points, name, looks, right)
    present = [variant for variant in looks if (points["variant"] == variant).any()]
    entries: list[Any] = [
        style.legend_entry(looks[v].label, linestyle="", **looks[v].marker(4)) for v in present
    ]
    figure.legend(handles=entries, loc="outside lower center", ncol=min(8, len(entries)), handletextpad=0.2)
    return figure


def agreement_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """How other metrics agree with FID on one data set; None where none can be compared with it."""
    data, label = agreement_data(comparison, dataset), comparison.dataset_label(dataset)
    if data.empty:
        return None
    name = data["metric"].iloc[0]
    points = _agreement_points(comparison, dataset, name)
    with style.house_style():
        figure = _agreement_figure(data, points, name, style.looks(comparison.manifest))
    n = int(
        (~comparison.finished["outcome"].isin(FAILED) & (comparison.finished["dataset"] == dataset)).sum()
    )
    most = int(data["trials"].max())
    drawn = f"{most} of the {n}" if most < n else f"the {n}"
    return Plot(
        name=f"agreement-{slug(dataset)}",
        question=f"Do other metrics rank trials on {label} as FID does?",
        headline=_headline(data),
        takeaway=_takeaway(comparison, data),
        caption=f"Left: Spearman’s rank correlation over {drawn} trials that did not fail, all variants "
        "together, with its sign turned where higher is better, and its 95 % bootstrap interval. Right: "
        f"these trials by FID and {METRICS[name].label}. Every metric is that of the evaluation at which the "
        f"trial’s FID is lowest. {dependence(comparison)}".strip(),
        alt=f"Left, dots with intervals: rank correlation of FID on {label} with each other metric. Right, "
        f"scatter plot of FID and {METRICS[name].label}, a marker per trial.",
        figure=figure,
        data=data,
        table=_table(comparison, dataset, data),
    )


def _headline(data: pd.DataFrame) -> str:
    ends = list(dict.fromkeys(f"{end:.2f}" for end in (data["agreement"].min(), data["agreement"].max())))
    return f"Whether other metrics agree with FID: rank correlations of {' to '.join(ends)}"


def _takeaway(comparison: Comparison, data: pd.DataFrame) -> str:
    ordered = data.sort_values("agreement", ascending=False, kind="stable")
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    text = f"{_capital(METRICS[best['metric']].label)} agrees best with FID ({_interval(best)})"
    if len(ordered) == 1:
        text = (
            f"{_capital(METRICS[best['metric']].label)} and FID have a rank correlation of {_interval(best)}"
        )
    else:
        text += f", {METRICS[worst['metric']].label} least ({_interval(worst)})"
    unclear = [METRICS[name].label for name in data.loc[data["low"] <= 0, "metric"]]
    if unclear:
        text += f"; no agreement is established for {listing(unclear)}"
    same = [METRICS[name].label for name in data.loc[data["place"] == 1, "metric"]]
    first = f"The trial of lowest FID is also the best by {listing(same)}" if same else ""
    return f"{text}. {first or 'No other metric has the trial of lowest FID for its best'}."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _interval(line: Any) -> str:
    return f"{line['agreement']:.2f} [{line['low']:.2f}, {line['high']:.2f}]"


def _table(comparison: Comparison, dataset: str, data: pd.DataFrame) -> Table:
    trials = where(dataset=dataset, phase=Phase.SEARCH, is_default=False, status=Status.COMPLETED)
    rows = [linked(_cells(comparison, line), trials) for line in data.to_dict("records")]
    columns = (
        "Metric",
        "Rank correlation with FID [95 %]",
        "Kendall’s τ [95 %]",
        "Trials",
        "Its best trial is of",
        "Place of FID’s best",
    )
    return Table(columns, tuple(rows))


def _cells(comparison: Comparison, line: dict[Any, Any]) -> tuple[Cell, ...]:
    best = where(trial_id=str(line["best_trial"]))
    return (
        Cell(_capital(METRICS[line["metric"]].label)),
        Cell(f"{line['agreement']:.2f}", f"[{line['low']:.2f}, {line['high']:.2f}]", line["agreement"]),
        Cell(f"{line['tau']:.2f}", f"[{line['tau_low']:.2f}, {line['tau_high']:.2f}]", line["tau"]),
        Cell(str(line["trials"]), value=line["trials"]),
        Cell(comparison.label(line["variant"]), variant=line["variant"], trials=best),
        Cell(str(line["place"]), value=line["place"]),
    )
