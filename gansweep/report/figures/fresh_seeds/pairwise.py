"""Which of two variants is better, and how surely: every pair.

Source: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", 2021,
arXiv:2108.13264, the probability of improvement. Deviation: runs of one data set only, failed ones worst.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.statistics import Pairs
from gansweep.report.style import style
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import range_text
from gansweep.results.row import slug

_MAX_SLOPED = 12  # names above the columns; more stand upright
_FAINTEST, _STRONGEST = 0.12, 0.5  # opacity of a cell at 50 and at 100 %


def improvement_data(pairs: Pairs) -> pd.DataFrame:
    """A line per ordered pair of variants: variant, rival, share (the probability that a seed of the variant,
    or the best trial of its budget, has the lower FID; ties count half), adjusted (Holm, over all pairs). The
    lowest median comes first."""
    lines = [
        {"variant": row, "rival": rival, "share": float(pairs.share[i, j]), "adjusted": pairs.adjusted[i, j]}
        for i, row in enumerate(pairs.names)
        for j, rival in enumerate(pairs.names)
        if i != j
    ]
    return pd.DataFrame(lines, columns=["variant", "rival", "share", "adjusted"])


def _pairs(comparison: Comparison, dataset: str) -> Pairs | None:
    """The pairs of winners by their fresh seeds, or else those of a random search at its budget."""
    return comparison.seed_pairs.get(dataset) or comparison.search_pairs.get(dataset)


def plot_improvement(pairs: pd.DataFrame, looks: dict[str, Look], ax: Axes | None = None) -> Axes:
    """Draw the upper triangle in %: shaded where the pair is separable, in italics where it is not."""
    order = list(dict.fromkeys(pairs["variant"]))
    ax = ax or style.new_figure(1.0 + 0.3 * len(order), 1.3 + 0.42 * len(order)).subplots()
    values = pairs.set_index(["variant", "rival"])
    for y, row in enumerate(order):
        for x, column in enumerate(order[y + 1 :], y + 1):
            share, adjusted = values.loc[(row, column), ["share", "adjusted"]].to_numpy(float)
            separable = adjusted < statistics.ALPHA
            if separable:
                opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * abs(2 * share - 1)
                cell = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, alpha=opacity, linewidth=0)
                cell.set_facecolor(style.COLORS["blue"])
                ax.add_patch(cell)
            ax.text(
                x,
                y,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=7,
                color=style.INK if separable else style.MUTE,
                fontstyle="normal" if separable else "italic",
            )
    names = [looks[name].label for name in order]
    ax.set_xlim(0.5, len(order) - 0.5)
    ax.set_ylim(len(order) - 1.5, -0.5)
    upright = len(order) > _MAX_SLOPED
    ax.set_xticks(range(1, len(order)), names[1:], rotation=90 if upright else 40)
    for name in () if upright else ax.get_xticklabels():
        name.set(horizontalalignment="left", rotation_mode="anchor")
    ax.set_yticks(range(len(order) - 1), names[:-1])
    ax.tick_params(length=0, labeltop=True, labelbottom=False, labelsize=7.2)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def improvement_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """All pairs on one data set; None where fewer than three variants have independent runs."""
    tested = _pairs(comparison, dataset)
    if tested is None or len(tested.names) < 3:
        return None
    pairs, label = improvement_data(tested), comparison.dataset_label(dataset)
    what = "fresh seed" if dataset in comparison.seed_pairs else f"random {comparison.unit}"
    one = f"a {what}" if tested.k == 1 else f"the best of {tested.k} {what}s"
    sizes = sorted({len(values) for values in tested.scores.values()})
    with style.house_style():
        figure = plot_improvement(pairs, style.looks(comparison.manifest)).get_figure(root=True)
    return Plot(
        name=f"improvement-{slug(dataset)}",
        question=f"Which differences are real on {label}?",
        headline=f"Which differences are real: {_n_apart(pairs)} of {len(pairs) // 2} pairs are separable",
        takeaway=_takeaway(comparison, pairs, what),
        caption=f"Probability, in %, that {one} of the variant of the row has a lower FID than that of the "
        "variant of the column; ties, such as two failures, count half. Blue: separable, with p < "
        f"{statistics.ALPHA} after Holm’s adjustment for all {len(pairs) // 2} pairs; grey italics: the runs "
        "cannot separate the two. The verdict and the leading group rest on the same tests. "
        f"{range_text(sizes)} runs a variant; the lowest median comes first.",
        alt=f"Matrix of percentages: how often the variant of a row beats that of a column on {label}.",
        figure=figure,
        data=pairs,
    )


def _n_apart(pairs: pd.DataFrame) -> int:
    return int(((pairs["adjusted"] < statistics.ALPHA) & (pairs["share"] > 0.5)).sum())


def _takeaway(comparison: Comparison, pairs: pd.DataFrame, what: str) -> str:
    apart = pairs[(pairs["adjusted"] < statistics.ALPHA) & (pairs["share"] > 0.5)]
    first = str(pairs["variant"].iloc[0])
    beaten = [str(name) for name in apart.loc[apart["variant"] == first, "rival"]]
    text = f"With all pairs tested at once {len(apart)} of {len(pairs) // 2} are separable by their {what}s"
    if not beaten:
        return f"{text}; {comparison.label(first)}, of the lowest median, from none of the others."
    return f"{text}; {comparison.label(first)}, of the lowest median, from {comparison.labels(beaten)}."
