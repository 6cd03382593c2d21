"""How much worse than the leader is each variant on fresh seeds: ratios of FID with their intervals."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, Value, fresh_seeds, linked
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import p_text, range_text
from gansweep.results.row import slug


def effects_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """A line per confirmed variant, the leader first: variant, n (seeds), ratio of its FID to the leader's
    (Hodges-Lehmann) with its 95 % interval low and high, improvement (the probability that a seed of it is
    better than one of the leader) with its interval, p, p adjusted for all pairs of variants by Holm, and
    separable (whether the leader beats it, so that it is outside the leading group). All are missing for the
    leader itself."""
    pairs = comparison.seed_pairs[dataset]
    lines = []
    for variant in pairs.names:
        line: dict[str, object] = {"variant": variant, "n": len(pairs.scores[variant])}
        if variant != pairs.leader:
            effect = pairs.effects[variant]
            line |= {"ratio": effect.ratio.value, "low": effect.ratio.low, "high": effect.ratio.high}
            share = statistics.improvement_interval(pairs.scores[variant], pairs.scores[pairs.leader])
            line |= {"improvement": effect.improvement, "p": effect.p, "adjusted": effect.adjusted}
            line |= {"improvement_low": share.low, "improvement_high": share.high}
            line |= {"separable": pairs.beats(pairs.leader, variant)}
        lines.append(line)
    shares = ["improvement", "improvement_low", "improvement_high"]
    columns = ["variant", "n", "ratio", "low", "high", *shares, "p", "adjusted", "separable"]
    return pd.DataFrame(lines, columns=columns)


def plot_effects(effects: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw a ratio and its interval in a row for each variant; an end without a bound is an arrow."""
    ax = ax or style.new_figure(0.6 + 0.3 * len(effects), 4.0).subplots()
    low, high = _limits(effects)
    gutter, edge = high * (high / low) ** 0.07, high * (high / low) ** 0.14
    unbounded = bool(np.isinf(effects[["ratio", "high"]].to_numpy(float)).any())
    log_axis(ax.xaxis, low, edge if unbounded else high, most=6, last=high)
    if unbounded:
        lane: dict[str, Any] = {
            "transform": ax.get_xaxis_transform(),
            "fontsize": 6.5,
            "color": style.MUTE,
            "ha": "center",
        }
        ax.axvspan(high, edge, color=style.BAND, linewidth=0, zorder=0)
        ax.text(gutter, 1.005, "∞", **lane)
    ax.axvline(1, color=style.AXIS, linewidth=0.9, zorder=1)
    for row, (_, effect) in enumerate(effects.iterrows()):
        look = looks[effect["variant"]]
        with style.of_variant(ax, effect["variant"]):
            if math.isnan(effect["ratio"]):
                ax.plot(1, row, zorder=5, **look.marker(5.5))
                continue
            value = max(min(effect["ratio"], gutter), low)  # 0 and +inf lie at the edges
            _draw_end(ax, row, value, effect["low"], low, look)
            _draw_end(ax, row, value, effect["high"], gutter, look)
            ax.plot(value, row, zorder=5, **look.marker(5.5))
    ax.set_yticks(range(len(effects)), [looks[name].label for name in effects["variant"]])
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    return ax


def _draw_end(ax: Axes, row: int, value: float, end: float, border: float, look: Look) -> None:
    """Half of an interval: a bar to its end, or an arrow to the border where it has none."""
    if 0 < end < math.inf:
        ax.plot([value, end], [row, row], color=look.color, linewidth=1.5, solid_capstyle="butt", zorder=3)
        ax.plot(end, row, "|", color=look.color, markersize=4.5, markeredgewidth=1.2, zorder=3)
    elif value != border:
        arrow = {"arrowstyle": "-|>", "lw": 1.5, "color": look.color, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (border, row), (value, row), arrowprops=arrow | {"mutation_scale": 7}, zorder=3)


def _limits(effects: pd.DataFrame) -> tuple[float, float]:
    ends = effects[["ratio", "low", "high"]].to_numpy(float)
    ends = ends[np.isfinite(ends) & (ends > 0)]
    lowest, highest = min([0.95, *ends]), max([1.1, *ends])
    return 0.96 * float(lowest), 1.04 * float(highest)


def _effects_figure(comparison: Comparison, effects: pd.DataFrame) -> tuple[Figure, Axes]:
    """The intervals; their numbers are in the table."""
    figure = style.new_figure(0.75 + 0.3 * len(effects), 4.6)
    ax = plot_effects(effects, style.looks(comparison.manifest), figure.subplots())
    ax.set_xlabel(f"FID ÷ FID of {comparison.label(effects['variant'].iloc[0])} (log)")
    return figure, ax


def effects_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The effects on one data set; None where fewer than two variants have been confirmed."""
    if len(comparison.confirmed_scores(dataset)) < 2:
        return None
    effects, label = effects_data(comparison, dataset), comparison.dataset_label(dataset)
    with style.house_style():
        figure, ax = _effects_figure(comparison, effects)
    leader, sizes = comparison.label(effects["variant"].iloc[0]), sorted(set(effects["n"]))
    return Plot(
        name=f"effects-{slug(dataset)}",
        question=f"How far behind the leader are the others on {label}?",
        headline=f"Behind {leader}: {_apart(effects)} separable from it",
        takeaway=_takeaway(comparison, dataset, effects),
        caption=f"Ratio of FID on fresh seeds to that of {leader}, the variant of lowest median: the median "
        "of all ratios of a seed to a seed (Hodges-Lehmann) with its 95 % interval, failed seeds being worse "
        "than any, and an FID above 0 infinitely worse than one that is not; an arrow means that the seeds "
        "give no bound. “Better in”, in the table, is the share of pairs in which "
        "the variant’s seed has the lower FID. Separable is what the rank-sum tests of "
        f"{_family(len(effects))} say, here as in the verdict; each interval is of one comparison alone, so "
        f"one may exclude 1 where the pair is not separable. {range_text(sizes)} seeds a variant.",
        alt=f"Forest plot, a row per variant: ratio of FID to that of {leader} on {label} with its interval.",
        figure=figure,
        data=effects,
        table=_table(comparison, dataset, effects),
        values=tuple(_values(comparison, effects, ax)),
    )


def _table(comparison: Comparison, dataset: str, effects: pd.DataFrame) -> Table:
    first = str(effects["variant"].iloc[0])
    leader = comparison.label(first)
    columns = (
        "Variant",
        f"FID ÷ {leader} [95 %]",
        f"Better than {leader} in [95 %]",
        "p alone",
        "Holm p",
        "Seeds",
    )
    rows = []
    for _, effect in effects.iterrows():
        variant, n = str(effect["variant"]), int(effect["n"])
        seeds = fresh_seeds(dataset=dataset, variant=variant)
        if math.isnan(effect["ratio"]):
            numbers = [Cell("1", "the leader", 1.0, trials=seeds), *[Cell("–", value=math.inf)] * 3]
        else:
            holm = Cell(p_text(effect["adjusted"]), value=effect["adjusted"])
            numbers = [
                Cell(_ratio(effect["ratio"]), _interval(effect), effect["ratio"]),
                Cell(_share(effect), _shares(effect), effect["improvement"]),
                Cell(p_text(effect["p"]), value=effect["p"]),
                *linked([holm], fresh_seeds(dataset=dataset)),
            ]
        both = fresh_seeds(dataset=dataset, variant=(first, variant))
        name, count = Cell(comparison.label(variant), variant=variant), Cell(str(n), value=n, trials=seeds)
        rows.append((name, *linked(numbers, both), count))
    return Table(columns, tuple(rows))


def _values(comparison: Comparison, effects: pd.DataFrame, ax: Axes) -> Iterator[Value]:
    for row, (_, effect) in enumerate(effects.iterrows()):
        if math.isfinite(effect["ratio"]):
            text = f"{comparison.label(effect['variant'])}: {_ratio(effect['ratio'])} {_interval(effect)}"
            yield Value(ax, float(effect["ratio"]), row, text, str(effect["variant"]))


def _apart(effects: pd.DataFrame) -> str:
    others = effects.iloc[1:]
    n = int(others["separable"].astype(bool).sum())
    return f"{n} of {len(others)} variants {'is' if n == 1 else 'are'}"


def _family(n_variants: int) -> str:
    n = math.comb(n_variants, 2)
    return f"all {n} pairs of variants, adjusted by Holm," if n > 1 else "the pair"


def _ratio(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def _interval(effect: pd.Series) -> str:
    ends = [_ratio(end) if 0 < end < math.inf else "none" for end in (effect["low"], effect["high"])]
    return f"[{', '.join(ends)}]"


def _share(effect: pd.Series) -> str:
    return f"{100 * effect['improvement']:.0f} %"


def _shares(effect: pd.Series) -> str:
    low, high = (100 * effect[f"improvement_{end}"] for end in ("low", "high"))
    return f"[{low:.0f}, {high:.0f}]"


def _takeaway(comparison: Comparison, dataset: str, effects: pd.DataFrame) -> str:
    """The nearest and the farthest variant, and how many the seeds separate from the leader."""
    leader, others = comparison.label(effects["variant"].iloc[0]), effects.iloc[1:]
    apart = others[others["separable"].astype(bool)]
    finite = others[np.isfinite(others["ratio"].to_numpy(float))].sort_values("ratio", kind="stable")
    text = (
        f"{len(apart)} of {len(others)} variants {'is' if len(apart) == 1 else 'are'} separable from {leader}"
    )
    if len(others) == 1:
        rival = comparison.label(others["variant"].iloc[0])
        text = f"{rival} is {'' if len(apart) else 'not '}separable from {leader}"
    if finite.empty:
        pairs = comparison.seed_pairs[dataset]
        is_zero = statistics.quantile(pairs.scores[pairs.leader], 0.5) <= 0
        return f"{text}; {'its median FID is not above 0' if is_zero else 'most seeds of the others fail'}."
    near, far = finite.iloc[0], finite.iloc[-1]
    first = f"{comparison.label(near['variant'])} has {_ratio(near['ratio'])} {_interval(near)} times its FID"
    excluding = ((others["low"] > 1) | (others["high"] < 1)) & ~others["separable"].astype(bool)
    alone = (
        " (each interval is of one comparison alone, the tests are of all pairs)" if excluding.any() else ""
    )
    if len(finite) == 1:
        return f"{text}; {first}{alone}."
    last = f"{comparison.label(far['variant'])} {_ratio(far['ratio'])} {_interval(far)} times"
    return f"{text}; {first}, {last}{alone}."
