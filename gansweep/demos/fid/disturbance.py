"""Disturbed images: whether FID rises with noise and with blur, as it should."""

from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.data import Dataset
from gansweep.data.base import split
from gansweep.demos.fid.distortions import KINDS, require_images
from gansweep.demos.fid.features import identifying_columns, load_extractor
from gansweep.evaluation import Evaluation
from gansweep.evaluation.metrics.features import statistics
from gansweep.evaluation.metrics.fid_infinity import fid_by_size
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis

_DISTURBANCES = ("noise", "blur")
_N_LEVELS, _MAX_IMAGES = 8, 10_000


def disturbance(dataset: Dataset, evaluation: Evaluation, n_repeats: int, seed: int) -> pd.DataFrame:
    """FIDs of the test set against random halves of training images that noise or blur has disturbed.

    Returns:
        A line for each FID: dataset, label, extractor, n_features, kind, level, repeat, n, fid. Level 0 is
        the undisturbed images.

    Raises:
        UserError: as `load_extractor`, or the samples are not images.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, arXiv:1706.08500, the figure
        of disturbances by level.
    Deviations: (1) two of its six kinds; (2) noise is added and clamped, not mixed in; (3) blur is in sides
        of the image, so that small images are not wiped out.
    """
    require_images(dataset, "disturbance")
    extractor, extract = load_extractor(dataset, evaluation)
    real = extract(dataset.test)
    reference = statistics(real)
    base = dataset.train[split(len(dataset.train), min(len(dataset.train), _MAX_IMAGES))[1]]
    n, rows = len(base) // 2, []
    for kind in _DISTURBANCES:
        for level in np.linspace(0, KINDS[kind].high, _N_LEVELS):
            stream = torch.Generator().manual_seed(seed)
            seen = extract(KINDS[kind].worsen(base, None, level, stream))
            fids = fid_by_size(seen, reference, [n] * n_repeats, seed)
            rows += [(kind, level, repeat, n, fid) for repeat, fid in enumerate(fids)]
    table = pd.DataFrame(rows, columns=["kind", "level", "repeat", "n", "fid"])
    first = identifying_columns(dataset, extractor, real.shape[1])
    return table.assign(**first)[[*first, *table.columns]]


def findings(table: pd.DataFrame) -> list[str]:
    """Sentences, computed from the table."""
    first = table.iloc[0]
    seen = f"{first['label']} as {first['extractor']} sees it"
    words = [_on_kind(table[table["kind"] == kind], kind) for kind in _DISTURBANCES]
    return [f"{seen}: test images against {first['n']:,} disturbed ones.", *words]


def _on_kind(table: pd.DataFrame, kind: str) -> str:
    fids = table.groupby("level")["fid"]
    mean, sd = fids.mean(), fids.std(ddof=0)
    falls = [f"{b:.2g}" for a, b in pairwise(mean.index) if mean[b] < mean[a] - sd[a]]
    way = f"falls at {', '.join(falls)}" if falls else "nowhere falls by more than its standard deviation"
    return f"{KINDS[kind].label}: FID goes from {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g} and {way}."


def draw(table: pd.DataFrame) -> Figure:
    """FID over the level, a panel for each kind."""
    figure = style.new_figure(2.5)
    axes = figure.subplots(1, len(_DISTURBANCES), sharey=True)
    for kind, ax in zip(_DISTURBANCES, axes, strict=True):
        plot_disturbance(table, kind, ax)
    axes[0].set_ylabel("FID")
    figure.suptitle(
        f"{table['label'].iloc[0]}, {table['extractor'].iloc[0]} features", fontsize=9, x=0.01, ha="left"
    )
    return figure


def plot_disturbance(table: pd.DataFrame, kind: str, ax: Axes | None = None) -> Axes:
    """The mean FID over the level of one kind, with a band of one standard deviation."""
    ax = ax or style.new_figure(2.5, 3.4).subplots()
    fids = table[table["kind"] == kind].groupby("level")["fid"]
    mean, sd, hue = fids.mean(), fids.std(ddof=0), style.COLORS[KINDS[kind].hue]
    ax.fill_between(mean.index, mean - sd, mean + sd, color=hue, alpha=0.25, linewidth=0)
    ax.plot(mean.index, mean, color=hue, marker=KINDS[kind].marker, markersize=3.5)
    positive = table["fid"][table["fid"] > 0]
    log_axis(ax.yaxis, positive.min() / 1.3, positive.max() * 1.3)
    ax.set_xlabel(KINDS[kind].level)
    ax.set_title(KINDS[kind].label)
    return ax
