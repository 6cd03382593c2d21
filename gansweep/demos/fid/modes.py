"""Mode dropping: the FID of real images that lack some of the classes."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gansweep.data import Dataset
from gansweep.demos.fid.features import real_features, shuffled
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.metrics.features import statistics
from gansweep.evaluation.metrics.fid_infinity import fid_by_size
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis

_SUBSAMPLE_SHARE = 0.75  # of the images of one class are in a subsample, so that subsamples differ


def modes(dataset: Dataset, evaluation: Evaluation, n_repeats: int, seed: int) -> pd.DataFrame:
    """FIDs of one half of all samples against subsamples of the first k classes of the other, for every k.

    All subsamples have one size, three quarters of the first class, so that the bias is the same for every k.

    Returns:
        A line for each FID: dataset, label, extractor, n_features, classes (k), repeat, n, fid.

    Raises:
        UserError: as `real_features`, or the samples are not of two classes or more.

    Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5, the experiment on
        mode dropping.
    Deviations: the paper does not say how large its subsamples are; here all have one size.
    """
    if dataset.n_classes < 2:
        raise UserError(
            f"mode dropping needs a data set with 2 classes or more, but {dataset.name!r} has "
            f"{dataset.n_classes or 'none'}"
        )
    real = real_features(dataset, evaluation)
    assert real.labels is not None
    features, order = real.all, shuffled(len(real.all), np.random.RandomState(seed))
    whole, other = order[: len(order) // 2], order[len(order) // 2 :]
    reference, labels = statistics(features[whole]), real.labels[other]
    n = int(_SUBSAMPLE_SHARE * (labels == 0).sum())
    rows: list[dict[str, Any]] = []
    for k in range(1, dataset.n_classes + 1):
        fids = fid_by_size(features[other[labels < k]], reference, [n] * n_repeats, seed)
        rows += [
            real.identifying_columns | {"classes": k, "repeat": i, "n": n, "fid": fid}
            for i, fid in enumerate(fids)
        ]
    return pd.DataFrame(rows)


def findings(table: pd.DataFrame) -> list[str]:
    """Sentences, computed from the table."""
    first, mean = table.iloc[0], table.groupby("classes")["fid"].mean()
    n_classes = int(mean.index.max())
    falls = [int(k) for k in mean.index[1:] if mean[k] >= mean[k - 1]]
    between = ", ".join(f"from {k - 1} to {k}" for k in falls)
    return [
        f"{first['label']} as {first['extractor']} sees it: half of the images against {first['n']:,} of the "
        f"first k classes of the other half, {table['repeat'].nunique()} times for each k.",
        f"FID is {mean[n_classes]:.3g} with all {n_classes} classes, {mean[n_classes - 1]:.3g} with one less "
        f"and {mean[1]:.3g} with one alone: {mean[1] / mean[n_classes]:.0f} times as much.",
        f"It does not fall {between} classes." if falls else "It falls with every class that is added.",
    ]


def draw(table: pd.DataFrame) -> Figure:
    """FID over the number of present classes."""
    figure = style.new_figure(2.6, 4.2)
    plot_modes(table, figure.subplots())
    return figure


def plot_modes(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The mean FID over the number of classes, with a band that holds nine tenths of the subsamples."""
    ax = ax or style.new_figure(2.6, 4.2).subplots()
    fids = table.groupby("classes")["fid"]
    mean, low, high, hue = fids.mean(), fids.quantile(0.05), fids.quantile(0.95), style.COLORS["blue"]
    ax.fill_between(mean.index, low, high, color=hue, alpha=0.25, linewidth=0)
    ax.plot(mean.index, mean, color=hue, marker="o", markersize=3.5)
    ax.axhline(mean.iloc[-1], color=style.MUTE, linewidth=0.8, linestyle="--", zorder=0)
    log_axis(ax.yaxis, low.min() / 1.2, high.max() * 1.2)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    ax.set_xlabel(f"classes that are there, of {mean.index.max()} ({table['n'].iloc[0]:,} images)")
    ax.set_ylabel("FID of real images")
    ax.set_title(f"{table['label'].iloc[0]}, {table['extractor'].iloc[0]} features")
    return ax
