"""Gaussians fitted to a 1-D target: what each variant learned, beside the optimum of its divergence.

Source: Nowozin, Cseke, Tomioka, "f-GAN", 2016, arXiv:1606.00709, the univariate mixture: every divergence has
an optimum of its own, and a model should be best at the divergence it was trained on.
"""

import math
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, draws, linked
from gansweep.report.metrics import measurements
from gansweep.report.style import style
from gansweep.report.style.panels import small_panels
from gansweep.report.style.style import Look
from gansweep.results.row import slug
from gansweep.theory import DIVERGENCES, FGAN_MIXTURE, Gaussian, Mixture1D, fit_gaussian

FGAN = "fgan_"  # begins the names of the variants that minimise a divergence
TARGETS = {
    "gaussian_1d": Mixture1D(weights=(1.0,), means=(0.0,), sds=(1.0,)),
    "mixture_1d": FGAN_MIXTURE,
}


@cache
def optimum(divergence: str, target: Mixture1D) -> Gaussian:
    """The Gaussian that minimises a divergence from the target."""
    return fit_gaussian(divergence, target)


def divergence_of(variant: str) -> str | None:
    """The divergence that a variant minimises, a key of DIVERGENCES; None for those without one."""
    name = variant.removeprefix(FGAN)
    return name if variant.startswith(FGAN) and name in DIVERGENCES else None


def fits_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per variant: n of `trials` that measured; median, lowest and highest of mean and sd at the
    last evaluation; and the optimum's mean and sd (NaN where there is none)."""
    table = measurements(comparison, dataset, ["mean", "sd"])
    lines = []
    for variant in comparison.variants:
        mine = table[table["variant"] == variant]
        good = mine.dropna(subset=["mean", "sd"])
        divergence = divergence_of(variant)
        best = optimum(divergence, TARGETS[dataset]) if divergence else Gaussian(math.nan, math.nan)
        line = {"variant": variant, "n": len(good), "trials": len(mine)}
        for name, best_value in zip(("mean", "sd"), best, strict=True):
            line |= {
                name: good[name].median(),
                f"{name}_low": good[name].min(),
                f"{name}_high": good[name].max(),
            }
            line |= {f"optimal_{name}": best_value}
        lines.append(line)
    return pd.DataFrame(lines)


def plot_fit(
    fit: pd.Series, trials: pd.DataFrame, target: Mixture1D, look: Look, ax: Axes | None = None
) -> Axes:
    """Draw the target (grey), the Gaussians of all trials and of their median, and the optimum (dashed).

    fit: a line of `fits_data`; trials: mean and sd of each of its trials.
    """
    ax = ax or style.new_figure(1.6, 2.2).subplots()
    x = np.linspace(target.mean - 3.6 * target.sd, target.mean + 3.6 * target.sd, 160)
    ax.fill_between(x, np.exp(target.log_density(x)), color=style.FAINT, linewidth=0)
    for mean, sd in zip(trials["mean"], trials["sd"], strict=True):
        ax.plot(x, _density(mean, sd, x), color=look.color, linewidth=0.6, alpha=0.35)
    if fit["n"]:
        ax.plot(x, _density(fit["mean"], fit["sd"], x), color=look.color, linewidth=1.7)
    if math.isfinite(fit["optimal_mean"]):
        best = _density(fit["optimal_mean"], fit["optimal_sd"], x)
        ax.plot(x, best, color=style.INK, linewidth=1.0, linestyle=(0, (3, 1.4)))
    ax.set_title(look.label, fontsize=8, pad=3)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(0, 1.15 * float(np.exp(target.log_density(x)).max()))
    return ax


def _density(mean: float, sd: float, x: np.ndarray) -> np.ndarray:
    return np.exp(Gaussian(mean, max(sd, 1e-3)).log_density(x))


def _fits_figure(comparison: Comparison, dataset: str, fits: pd.DataFrame) -> Figure:
    """A panel per variant."""
    looks, trials = style.looks(comparison.manifest), measurements(comparison, dataset, ["mean", "sd"])
    panels = small_panels(len(fits), height=1.1, margin=0.4)
    for ax, (_, fit) in zip(panels.axes, fits.iterrows(), strict=True):
        mine = trials[trials["variant"] == fit["variant"]].dropna(subset=["mean", "sd"])
        plot_fit(fit, mine, TARGETS[dataset], looks[str(fit["variant"])], ax)
    panels.label("", "")
    entries = [
        style.legend_entry("target", color=style.FAINT, linewidth=6),
        style.legend_entry("learned: the median, and every trial", color=style.MUTE, linewidth=1.7),
        style.legend_entry(
            "optimum of the variant’s divergence", color=style.INK, linewidth=1.0, linestyle=(0, (3, 1.4))
        ),
    ]
    panels.figure.legend(handles=entries, loc="outside lower center", ncol=3)
    return panels.figure


def _fits_table(comparison: Comparison, dataset: str, fits: pd.DataFrame) -> Table:
    """Learned mean and sd (median, lowest to highest) beside the optimum, which no trials lead to."""
    columns = ("Variant", "Trials", "Mean, learned [range]", "optimal", "SD, learned [range]", "optimal")
    rows = []
    for _, fit in fits.iterrows():
        cells = [Cell(comparison.label(fit["variant"]), variant=fit["variant"])]
        trials = draws(dataset=dataset, variant=str(fit["variant"]))
        cells += linked([Cell(f"{fit['n']} of {fit['trials']}", value=fit["n"])], trials)
        for name in ("mean", "sd"):
            spread = f"[{fit[f'{name}_low']:.2f}, {fit[f'{name}_high']:.2f}]" if fit["n"] else ""
            cells += [*linked([_value(fit[name], spread)], trials), _value(fit[f"optimal_{name}"])]
        rows.append(tuple(cells))
    return Table(columns, tuple(rows))


def _value(value: float, note: str = "") -> Cell:
    return Cell(f"{value:.3f}", note, value) if math.isfinite(value) else Cell("–")


def fits_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Learned and optimal Gaussians on one 1-D data set; None elsewhere."""
    if dataset not in TARGETS or len(comparison.measured(dataset, ("mean", "sd"))) < 2:
        return None
    fits = fits_data(comparison, dataset)
    with style.house_style():
        figure = _fits_figure(comparison, dataset, fits)
    label = comparison.dataset_label(dataset)
    return Plot(
        name=f"fits-{slug(dataset)}",
        question=f"Which Gaussian does each variant fit to {label}?",
        headline=f"Which Gaussian each variant fits to {label}",
        takeaway=_takeaway(comparison, fits),
        caption="Mean and standard deviation of the samples at the last evaluation of each trial: median "
        "over trials, with the lowest and the highest. The optimum minimises the variant’s divergence from "
        "the target among all Gaussians; it is computed by quadrature. Trials that failed are not drawn.",
        alt=f"Small charts, one per variant: the density of {label}, the Gaussians learned and the best one.",
        figure=figure,
        data=fits,
        table=_fits_table(comparison, dataset, fits),
    )


def _takeaway(comparison: Comparison, fits: pd.DataFrame) -> str:
    """The nearest and the farthest variant from its optimum."""
    known = fits.dropna(subset=["mean", "optimal_mean"])
    if known.empty:
        return "No optimum is known here for any variant with finished trials."
    values = known[["mean", "sd", "optimal_mean", "optimal_sd"]].to_numpy(float)
    off = np.hypot(values[:, 0] - values[:, 2], values[:, 1] - values[:, 3])
    near = int((off <= 0.1).sum())
    names = [comparison.label(str(name)) for name in known["variant"]]
    text = (
        f"The median trial is within 0.1 of the optimum, in mean and sd together, for {near} of "
        f"{len(known)} variants; nearest is {names[off.argmin()]} ({off.min():.2g})"
    )
    return f"{text}, farthest {names[off.argmax()]} ({off.max():.2g})." if len(known) > 1 else f"{text}."
