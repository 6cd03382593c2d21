"""Learning curves: does a longer training help, and when do trials fail?"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import TRAINED_TO_END, Cell, Plot, Table, draws, linked
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.panels import small_panels
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import FAILED, slug

_STOPPING_COLUMNS = (
    "Variant",
    "Median last FID",
    "Median lowest FID",
    "Last ÷ lowest, median",
    "Lowest is the last, %",
    "Trials that did not fail",
)


def learning_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """Quartiles of FID over the trials at each evaluated step, and the FID of the best trial.

    A trial that has failed by a step counts as +inf there; a trial without a measurement yet does not count.
    """
    lines = []
    for variant in comparison.variants:
        chosen = (comparison.trials["dataset"] == dataset) & (comparison.trials["variant"] == variant)
        trials = comparison.trials[chosen & ~comparison.trials["is_default"]]
        rows = comparison.evaluations[comparison.evaluations["trial_id"].isin(trials["trial_id"])]
        table = _fid_by_step(trials, rows)
        finite = trials[np.isfinite(trials["score"].to_numpy(float))]
        best = finite.loc[finite["score"].idxmin(), "trial_id"] if len(finite) else None
        for step, fids in table.items():
            scores = np.sort(fids.dropna().to_numpy(float))
            q1, q2, q3 = (statistics.quantile(scores, p) for p in (0.25, 0.5, 0.75))
            quartiles = {"lower_quartile": q1, "median": q2, "upper_quartile": q3}
            alone = {"best_trial": fids.get(best, math.nan), "best_trial_id": best}
            lines.append({"variant": variant, "step": step, "n": len(scores)} | quartiles | alone)
    columns = [
        "variant",
        "step",
        "n",
        "lower_quartile",
        "median",
        "upper_quartile",
        "best_trial",
        "best_trial_id",
    ]
    return pd.DataFrame(lines, columns=columns)


def _fid_by_step(trials: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """FID by trial (lines) and evaluated step (columns): +inf from a failure on."""
    measured = rows.dropna(subset=["fid"]).drop_duplicates(["trial_id", "step"], keep="last")
    table = measured.pivot(index="trial_id", columns="step", values="fid").astype(float)
    table = table.reindex(trials["trial_id"])
    failed = trials.loc[trials["outcome"].isin(FAILED), "trial_id"]
    table.loc[failed] = table.loc[failed].fillna(math.inf)
    return table


def plot_learning(curve: pd.DataFrame, look: Look, ax: Axes | None = None) -> Axes:
    """Draw the learning curve of one variant: median and quartiles of all trials, and the best trial."""
    ax = ax or style.new_figure(2.0, 2.4).subplots()
    top = 10 * ax.get_ylim()[1]
    marked: dict[str, Any] = {"marker": "o", "markersize": 3} if len(curve) == 1 else {}
    band = curve[np.isfinite(curve["lower_quartile"])]
    ax.fill_between(
        band["step"],
        band["lower_quartile"],
        band["upper_quartile"].clip(upper=top),
        color=look.color,
        alpha=0.15,
        linewidth=0,
    )
    median = curve[np.isfinite(curve["median"])]
    ax.plot(median["step"], median["median"], color=look.color, linewidth=1.7, **marked)
    ax.plot(
        curve["step"], curve["best_trial"], color=style.INK, linewidth=1.0, linestyle=(0, (3, 1.4)), **marked
    )
    ax.grid(True, axis="y")
    ax.set_title(look.label, fontsize=8, pad=3)
    return ax


def _learning_figure(comparison: Comparison, dataset: str, curves: pd.DataFrame) -> Figure:
    """A panel per variant, all with the same axes."""
    order = [name for name in comparison.ranked(dataset) if (curves["variant"] == name).any()]
    looks = style.looks(comparison.manifest)
    panels = small_panels(len(order), height=1.35, margin=0.45)
    log_axis(panels.axes[0].yaxis, *_limits(curves), most=6)
    for ax, variant in zip(panels.axes, order, strict=True):
        plot_learning(curves[curves["variant"] == variant], looks[variant], ax)
    panels.label("step", "FID (log)")
    panels.axes[0].locator_params(axis="x", nbins=3)
    _add_legend(panels.figure)
    return panels.figure


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    values = curves[["lower_quartile", "median", "upper_quartile", "best_trial"]].to_numpy(float)
    return log_limits(values, 0.85, 1.2)


def _add_legend(figure: Figure) -> None:
    entries = [
        style.legend_entry("median and quartiles of the trials", color=style.MUTE, linewidth=1.7),
        style.legend_entry("best trial", color=style.INK, linewidth=1.0, linestyle=(0, (3, 1.4))),
    ]
    figure.legend(handles=entries, loc="outside lower center", ncol=2)


def learning_plot(comparison: Comparison, dataset: str) -> Plot:
    """The learning curves on one data set."""
    curves = learning_data(comparison, dataset)
    label = comparison.dataset_label(dataset)
    with style.house_style():
        figure = _learning_figure(comparison, dataset, curves) if len(curves) else None
    return Plot(
        name=f"learning-{slug(dataset)}",
        question=f"How does training proceed on {label}?",
        headline=_headline(curves),
        takeaway=_takeaway(comparison, curves),
        caption="FID of one evaluation against discriminator steps. Median and quartiles over all trials "
        "of a variant; from its failure on a trial counts as worse than any FID, so a band that leaves "
        "the top means that a quarter of the trials has failed. The best trial is chosen by its lowest "
        "FID, which flatters it. The table compares the last FID of a trial with the lowest of its "
        "evaluations, which is its score.",
        alt=f"Line charts, one panel per variant: FID on {label} against training step.",
        figure=figure,
        data=curves,
        table=_stopping_table(comparison, dataset) if len(curves) else None,
    )


def _headline(curves: pd.DataFrame) -> str:
    courses = [group["best_trial"].dropna() for _, group in curves.groupby("variant")]
    long = [course for course in courses if len(course) > 1]
    if not long:
        return "How training proceeds: too few evaluations to say"
    n = sum(course.iloc[-1] <= course.min() for course in long)
    return f"How training proceeds: {n} of {len(long)} best trials still improve at the end"


def _stopping_table(comparison: Comparison, dataset: str) -> Table:
    """The gain of selecting the best checkpoint of a trial instead of the last: a line per variant with
    trials that did not fail."""
    rows = []
    for variant in comparison.order(dataset):
        mine = comparison.finished[
            (comparison.finished["dataset"] == dataset)
            & (comparison.finished["variant"] == variant)
            & ~comparison.finished["outcome"].isin(FAILED)
        ].dropna(subset=["fid", "fid_best"])
        if len(mine):
            last, lowest = mine["fid"].to_numpy(float), mine["fid_best"].to_numpy(float)
            ratio = float(np.median([statistics.times(*pair) for pair in zip(last, lowest, strict=True)]))
            best_is_last = float((last == lowest).mean())
            cells = [
                Cell(fid_text(float(np.median(last))), value=float(np.median(last))),
                Cell(fid_text(float(np.median(lowest))), value=float(np.median(lowest))),
                Cell(f"{ratio:.2f}", value=ratio),
                Cell(f"{100 * best_is_last:.0f}", value=best_is_last),
                Cell(str(len(mine)), value=len(mine)),
            ]
            trials = draws(dataset=dataset, variant=variant, outcome=TRAINED_TO_END)
            rows.append((Cell(comparison.label(variant), variant=variant), *linked(cells, trials)))
    return Table(_STOPPING_COLUMNS, tuple(rows))


def _takeaway(comparison: Comparison, curves: pd.DataFrame) -> str:
    """Counts the variants whose best trial was still improving at the last evaluation."""
    courses = {str(name): group["best_trial"].dropna() for name, group in curves.groupby("variant")}
    long = {name: course for name, course in courses.items() if len(course) > 1}
    if not long:
        return (
            "There are not two evaluations of one trial yet."
            if len(curves)
            else "No figure: nothing was measured yet."
        )
    improving = [
        name for name in comparison.variants if name in long and long[name].iloc[-1] <= long[name].min()
    ]
    if not improving:
        return "No variant’s best trial has its lowest FID at the last evaluation; the steps suffice."
    return (
        f"The best trial of {comparison.labels(improving)} has its lowest FID at the last evaluation: a "
        f"longer training may lower it further ({len(improving)} of {len(long)} variants)."
    )
