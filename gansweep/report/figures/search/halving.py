"""The effect of successive halving: which trials continued, and the steps that it saved."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import TRAINED_TO_END, Cell, Plot, Table, draws, linked, where
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.panels import small_panels
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import FAILED, Outcome, Phase, slug


def halving_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """Every measurement of the search on a data set, without the defaults: variant, trial_id, step, fid, and
    the outcome of the trial."""
    trials = comparison.finished[comparison.finished["dataset"] == dataset]
    rows = comparison.evaluations[["trial_id", "step", "fid"]].dropna()
    found = trials[["variant", "trial_id", "outcome"]].merge(rows, on="trial_id")
    return found[["variant", "trial_id", "step", "fid", "outcome"]]


def plot_trials(measured: pd.DataFrame, look: Look, ax: Axes | None = None) -> Axes:
    """Draw the FIDs of each trial of one variant: pruned or failed trials in grey."""
    ax = ax or style.new_figure(2.0, 2.4).subplots()
    dropped = measured["outcome"].isin([Outcome.PRUNED, *FAILED])
    for mine, colour, width in (
        (measured[dropped], style.COLLAPSED, 0.6),
        (measured[~dropped], look.color, 1.2),
    ):
        lines = [trial[["step", "fid"]].to_numpy(float) for _, trial in mine.groupby("trial_id")]
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=width))
        ends = np.array([line[-1] for line in lines]).reshape(-1, 2)
        ax.plot(*ends.T, "o", color=colour, markersize=2.0)
    ax.set_title(look.label, fontsize=8, pad=3)
    ax.grid(True, axis="y")
    return ax


def _halving_figure(comparison: Comparison, measured: pd.DataFrame) -> Figure:
    """A panel per variant, all with the same axes."""
    order = [name for name in comparison.variants if (measured["variant"] == name).any()]
    panels = small_panels(len(order), height=1.5, margin=0.6, narrow_margin=1.2)
    usual = measured["fid"][measured["fid"] <= np.quantile(measured["fid"], 0.98)]
    log_axis(panels.axes[0].yaxis, *log_limits(usual, 0.85, 1.2), most=6)
    looks = style.looks(comparison.manifest)
    for ax, variant in zip(panels.axes, order, strict=True):
        plot_trials(measured[measured["variant"] == variant], looks[variant], ax)
    panels.label("steps of D", "FID (log)")
    return panels.figure


def halving_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The trials of a search that prunes; None where none has finished."""
    measured = halving_data(comparison, dataset)
    if measured.empty:
        return None
    label = comparison.dataset_label(dataset)
    with style.house_style():
        figure = _halving_figure(comparison, measured)
    return Plot(
        name=f"halving-{slug(dataset)}",
        question=f"Which trials were pruned on {label}, and what does it save?",
        headline=_headline(comparison, dataset),
        takeaway=_takeaway(comparison, dataset),
        caption=f"FID of each trial of the search at its evaluations, without the defaults; a dot ends it. "
        f"Coloured: trials that continued to the end; grey: trials that were pruned or failed. Within a "
        f"{'bracket' if comparison.unit == 'bracket' else 'bracket of a group'} "
        "the trials of lowest FID so far continue. The final FIDs of the others are unknown: the lines "
        "to the right show chosen trials and not how a random configuration learns.",
        alt=f"Line charts, one panel per variant: FID on {label} against training step, a line per trial.",
        figure=figure,
        data=measured,
        table=_halving_table(comparison, dataset),
    )


def _headline(comparison: Comparison, dataset: str) -> str:
    here = comparison.finished[comparison.finished["dataset"] == dataset]
    n = int((here["outcome"] == Outcome.PRUNED).sum())
    return f"What pruning saves: {n} of {len(here)} trials were stopped early"


def _halving_table(comparison: Comparison, dataset: str) -> Table:
    """A line per variant: how its trials ended, what they cost, and the best FID."""
    columns = ("Variant", "Trials", "Pruned", "Failed", "To the end", "Steps of D", "Of all, %", "Best FID")
    rows = []
    for variant in comparison.ranked(dataset):
        mine = _trials(comparison, dataset, variant)
        if mine.empty:
            continue
        cell = {"dataset": dataset, "variant": variant}
        n_pruned = int((mine["outcome"] == Outcome.PRUNED).sum())
        n_failed = int(mine["outcome"].isin(FAILED).sum())
        share, best = _share(mine), float(mine["score"].min())
        pruned = where(**cell, phase=Phase.SEARCH, outcome=Outcome.PRUNED)
        failed = where(**cell, phase=Phase.SEARCH, is_default=False, outcome=FAILED)
        whole = draws(**cell, outcome=TRAINED_TO_END)
        cells = [
            Cell(str(len(mine)), value=len(mine)),
            Cell(str(n_pruned), value=n_pruned, trials=pruned),
            Cell(str(n_failed), value=n_failed, trials=failed),
            Cell(str(len(mine) - n_pruned - n_failed), value=len(mine) - n_pruned - n_failed, trials=whole),
            Cell(f"{mine['steps'].sum():,}", value=float(mine["steps"].sum())),
            Cell(f"{100 * share:.0f}", value=share),
            Cell(fid_text(best if best < math.inf else None, "fail"), value=best, trials=whole),
        ]
        rows.append((Cell(comparison.label(variant), variant=variant), *linked(cells, draws(**cell))))
    return Table(columns, tuple(rows))


def _trials(comparison: Comparison, dataset: str, variant: str) -> pd.DataFrame:
    mine = comparison.finished
    return mine[(mine["dataset"] == dataset) & (mine["variant"] == variant)]


def _share(trials: pd.DataFrame) -> float:
    """The steps of these trials as a share of what they would all have had."""
    return float(trials["steps"].sum() / trials["steps_planned"].sum())


def _takeaway(comparison: Comparison, dataset: str) -> str:
    here = comparison.finished[comparison.finished["dataset"] == dataset]
    n_pruned = int((here["outcome"] == Outcome.PRUNED).sum())
    n_whole = int(here["outcome"].isin(TRAINED_TO_END).sum())
    return (
        f"Of {len(here)} trials {n_pruned} were pruned and {n_whole} trained to their end, with "
        f"{100 * _share(here):.0f} % of the steps that all of them would have taken to their end."
    )
