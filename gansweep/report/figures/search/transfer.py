"""Do configurations keep their order on another data set, and is the best of one good on the other?

Every data set was searched with the same configurations, so each is a pair of results.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, draws, linked
from gansweep.report.figures.search.budget import highlighted
from gansweep.report.figures.search.distribution import overall_order
from gansweep.report.metrics import metric_text
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.style.panels import large_panels
from gansweep.report.style.style import Look

_MAX_DOTS = 600  # dots of a panel
_MIN_CONFIGURATIONS = 3  # configurations for a rank correlation
_REGRETS = ["moved_there", "regret_there", "moved_here", "regret_here"]


def transfer_data(comparison: Comparison) -> pd.DataFrame:
    """A line per pair of data sets (the first with each other), variant and configuration with results on
    both: its FID `here`, on the first, and `there`; +inf where it failed."""
    key, (first, *others) = ["variant", "config_id"], comparison.datasets
    trials = comparison.finished.drop_duplicates(["dataset", *key])  # a configuration may be drawn twice
    scores = trials.pivot(index=key, columns="dataset", values="score").reindex(columns=comparison.datasets)
    lines = []
    for other in others:
        pairs = scores[[first, other]].dropna().set_axis(["here", "there"], axis=1).reset_index()
        lines.append(pairs.assign(first=first, other=other))
    return pd.concat(lines, ignore_index=True)[["first", "other", *key, "here", "there"]]


def _transfer_summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """A line per pair of data sets and variant: n, Spearman's correlation with its 95 % interval, and the
    regrets: FID on the other data set of the best configuration of the first, divided by the best there
    (`regret_there`), and the reverse (`regret_here`). NaN where all configurations fail on either, the
    multiples also where the best is not above 0.
    `best_here` and `best_there` are the configurations."""
    lines = []
    for (other, variant), mine in pairs.groupby(["other", "variant"], sort=False):
        here, there = mine["here"].to_numpy(float), mine["there"].to_numpy(float)
        line: dict[str, Any] = {"other": other, "variant": variant, "n": len(mine)}
        if len(mine) >= _MIN_CONFIGURATIONS:
            found = statistics.rank_correlation(here, there)
            line |= {"correlation": found.value, "low": found.low, "high": found.high}
        line["moved_there"], line["regret_there"] = _moved(here, there)
        line["moved_here"], line["regret_here"] = _moved(there, here)
        configurations = mine["config_id"].to_numpy()
        line["best_here"], line["best_there"] = configurations[[here.argmin(), there.argmin()]]
        lines.append(line)
    columns = ["other", "variant", "n", "correlation", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, *_REGRETS, "best_here", "best_there"])


def _moved(tuned: np.ndarray, used: np.ndarray) -> tuple[float, float]:
    """What the best configuration of one data set scores on another, and that as a multiple of the best; NaN
    where that is not above 0."""
    if math.isinf(tuned.min()) or math.isinf(used.min()):
        return math.nan, math.nan
    moved = float(used[tuned.argmin()])
    return moved, moved / float(used.min()) if used.min() > 0 else math.nan


def plot_transfer(pairs: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw the configurations of one pair of data sets: a dot each, failures in the grey lanes, with a marker
    each variant's best on the first data set. Without a look a variant is grey."""
    ax = ax or style.new_figure(3.2, 3.4).subplots()
    lanes = [_set_axis(axis, pairs[name]) for axis, name in ((ax.xaxis, "here"), (ax.yaxis, "there"))]
    ax.axvspan(*lanes[0], color=style.BAND, linewidth=0, zorder=0)
    ax.axhspan(*lanes[1], color=style.BAND, linewidth=0, zorder=0)
    corner: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "va": "bottom"}
    ax.text(1.0, 1.005, "fail", fontsize=6.5, color=style.MUTE, **corner)
    generator = np.random.default_rng(0)
    x, y = (_place(pairs[name], lane, generator) for name, lane in zip(("here", "there"), lanes, strict=True))
    dots: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 2.2, "markeredgewidth": 0}
    every = math.ceil(len(pairs) / _MAX_DOTS)
    for variant, mine in pairs.assign(x=x, y=y).groupby("variant"):
        look, drawn = looks.get(str(variant)), mine[::every]
        if look is None:
            ax.plot(drawn["x"], drawn["y"], color=style.FAINT, zorder=1, **dots)
            continue
        ax.plot(drawn["x"], drawn["y"], color=look.color, alpha=0.55, zorder=3, **dots)
        best = mine[(mine["here"] == mine["here"].min()) & np.isfinite(mine["here"])].head(1)
        ax.plot(best["x"], best["y"], linestyle="", zorder=6, **look.marker(5.5))
    return ax


def _set_axis(axis: Any, scores: pd.Series) -> tuple[float, float]:
    """A logarithmic axis for the scores; the ends of its lane for failures."""
    low, high = log_limits(scores, 0.9, 1.08)
    edge = high * (high / low) ** 0.1
    log_axis(axis, low, edge, most=6, last=high)
    return high, edge


def _place(scores: pd.Series, lane: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    """Where scores are drawn: failures anywhere in the lane."""
    anywhere = generator.uniform(0.1, 0.9, len(scores))
    return np.where(np.isfinite(scores), scores, lane[0] * (lane[1] / lane[0]) ** anywhere)


def _transfer_figure(comparison: Comparison, pairs: pd.DataFrame) -> Figure:
    """A panel for each pair of data sets."""
    others = list(dict.fromkeys(pairs["other"]))
    panels = large_panels(len(others), height=3.0, margin=0.4, narrow_width=4.4)
    there = [name for name in overall_order(comparison) if (pairs["variant"] == name).any()]
    looks = highlighted(comparison, there)
    for ax, other in zip(panels.axes, others, strict=True):
        plot_transfer(pairs[pairs["other"] == other], looks, ax)
        ax.set_xlabel(f"FID on {comparison.dataset_label(comparison.datasets[0])} (log)")
        ax.set_ylabel(f"FID on {comparison.dataset_label(other)} (log)")
    panels.hide_unused()
    entries = [style.legend_entry(look.label, linestyle="", **look.marker(4.5)) for look in looks.values()]
    if len(looks) < len(there):
        grey: dict[str, Any] = {"marker": "o", "markersize": 3, "color": style.FAINT}
        entries.append(style.legend_entry("other variants", linestyle="", **grey))
    columns = 4 * panels.n_columns
    panels.figure.legend(handles=entries, loc="outside lower center", ncol=columns, handletextpad=0.2)
    return panels.figure


def transfer_plot(comparison: Comparison) -> Plot | None:
    """How configurations carry over; None where data sets do not share them or none has two results."""
    if not comparison.manifest.same_configurations or len(comparison.datasets) < 2:
        return None
    pairs = transfer_data(comparison)
    if pairs.empty:
        return None
    summary, first = _transfer_summary(pairs), comparison.dataset_label(comparison.datasets[0])
    with style.house_style():
        figure = _transfer_figure(comparison, pairs)
    most = int(pairs.groupby("other").size().max())
    every = math.ceil(most / _MAX_DOTS)
    return Plot(
        name="transfer",
        question="Does a good configuration stay good on another data set?",
        headline=_headline(summary),
        takeaway=_takeaway(comparison, summary),
        caption="Each dot is a configuration that both data sets were searched with, at its lowest FIDs; "
        "failures lie in the grey lanes. Markers: the best configuration of each variant on "
        f"{first}.{f' One in {every} of {most} dots is drawn, all count.' if every > 1 else ''} Rank "
        "correlation: Spearman’s, failures tied as worst, with a 95 % bootstrap interval. Each result is of "
        "one seed, so part of the difference is luck, which would also appear on one data set.",
        alt=f"Scatter charts: FID of each configuration on {first} against its FID on another data set.",
        figure=figure,
        data=pairs,
        table=_table(comparison, summary),
    )


def _headline(summary: pd.DataFrame) -> str:
    known = summary["correlation"].dropna()
    if known.empty:
        return "From one data set to another: too few configurations to say"
    ends = list(dict.fromkeys(f"{end:.2f}" for end in (known.min(), known.max())))
    return f"From one data set to another: rank correlations of {' to '.join(ends)}"


def _table(comparison: Comparison, summary: pd.DataFrame) -> Table:
    first = comparison.dataset_label(comparison.datasets[0])
    columns = ["Variant", "Other data set", "Rank correlation [95 %]", f"Best on {first}: FID on the other"]
    columns += ["÷ best there", f"Best on the other: FID on {first}", "÷ best there", "Configurations"]
    rows = []
    for _, line in summary.iterrows():
        cells = [Cell(comparison.label(line["variant"]), variant=line["variant"])]
        cells.append(Cell(comparison.dataset_label(line["other"])))
        value, note = line["correlation"], f"[{line['low']:.2f}, {line['high']:.2f}]"
        cells.append(Cell("–", value=-2.0) if math.isnan(value) else Cell(f"{value:.2f}", note, value))
        for score, trials in zip(line[_REGRETS], _moves(comparison, line), strict=True):
            nothing = Cell("–", value=math.inf)
            cell = nothing if math.isnan(score) else Cell(metric_text("fid", score), value=score)
            cells += linked([cell], trials)
        both = draws(dataset=(comparison.datasets[0], line["other"]), variant=line["variant"])
        rows.append(linked([*cells, Cell(str(line["n"]), value=line["n"])], both))
    return Table(tuple(columns), tuple(rows))


def _moves(comparison: Comparison, line: pd.Series) -> list[str]:
    """The filters of the trials that each of REGRETS is made of."""
    here, there = line["best_here"], line["best_there"]
    sides = ((line["other"], here, (here, there)), (comparison.datasets[0], there, (there, here)))
    return [
        draws(dataset=dataset, variant=line["variant"], config_id=configurations)
        for dataset, *moved in sides
        for configurations in moved
    ]


def _takeaway(comparison: Comparison, summary: pd.DataFrame) -> str:
    groups = summary.groupby("other", sort=False)
    return " ".join(_sentence(comparison, str(other), lines) for other, lines in groups)


def _sentence(comparison: Comparison, other: str, lines: pd.DataFrame) -> str:
    """The correlation of the orders, and the FIDs of the winners of the first data set on the other."""
    here, there = (comparison.dataset_label(name) for name in (comparison.datasets[0], other))
    known = lines.dropna(subset=["correlation"]).sort_values("correlation", kind="stable")
    moved = lines.dropna(subset=["regret_there"]).sort_values("regret_there", kind="stable")
    if moved.empty:
        return f"{here} and {there}: no variant succeeds on both with FIDs above 0."
    ends = [
        f"{line['correlation']:.2f} ({comparison.label(line['variant'])})" for _, line in known.iterrows()
    ]
    span = f"from {ends[0]} to {ends[-1]}" if len(ends) > 1 else "".join(ends) or "unknown"
    worst, middle = moved.iloc[-1], float(moved["regret_there"].iloc[(len(moved) - 1) // 2])
    text = (
        f"{here} and {there}: the rank correlation of configurations is {span}; what is best on the first "
        f"has on the second {_times(middle)}"
    )
    if len(moved) == 1:
        return f"{text}."
    last = f"at worst {_times(float(worst['regret_there']))} ({comparison.label(worst['variant'])})"
    return f"{text} (median of variants), {last}."


def _times(regret: float) -> str:
    return f"{regret:.2f} times the best FID there" if math.isfinite(regret) else "a failure"
