"""Samples of data sets of vectors: scatter plots in two dimensions, densities in one."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Plot
from gansweep.report.samples import chosen, is_readable, last_fid, own_file
from gansweep.report.style import style
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import slug

_MAX_SAMPLES = 500  # samples of each trial
_N_KINDS = 3  # best, median and worst
_N_COLUMNS = 2  # variants beside each other
_N_BINS = 40

_Points = NDArray[np.float32]


def vectors_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The samples shown, one line each: variant ("" for real ones), kind, trial_id, fid, x0, and x1 in two
    dimensions; empty unless the data are vectors of one or two dimensions."""
    real_file = own_file(comparison.folder, f"samples/real-{slug(dataset)}.npy")
    if real_file is None or not is_readable(real_file):
        return pd.DataFrame()
    real = _read(real_file)
    if real.shape[1] > 2:
        return pd.DataFrame()
    parts = [_lines(real, "", "", "", math.nan)]
    for variant in comparison.ranked(dataset):
        for kind, trial in chosen(comparison, dataset, variant).items():
            points = _read(comparison.folder / trial["sample_path"])
            parts.append(_lines(points, variant, kind, trial["trial_id"], last_fid(trial)))
    return pd.concat(parts, ignore_index=True)


def _read(path: Path) -> _Points:
    points: _Points = np.load(path, allow_pickle=False)
    return points[:_MAX_SAMPLES]


def _lines(points: _Points, variant: str, kind: str, trial_id: str, fid: float) -> pd.DataFrame:
    names: dict[str, Any] = {"variant": variant, "kind": kind, "trial_id": trial_id, "fid": fid}
    coordinates = {f"x{axis}": column.astype(float).round(4) for axis, column in enumerate(points.T)}
    return pd.DataFrame(names | coordinates)


def plot_vectors(real: pd.DataFrame, samples: pd.DataFrame, look: Look, ax: Axes | None = None) -> Axes:
    """Draw samples, x0 (and x1), in the variant's hue over real ones in grey."""
    ax = ax or style.new_figure(1.2, 1.2).subplots()
    if "x1" in real:
        for points, color, size in ((real, style.FAINT, 2.6), (samples, look.color, 1.3)):
            ax.add_patch(_dots(points[["x0", "x1"]].to_numpy(float), color, size))
        ax.set_ylim(*_limits(real["x1"]))
        ax.set_box_aspect(1)
    else:
        edges = np.linspace(*_limits(real["x0"]), _N_BINS + 1)
        ax.stairs(_density(real["x0"], edges), edges, color=style.FAINT, fill=True)
        ax.stairs(_density(samples["x0"], edges), edges, color=look.color, linewidth=1.3)
    ax.set_xlim(*_limits(real["x0"]))
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _density(values: pd.Series, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.histogram(values, edges)[0] / (len(values) * np.diff(edges))


def _dots(points: NDArray[np.float64], color: str, size: float) -> PathPatch:
    """Dots of `size` points, as one path: very short strokes with round ends."""
    ends = np.repeat(points, 2, axis=0)
    ends[1::2, 0] += 1e-4 * np.ptp(points[:, 0]) + 1e-9
    codes = np.tile([Outline.MOVETO, Outline.LINETO], len(points))
    outline = Outline(ends, codes)
    # Simplifying would merge dots, and snapping to pixels would leave strokes of no length.
    outline.should_simplify = False
    stroke: dict[str, Any] = {"edgecolor": color, "linewidth": size, "capstyle": "round"}
    return PathPatch(outline, fill=False, snap=False, **stroke)


def _limits(values: pd.Series) -> tuple[float, float]:
    room = 0.12 * (values.max() - values.min())
    return float(values.min() - room), float(values.max() + room)


def _vectors_figure(comparison: Comparison, data: pd.DataFrame) -> Figure:
    """Best, median and worst trial of each variant side by side, two variants in a row."""
    looks, real = style.looks(comparison.manifest), data[data["variant"] == ""]
    order = [str(name) for name in data["variant"].unique() if name]
    across = min(_N_COLUMNS, len(order))
    rows = math.ceil(len(order) / _N_COLUMNS)
    figure = style.new_figure((1.33 if "x1" in data else 1.1) * rows, style.WIDTH * across / _N_COLUMNS)
    for row, subfigures in enumerate(figure.subfigures(rows, across, squeeze=False)):
        for column, subfigure in enumerate(subfigures):
            if row * across + column < len(order):
                look = looks[variant := order[row * across + column]]
                axes = subfigure.subplots(1, _N_KINDS)
                _draw_kinds(list(axes), real, data[data["variant"] == variant], look)
    return figure


def _draw_kinds(axes: list[Axes], real: pd.DataFrame, mine: pd.DataFrame, look: Look) -> None:
    for ax, (kind, samples) in zip(axes, mine.groupby("kind", sort=False), strict=False):
        plot_vectors(real, samples, look, ax)
        ax.set_title(
            f"{kind}, FID {fid_text(float(samples['fid'].iloc[0]))}", fontsize=6.3, fontweight="normal", pad=2
        )
    axes[0].set_ylabel(look.label, fontsize=7.5, fontweight="bold", color=look.text_color)
    for ax in axes[mine["kind"].nunique() :]:
        ax.set_axis_off()


def vectors_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """The samples of one data set of vectors; None where there are none to draw."""
    data = vectors_data(comparison, dataset)
    if data.empty or not data["variant"].any():
        return None
    with style.house_style():
        figure = _vectors_figure(comparison, data)
    label = comparison.dataset_label(dataset)
    n_trials = data.loc[data["variant"] != "", "trial_id"].nunique()
    return Plot(
        name=f"samples-{slug(dataset)}",
        question=f"What do the samples look like on {label}?",
        headline=f"Samples on {label}: best, median and worst of each variant",
        takeaway=f"Real samples in grey, samples of {n_trials} trials in the colours of their variants.",
        caption=f"Uncurated: the first {_MAX_SAMPLES} samples of the last evaluation of each variant’s best, "
        "median and worst trial with samples, ranked by the lowest FID; the FID printed is that of the "
        "samples. All trials get the same latents. Samples outside the range of "
        f"{_MAX_SAMPLES} real samples are cut off.",
        alt=f"Small charts of samples on {label}, three for each variant, over real samples.",
        figure=figure,
        data=data,
    )
