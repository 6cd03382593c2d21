"""Performance profiles: the chance that a run is good enough, for every meaning of good enough.

Source: Dolan and Moré, "Benchmarking optimization software with performance profiles", 2002,
arXiv:cs/0102001. Deviation: ratios are to the best FID known on a data set, whoever has it, so leaving a
variant out does not change the order of the others.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, listing
from gansweep.report.figures.base import Cell, Plot, Table, draws, fresh_seeds, linked
from gansweep.report.figures.search.budget import MAX_BANDS, highlighted
from gansweep.report.statistics import Scores
from gansweep.report.style import labels, style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import range_text

_CONFIGURATIONS, _SEEDS = "configurations", "seeds"
_NAMES = {_CONFIGURATIONS: "random configurations", _SEEDS: "fresh seeds"}
_N_POINTS, _MAX_RATIO = 120, 30.0  # of a curve; the largest ratio that is drawn
_TABLE_RATIOS = (1.1, 1.5, 2.0)


def profile_data(comparison: Comparison) -> pd.DataFrame:
    """The curves: runs (configurations or seeds), variant, n, ratio, share of the runs with an FID of at most
    ratio times the best one known on their data set, averaged over data sets, with its 95 % interval.

    Ratio +inf is every run that did not fail.
    """
    lines = []
    for runs, groups in _groups(comparison).items():
        best = _best(comparison, runs)
        ratios = np.unique([*np.geomspace(1, _widest(groups, best), _N_POINTS), *_TABLE_RATIOS, math.inf])
        for variant, scores in groups.items():
            share, low, high = statistics.profile(scores, best, ratios)
            curve = {"ratio": ratios, "share": share, "low": low, "high": high}
            n = sum(map(len, scores.values()))
            lines.append(pd.DataFrame({"runs": runs, "variant": variant, "n": n} | curve))
    columns = ["runs", "variant", "n", "ratio", "share", "low", "high"]
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(columns=columns)


def _groups(comparison: Comparison) -> dict[str, dict[str, dict[str, Scores]]]:
    """The scores of each kind of runs, as [runs][variant][dataset]; only of variants with runs everywhere."""
    search = {name: comparison.started(name) for name in comparison.datasets}
    confirmed = {name: comparison.confirmed_scores(name) for name in comparison.datasets}
    sample = comparison.is_random_search and not comparison.is_halved
    kinds = {_CONFIGURATIONS: search if sample else {}, _SEEDS: confirmed}
    groups = {}
    for runs, by_dataset in kinds.items():
        there = {name: scores for name, scores in by_dataset.items() if scores}
        everywhere = [v for v in comparison.variants if there and all(v in s for s in there.values())]
        chosen = {v: {name: scores[v] for name, scores in there.items()} for v in everywhere}
        if any(np.isfinite(s[0]) for scores in chosen.values() for s in scores.values()):
            groups[runs] = chosen
    return groups


def _best(comparison: Comparison, runs: str) -> dict[str, float]:
    """The lowest FID of any trial of any phase on each data set, of the kind that the runs are scored by."""
    trials = pd.concat([comparison.trials, comparison.reruns])
    column = "score" if runs == _CONFIGURATIONS else "reported"
    return {str(name): float(group[column].min()) for name, group in trials.groupby("dataset")}


def _widest(groups: dict[str, dict[str, Scores]], best: dict[str, float]) -> float:
    """The ratio that 19 of 20 runs reach that have not failed, of the data sets with a best score above 0."""
    cells = [(scores, best[name]) for mine in groups.values() for name, scores in mine.items()]
    ratios = [scores[np.isfinite(scores)] / lowest for scores, lowest in cells if lowest > 0]
    finite = np.concatenate([np.ones(1), *ratios])
    return float(np.clip(np.quantile(finite, 0.95), 1.5, _MAX_RATIO))


def plot_profile(curves: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw the profiles of one kind of runs: variants of `looks` in colour, the first with a band."""
    ax = ax or style.new_figure(3.1, 4.5).subplots()
    curves = curves[np.isfinite(curves["ratio"])]
    log_axis(ax.xaxis, 1.0, float(curves["ratio"].max()), most=6)
    ax.set_ylim(0, 100)
    ax.grid(True, axis="y")
    ends = []
    for variant, curve in curves.groupby("variant"):
        look = looks.get(str(variant))
        ratio, share = curve["ratio"], 100 * curve["share"]
        if look is None:
            ax.plot(ratio, share, color=style.FAINT, linewidth=0.8, zorder=1)
            continue
        if str(variant) in list(looks)[:MAX_BANDS]:
            ax.fill_between(
                ratio, 100 * curve["low"], 100 * curve["high"], color=look.color, alpha=0.13, linewidth=0
            )
        line: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
        ax.plot(ratio, share, linewidth=1.5, zorder=4, clip_on=False, **line)
        marked = slice(_N_POINTS // 8, None, _N_POINTS // 4)
        ax.plot(ratio[marked], share[marked], linestyle="", zorder=5, clip_on=False, **look.marker(3.5))
        ends.append((look, float(ratio.iloc[-1]), float(share.iloc[-1])))
    labels.end_labels(ax, ends)
    return ax


def _profile_ranking(curves: pd.DataFrame) -> list[str]:
    """The variants of one kind of runs, the highest profile first (its mean over log ratios)."""
    heights = curves[np.isfinite(curves["ratio"])].groupby("variant")["share"].mean()
    return [str(name) for name in heights.sort_values(ascending=False, kind="stable").index]


def _profile_figure(comparison: Comparison, curves: pd.DataFrame) -> Figure:
    """A panel for each kind of runs."""
    kinds = list(dict.fromkeys(curves["runs"]))
    figure = style.new_figure(3.0, style.WIDTH if len(kinds) > 1 else 4.6)
    for letter, ax, runs in zip("ab", figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=False):
        here = curves[curves["runs"] == runs]
        plot_profile(here, highlighted(comparison, _profile_ranking(here)), ax)
        ax.set_title(f"({letter}) {_NAMES[runs]}" if len(kinds) > 1 else _NAMES[runs])
        ax.set_xlabel("τ: FID ÷ best FID known (log)")
        ax.set_ylabel("% of runs with FID\n≤ τ × best FID" if letter == "a" else "")
    return figure


def profile_plot(comparison: Comparison) -> Plot:
    """The profiles of a study; without a figure where no runs are independent draws."""
    curves = profile_data(comparison)
    with style.house_style():
        figure = _profile_figure(comparison, curves) if len(curves) else None
    return Plot(
        name="profile",
        question="What is the chance that a run is good enough?",
        headline=_headline(comparison, curves),
        takeaway=_takeaway(comparison, curves) if len(curves) else _refusal(comparison),
        caption=_caption(comparison, curves),
        alt="Line charts: share of runs within a factor of the best FID, against that factor, for "
        f"{comparison.labels(comparison.variants)}.",
        figure=figure,
        data=curves,
        table=_table(comparison, curves) if len(curves) else None,
    )


def _headline(comparison: Comparison, curves: pd.DataFrame) -> str:
    if curves.empty:
        return "How often a run is good enough: no profile"
    first = comparison.label(_profile_ranking(curves[curves["runs"] == curves["runs"].iloc[-1]])[0])
    return f"How often a run is good enough: most often with {first}"


def _caption(comparison: Comparison, curves: pd.DataFrame) -> str:
    of = f", of {_sizes(curves)}" if len(curves) else ""
    return (
        "Share of runs whose FID is at most τ times the best FID known on their data set"
        f"{of}; averaged over {len(comparison.datasets)} data set{'s' * (len(comparison.datasets) > 1)}. A "
        "failed run never reaches it, so a curve ends at "
        "or below its share of runs that did not fail. Band: the 95 % interval of each "
        "share alone (Clopper-Pearson on each data set, combined by the square-and-add method) of the "
        "highest; the plotted data have all. Intervals are of one share at one τ over all data sets; "
        "whether two variants differ on a data set is decided by the tests of the verdict."
        f"{_zero_best(comparison)}"
    )


def _sizes(curves: pd.DataFrame) -> str:
    parts = []
    for runs, here in curves.groupby("runs", sort=False):
        sizes = sorted(set(here["n"]))
        parts.append(f"{range_text(sizes)} {_NAMES[str(runs)]}")
    return " and ".join(parts) + " a variant"


def _table(comparison: Comparison, curves: pd.DataFrame) -> Table:
    """A line per variant and kind of runs: shares within some ratios, and that of runs that did not fail."""
    columns = ["Variant", "Runs", *[f"within {100 * (r - 1):.0f} %, % [95 %]" for r in _TABLE_RATIOS[:2]]]
    columns += ["within a factor of 2, % [95 %]"]
    some_failed = bool((curves.loc[np.isinf(curves["ratio"]), "share"] < 1).any())
    columns += ["did not fail, % [95 %]", "n"] if some_failed else ["n"]
    ends = [*_TABLE_RATIOS, math.inf] if some_failed else [*_TABLE_RATIOS]
    rows = []
    for runs, here in curves.groupby("runs", sort=False):
        for variant in _profile_ranking(here):
            mine = here[here["variant"] == variant]
            n, chosen = int(mine["n"].iloc[0]), mine[mine["ratio"].isin(ends)]
            cells = [_share(*point) for point in chosen[["share", "low", "high"]].to_numpy(float)]
            name = Cell(comparison.label(variant), variant=variant)
            trials = (draws if runs == _CONFIGURATIONS else fresh_seeds)(variant=variant)
            rows.append((name, Cell(_NAMES[str(runs)]), *linked([*cells, Cell(str(n), value=n)], trials)))
    return Table(tuple(columns), tuple(rows))


def _zero_best(comparison: Comparison) -> str:
    """A sentence on the data sets whose lowest FID is not above 0, so that no ratio to it exists."""
    lowest = {_CONFIGURATIONS: _best(comparison, _CONFIGURATIONS), _SEEDS: _best(comparison, _SEEDS)}
    names = [
        name for name in comparison.datasets if any(best.get(name, 1.0) <= 0 for best in lowest.values())
    ]
    if not names:
        return ""
    labels_of = listing([comparison.dataset_label(name) for name in names])
    return f" The best FID known on {labels_of} is not above 0: there only runs as low are within any factor."


def _share(share: float, low: float, high: float) -> Cell:
    """A share and its interval, in %."""
    return Cell(f"{100 * share:.0f}", f"[{100 * low:.0f}, {100 * high:.0f}]", share)


def _refusal(comparison: Comparison) -> str:
    if comparison.is_random_search and not comparison.is_halved:
        return "No profile: no trial has a finite FID."
    sought = f"the sampler “{comparison.manifest.sampler}” seeks good configurations"
    if comparison.is_halved:
        sought = "the search prunes trials"
    return f"No profile: {sought}, so its trials are not a sample of them, and no winner ran on fresh seeds."


def _takeaway(comparison: Comparison, curves: pd.DataFrame) -> str:
    sentences = []
    for runs, here in curves[curves["ratio"] == _TABLE_RATIOS[-1]].groupby("runs", sort=False):
        order = _profile_ranking(curves[curves["runs"] == runs])
        shares = 100 * here.set_index("variant")["share"].loc[order]
        most, least = str(shares.idxmax()), str(shares.idxmin())
        start = f"Of the {_NAMES[str(runs)]} of {comparison.label(most)}, {shares[most]:.0f} %"
        text = f"{start} come within a factor of 2 of the best FID known"
        if not math.isclose(shares[most], shares[least]):
            text += f", of {comparison.label(least)} {shares[least]:.0f} %"
        sentences.append(f"{text}.")
    return " ".join(sentences)
