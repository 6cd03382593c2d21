"""Mode coverage on mixtures: the number of covered components, the quality of samples, and both over time."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.metrics.strips import Group, metric_table, order_of, takeaway, with_best
from gansweep.report.metrics import per_trial
from gansweep.report.statistics import quantile
from gansweep.report.style import style
from gansweep.report.style.panels import small_panels
from gansweep.report.style.style import Look
from gansweep.results.row import FAILED, slug

_COVERAGE = Group(
    name="coverage",
    question="How many modes are covered",
    headline="How many modes are covered",
    at="",
    caption="A sample is of high quality if it lies within three standard deviations of a mode; a mode is "
    "covered if it has such a sample. The table holds the last evaluation of each trial; the best trial is "
    "that of lowest FID.",
)


def coverage_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """Quartiles over trials of both metrics at each step; a failed trial counts as 0 from then on."""
    trials = comparison.finished[comparison.finished["dataset"] == dataset]
    lines = []
    for metric in comparison.measured(dataset, _COVERAGE.metrics):
        for variant, mine in trials.groupby("variant"):
            table = _by_step(comparison.evaluations, mine, metric)
            for step, values in table.items():
                scores = np.sort(values.dropna().to_numpy(float))
                q1, q2, q3 = (quantile(scores, p) for p in (0.25, 0.5, 0.75))
                quartiles = {"lower_quartile": q1, "median": q2, "upper_quartile": q3}
                lines.append(
                    {"variant": variant, "metric": metric, "step": step, "n": len(scores)} | quartiles
                )
    return pd.DataFrame(lines)


def _by_step(evaluations: pd.DataFrame, trials: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric by trial (lines) and evaluated step (columns): 0 from a failure on."""
    rows = evaluations[evaluations["trial_id"].isin(trials["trial_id"])].dropna(subset=[metric])
    rows = rows.drop_duplicates(["trial_id", "step"], keep="last")
    table = rows.pivot(index="trial_id", columns="step", values=metric).reindex(trials["trial_id"])
    failed = trials.loc[trials["outcome"].isin(FAILED), "trial_id"]
    table.loc[failed] = table.loc[failed].fillna(0.0)
    return table


def plot_coverage(curves: pd.DataFrame, n_modes: int, look: Look, ax: Axes | None = None) -> Axes:
    """Draw the course of one variant, in %: modes covered of `n_modes`, and high-quality samples."""
    ax = ax or style.new_figure(1.6, 2.2).subplots()
    for metric, scale, color, dash in (
        ("high_quality", 100.0, style.MUTE, (0, (3, 1.4))),
        ("modes", 100.0 / n_modes, look.color, "solid"),
    ):
        curve = curves[curves["metric"] == metric]
        marked: dict[str, Any] = {"marker": "o", "markersize": 3} if len(curve) == 1 else {}
        low, middle, high = (scale * curve[name] for name in ("lower_quartile", "median", "upper_quartile"))
        ax.fill_between(curve["step"], low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(curve["step"], middle, color=color, linewidth=1.6, linestyle=dash, clip_on=False, **marked)
    ax.set_ylim(0, 100)
    ax.set_yticks([0, 25, 50, 75, 100], ["0", "", "50", "", "100"])
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.grid(True, axis="y")
    ax.set_title(look.label, fontsize=8, pad=4)
    return ax


def _coverage_figure(curves: pd.DataFrame, n_modes: int, order: list[str], looks: dict[str, Look]) -> Figure:
    """A panel per variant, all with the same axes."""
    panels = small_panels(len(order), height=1.3, margin=0.5)
    for ax, variant in zip(panels.axes, order, strict=True):
        plot_coverage(curves[curves["variant"] == variant], n_modes, looks[variant], ax)
    panels.label("step", "%")
    entries = [
        style.legend_entry(f"modes covered, of {n_modes}", color=style.INK, linewidth=1.6),
        style.legend_entry(
            "samples of high quality", color=style.MUTE, linewidth=1.6, linestyle=(0, (3, 1.4))
        ),
    ]
    panels.figure.legend(handles=entries, loc="outside lower center", ncol=2)
    return panels.figure


def coverage_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Modes and high-quality samples on one data set; None where they were not measured."""
    names = comparison.measured(dataset, _COVERAGE.metrics)
    if len(names) < len(_COVERAGE.metrics):
        return None
    points = with_best(per_trial(comparison, dataset, names), "")
    if points.empty:
        return None
    order, curves = order_of(points, "modes"), coverage_data(comparison, dataset)
    n_modes = comparison.manifest.datasets[dataset].n_classes
    with style.house_style():
        figure = _coverage_figure(curves, n_modes, order, style.looks(comparison.manifest))
    label = comparison.dataset_label(dataset)
    return Plot(
        name=f"coverage-{slug(dataset)}",
        question=f"{_COVERAGE.question} on {label}?",
        headline=f"{_COVERAGE.headline}: most by {comparison.label(order[0])}",
        takeaway=takeaway(comparison, points, names),
        caption=f"{_COVERAGE.caption} Lines: medians over all trials of a variant, bands: quartiles; a "
        "failed trial covers nothing from its failure on.",
        alt="Line charts, one panel per variant: share of modes covered and of high-quality samples on "
        f"{label} against training step.",
        figure=figure,
        data=curves,
        table=metric_table(comparison, dataset, points, names, order),
    )
