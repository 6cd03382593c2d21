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
from gansweep.report.statistics import Scores
from gansweep.report.style import style
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import range_text
from gansweep.results.row import slug

_FAINTEST, _STRONGEST = 0.12, 0.5  # opacity of a cell at 50 and at 100 %


def improvement_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """A line per ordered pair of variants: variant, rival, share (the probability that a run of the variant
    has the lower FID; ties count half), adjusted (Holm, over all pairs). The lowest median comes first."""
    scores = _scores(comparison, dataset)
    names, share, adjusted = statistics.improvement_matrix(scores)
    lines = [
        {"variant": row, "rival": column, "share": float(share[i, j]), "adjusted": float(adjusted[i, j])}
        for i, row in enumerate(names)
        for j, column in enumerate(names)
        if i != j
    ]
    order = {name: place for place, name in enumerate(scores)}
    table = pd.DataFrame(lines, columns=["variant", "rival", "share", "adjusted"])
    return table.sort_values(["variant", "rival"], key=lambda c: c.map(order)).reset_index(drop=True)


def _scores(comparison: Comparison, dataset: str) -> dict[str, Scores]:
    """The fresh seeds of the winners, or else the single trials of a random search; best median first."""
    confirmed = comparison.confirmed_scores(dataset)
    if confirmed or not comparison.is_random_search:
        return confirmed
    started = comparison.started(dataset)
    return dict(sorted(started.items(), key=lambda item: (statistics.quantile(item[1], 0.5), item[1][0])))


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
    ax.set_xticks(range(1, len(order)), names[1:], rotation=40, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(order) - 1), names[:-1])
    ax.tick_params(length=0, labeltop=True, labelbottom=False, labelsize=7.2)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def improvement_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """All pairs on one data set; None where fewer than three variants have independent runs."""
    scores = _scores(comparison, dataset)
    if len(scores) < 3:
        return None
    pairs, label = improvement_data(comparison, dataset), comparison.dataset_label(dataset)
    seeds = bool(comparison.confirmed_scores(dataset))
    what = "fresh seed" if seeds else f"random {comparison.unit}"
    sizes = sorted({len(values) for values in scores.values()})
    with style.house_style():
        figure = plot_improvement(pairs, style.looks(comparison.manifest)).get_figure(root=True)
    return Plot(
        name=f"improvement-{slug(dataset)}",
        question=f"Which differences are real on {label}?",
        takeaway=_takeaway(comparison, pairs, what),
        caption=f"Probability, in %, that a {what} of the variant of the row has a lower FID than one of the "
        "variant of the column; ties, such as two failures, count half. Blue: separable, with p < "
        f"{statistics.ALPHA} after Holm’s adjustment for all {len(pairs) // 2} pairs; grey italics: the runs "
        f"cannot separate the two. {range_text(sizes)} runs a "
        "variant; the lowest median comes first.",
        alt=f"Matrix of percentages: how often the variant of a row beats that of a column on {label}.",
        figure=figure,
        data=pairs,
    )


def _takeaway(comparison: Comparison, pairs: pd.DataFrame, what: str) -> str:
    apart = pairs[(pairs["adjusted"] < statistics.ALPHA) & (pairs["share"] > 0.5)]
    first = str(pairs["variant"].iloc[0])
    beaten = [str(name) for name in apart.loc[apart["variant"] == first, "rival"]]
    text = f"With all pairs tested at once {len(apart)} of {len(pairs) // 2} are separable by their {what}s"
    if not beaten:
        return f"{text}; {comparison.label(first)}, of the lowest median, from none of the others."
    return f"{text}; {comparison.label(first)}, of the lowest median, from {comparison.labels(beaten)}."
