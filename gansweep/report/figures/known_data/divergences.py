"""Cross-divergences: is a model trained on a divergence the best one when measured by it?

Source: Nowozin, Cseke, Tomioka, "f-GAN", 2016, arXiv:1606.00709, the table of the univariate mixture.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.known_data.fits import FGAN, TARGETS, divergence_of, fits_data, optimum
from gansweep.report.style import style
from gansweep.report.style.style import Look
from gansweep.results.row import slug
from gansweep.theory import cross_divergences

_SAME = 1e-3  # optima this near, in mean and sd, are equal: their divergences rank models equally


def cross_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per divergence that a variant minimises: and that of each variant's median fit."""
    fits = fits_data(comparison, dataset).dropna(subset=["mean"]).set_index("variant")
    models = {str(name): (fit["mean"], max(fit["sd"], 1e-3)) for name, fit in fits.iterrows()}
    table = cross_divergences(TARGETS[dataset], models)
    wanted = [name for variant in models if (name := divergence_of(variant))]
    return table.loc[wanted].reset_index()


def _rivals(row: str, columns: list[str], dataset: str) -> list[str]:
    """The variants that should win at a divergence: its own, and variants of one with the same optimum."""
    best = np.array(optimum(row, TARGETS[dataset]))
    return [
        name
        for name in columns
        if (own := divergence_of(name))
        and np.abs(np.array(optimum(own, TARGETS[dataset])) - best).max() < _SAME
    ]


def plot_cross(table: pd.DataFrame, looks: dict[str, Look], dataset: str, ax: Axes | None = None) -> Axes:
    """Draw the matrix as text: the minimum of each row shaded and bold, the winners to be expected framed."""
    variants = [name for name in table.columns if name != "divergence"]
    ax = ax or style.new_figure(0.6 + 0.26 * len(table), 1.2 + 0.52 * len(variants)).subplots()
    for y, (_, row) in enumerate(table.iterrows()):
        values = row[variants].to_numpy(float)
        expected = _rivals(row["divergence"], variants, dataset)
        for x, value in enumerate(values):
            lowest = value == values.min()
            if lowest:
                ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=style.BAND, linewidth=0))
            if variants[x] in expected:
                frame = Rectangle(
                    (x - 0.46, y - 0.42), 0.92, 0.84, fill=False, edgecolor=style.AXIS, linewidth=0.7
                )
                ax.add_patch(frame)
            text = _text(value)
            weight = "bold" if lowest else "normal"
            ax.text(x, y, text, ha="center", va="center", fontsize=6.3, fontweight=weight)
    ax.set_xlim(-0.5, len(variants) - 0.5)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xticks(
        range(len(variants)), [looks[name].label for name in variants], rotation=40, ha="left", fontsize=6.8
    )
    names = [looks[FGAN + name].label if FGAN + name in looks else name for name in table["divergence"]]
    ax.set_yticks(range(len(table)), names, fontsize=6.8)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel("columns: variant trained; rows: divergence measured", fontsize=6.8)
    return ax


def _text(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def cross_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The cross-divergences on one 1-D data set; None unless two variants minimise divergences."""
    if dataset not in TARGETS or len(comparison.measured(dataset, ("mean", "sd"))) < 2:
        return None
    table = cross_data(comparison, dataset)
    if len(table) < 2:
        return None
    with style.house_style():
        ax = plot_cross(table, style.looks(comparison.manifest), dataset)
        figure = ax.get_figure(root=True)
    label = comparison.dataset_label(dataset)
    return Plot(
        name=f"cross-divergences-{slug(dataset)}",
        question=f"Is each variant best at its own divergence on {label}?",
        headline="Whether each variant is best at its own divergence",
        takeaway=_takeaway(comparison, table, dataset),
        caption="Rows: a divergence, from the target to the Gaussian of a variant’s median trial, by "
        "quadrature. Bold on grey: the lowest of the row. Framed: the variants that should have it, for "
        "their own divergence or one with the same optimum. Nowozin et al. (2016) expect every minimum "
        "inside a frame.",
        alt="Matrix of numbers: each divergence, in rows, of each variant’s fit, in columns, with the lowest "
        "of each row marked.",
        figure=figure,
        data=table,
    )


def _takeaway(comparison: Comparison, table: pd.DataFrame, dataset: str) -> str:
    variants = [name for name in table.columns if name != "divergence"]
    misses = []
    for _, row in table.iterrows():
        values = row[variants].astype(float)
        winner = str(values.idxmin())
        if winner not in _rivals(row["divergence"], variants, dataset):
            own = FGAN + str(row["divergence"])
            excess = f"{values[winner]:.3f} against {values[own]:.3f}"
            misses.append(
                f"{comparison.label(winner)} is better at that of {comparison.label(own)} ({excess})"
            )
    held = len(table) - len(misses)
    text = f"It holds for {held} of {len(table)} divergences"
    return f"{text}; {'; '.join(misses)}." if misses else f"{text}, as the theory has it."
