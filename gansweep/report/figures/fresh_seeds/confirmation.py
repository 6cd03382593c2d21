"""What the winners of the search score on fresh seeds: the numbers that a paper may state.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, the table of the best FID over 50
seeds. Deviations: (1) the median with its exact interval and the share of bad seeds come first, since one
collapsed run makes mean and standard deviation unreadable; these are given for the good seeds; (2) no seed
is left out.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, fresh_seeds, linked, where
from gansweep.report.figures.search.distribution import (
    BELOW,
    add_legend,
    plot_distribution,
    row_values,
)
from gansweep.report.statistics import Scores
from gansweep.report.style import style
from gansweep.report.text.numbers import fid_text, mean_text, range_text
from gansweep.report.text.verdict import confirmed_sentence
from gansweep.results.row import Outcome, slug

_TABLE_COLUMNS = (
    "Variant",
    "Leads",
    "Median FID [95 %]",
    "Bad seeds, % [95 %]",
    "Mean ± sd of good seeds",
    "Lowest",
    "Highest",
    "Seeds",
    "FID in the search",
    "Configuration",
)


def confirmation_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per seed, and one per variant for the trial of the search whose configuration it has. Every
    score is the FID to the images that are reported, of the checkpoint that was selected."""
    seeds = comparison.confirmed[comparison.confirmed["dataset"] == dataset]
    winners = seeds[["variant", "trial_number"]].drop_duplicates()
    search = comparison.trials[comparison.trials["dataset"] == dataset].merge(winners)
    seeds = seeds.assign(is_default=False, score=seeds["reported"])
    points = pd.concat([seeds, search.assign(is_default=True, score=search["reported"])])
    columns = ["dataset", "variant", "trial_id", "trial_number", "seed", "outcome", "score", "is_default"]
    points = points.sort_values(["variant", "is_default", "trial_id"])[columns].reset_index(drop=True)
    return points.rename(columns={"is_default": "is_search"})


def confirmation_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The seeds of every winner on one data set; None where nothing has been confirmed."""
    scores = comparison.confirmed_scores(dataset)
    if not scores:
        return None
    points, order = confirmation_data(comparison, dataset), list(scores)
    rows = points.rename(columns={"is_search": "is_default"})
    figure, ax = _figure(comparison, rows, order)
    sizes = sorted({len(values) for values in scores.values()})
    return Plot(
        name=f"confirmed-{slug(dataset)}",
        question=f"What do the winners score on fresh seeds on {comparison.dataset_label(dataset)}?",
        headline=f"Fresh seeds: {comparison.label(order[0])} has the lowest median FID",
        takeaway=confirmed_sentence(comparison, dataset),
        caption=f"Dots: fresh seeds of the configuration chosen for each variant, {range_text(sizes)} each; "
        "bar and tick: quartiles and median, a failed seed counting as worst; thin line: the exact 95 % "
        "interval of the median, where so many seeds give one; star: the trial of the search "
        "that the configuration was chosen for, its luck included; triangle: the lowest. Failed seeds have "
        "no dot. Bad seeds failed or collapsed. Intervals are of each variant alone: whether two variants "
        "differ is decided by the tests of all pairs, not by whether intervals overlap. All FIDs are to the "
        "test images; "
        f"{_chosen_on(comparison, dataset)}.",
        alt="Strip plot of the FID of fresh seeds, a row per variant, on a logarithmic axis.",
        figure=figure,
        data=points,
        table=_table(comparison, dataset, points, scores),
        values=tuple(row_values(rows, order, style.looks(comparison.manifest), ax)),
    )


def _figure(comparison: Comparison, rows: pd.DataFrame, order: list[str]) -> tuple[Figure, Axes]:
    with style.house_style():
        figure = style.new_figure(1.0 + 0.3 * len(order), 5.0)
        ax = plot_distribution(rows, order, style.looks(comparison.manifest), figure.subplots())
        ax.set_xlabel("FID (log; lower is better)")
        bounded = _draw_intervals(rows, order, ax)
        add_legend(figure, 3, rows, "one seed", "its trial of the search", "95 %" if bounded else "")
    return figure, ax


def _draw_intervals(points: pd.DataFrame, order: list[str], ax: Axes) -> bool:
    """Draw the 95 % interval of the median of each row, where it has two ends; returns whether any has."""
    found = False
    for row, variant in enumerate(order):
        mine = points[(points["variant"] == variant) & ~points["is_default"]]
        estimate = statistics.median_best(np.sort(mine["score"].to_numpy(float)), 1)
        ends = [estimate.low, estimate.high]
        if np.isfinite(ends).all():
            found = True
            line: dict[str, Any] = {"marker": "|", "markersize": 4, "markeredgewidth": 0.7}
            ax.plot(ends, [row + BELOW] * 2, color=style.INK, linewidth=0.7, zorder=4, **line)
    return found


def _table(
    comparison: Comparison,
    dataset: str,
    points: pd.DataFrame,
    scores: dict[str, Scores],
) -> Table:
    rows, leading = [], comparison.seed_pairs[dataset].leading
    for name in scores:
        mine = points[(points["variant"] == name) & ~points["is_search"]]
        search = points[(points["variant"] == name) & points["is_search"]]
        names = (
            Cell(comparison.label(name), variant=name),
            Cell("●" if name in leading else "", value=0 if name in leading else 1),
        )
        seeds = _seeds(scores[name], mine, fresh_seeds(dataset=dataset, variant=name, outcome=Outcome.OK))
        cells = (*linked(seeds, fresh_seeds(dataset=dataset, variant=name)), *_found(search))
        rows.append((*names, *cells))
    return Table(_TABLE_COLUMNS, tuple(rows))


def _seeds(scores: Scores, seeds: pd.DataFrame, good_seeds: str) -> tuple[Cell, ...]:
    """The scores of the seeds of one variant; good_seeds: the filter of good seeds."""
    estimate, n = statistics.median_best(scores, 1), len(scores)
    bad = int((seeds["outcome"] != Outcome.OK).sum())
    low, high = statistics.wilson(bad, n)
    good = seeds.loc[seeds["outcome"] == Outcome.OK, "score"].to_numpy(float)
    sd = float(good.std(ddof=1)) if len(good) > 1 else math.nan
    mean = mean_text(float(good.mean()), sd) if len(good) else "–"
    return (
        Cell(_text(estimate.value), f"[{_text(estimate.low)}, {_text(estimate.high)}]", estimate.value),
        Cell(f"{100 * bad / n:.0f}", f"[{100 * low:.0f}, {100 * high:.0f}]", bad / n),
        *linked([Cell(mean, value=_mean(good))], good_seeds),
        Cell(_text(scores[0]), value=float(scores[0])),
        Cell(_text(scores[-1]), value=float(scores[-1])),
        Cell(str(n), value=n),
    )


def _found(search: pd.DataFrame) -> tuple[Cell, Cell]:
    """The trial of the search whose configuration was confirmed."""
    score, trial_id = float(search["score"].min()), str(search["trial_id"].iloc[0])
    trial = where(trial_id=trial_id)
    return Cell(_text(score), value=score, trials=trial), Cell(trial_id, trials=trial)


def _mean(values: Scores) -> float:
    return float(values.mean()) if len(values) else math.inf


def _text(value: float) -> str:
    if math.isinf(value):
        return "fail" if value > 0 else "none"
    return fid_text(value)


def _chosen_on(comparison: Comparison, dataset: str) -> str:
    also = comparison.selects_on(dataset) == "test"
    images = "they also" if also else "a validation set, to which the FIDs of the search are,"
    return f"{images} choose{'' if also else 's'} checkpoints and configurations"
