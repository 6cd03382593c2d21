"""Bias and variance of FID between two samples of the same real images, where the true value is 0."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.data import Dataset
from gansweep.demos.fid.features import RealFeatures, real_features, shuffled
from gansweep.evaluation import Evaluation
from gansweep.evaluation.metrics.features import frechet, statistics
from gansweep.evaluation.metrics.fid_infinity import at_infinity, fid_by_size, gaussian_slope, sizes_for
from gansweep.report.style import style

_PUBLISHED, _REDRAWN, _BY_SIZE = "published split", "new splits", "by size"  # the parts of the experiment
_MANY_FEATURES, _MAX_SLOW_REPEATS = (
    256,
    10,
)  # with more features than that, the last part has at most so many repeats: it is slow
# Means and standard deviations that the paper gives, with Inception; Kurach et al., 2018, arXiv:1807.04720,
# quote the one of CIFAR-10, the others were not found elsewhere.
_PAPER_FIDS = {
    "mnist": (1.25, 0.02),
    "fashion_mnist": (2.60, 0.03),
    "cifar10": (5.19, 0.02),
    "celeba": (2.27, 0.02),
}


def bias(dataset: Dataset, evaluation: Evaluation, n_repeats: int, seed: int) -> pd.DataFrame:
    """FIDs of real samples against real ones, whose expectation for infinitely many is 0.

    In three parts: the test set against random training samples, as many; both sides of random new splits of
    all samples with a test set of the same size; and both sides of n samples for fifteen n up to half of all.

    Returns:
        A line for each FID: dataset, label, extractor, n_features, part, repeat, n (samples on each side),
        fid, gaussian (the bias that Gaussian features of the same covariance would have).

    Raises:
        UserError: as `real_features`.

    Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5, the experiment on
        bias and variance.
    Deviations: (1) other extractors than Inception have other numbers; (2) the part by size is new: see
        `infinity.at_infinity`.
    """
    real = real_features(dataset, evaluation)
    stream = np.random.RandomState(seed)
    n = min(len(real.test), len(real.train))
    fids = fid_by_size(real.train, statistics(real.test), [n] * n_repeats, seed)
    rows = [(_PUBLISHED, repeat, n, fid) for repeat, fid in enumerate(fids)]
    rows += [(_REDRAWN, repeat, n, _halves(real, n, stream)) for repeat in range(n_repeats)]
    sizes = sizes_for(len(real.all) // 2, real.train.shape[1])
    for repeat in range(
        n_repeats if real.train.shape[1] <= _MANY_FEATURES else min(n_repeats, _MAX_SLOW_REPEATS)
    ):
        rows += [(_BY_SIZE, repeat, size, _halves(real, size, stream)) for size in sizes]
    table = pd.DataFrame(rows, columns=["part", "repeat", "n", "fid"]).assign(**real.identifying_columns)
    table["gaussian"] = 2 * gaussian_slope(statistics(real.all)[1]) / table["n"]
    return table[[*real.identifying_columns, "part", "repeat", "n", "fid", "gaussian"]]


def _halves(real: RealFeatures, n: int, stream: np.random.RandomState) -> float:
    """The FID of n random samples against n others."""
    features = real.all
    order = shuffled(len(features), stream)
    return frechet(statistics(features[order[:n]]), statistics(features[order[n : 2 * n]]))


def _line(table: pd.DataFrame) -> tuple[float, float, float]:
    """Intercept of FID over 1 / n, its standard deviation over the repeats, and the slope."""
    fits = [
        at_infinity(group["fid"].tolist(), group["n"].tolist())
        for _, group in table[table["part"] == _BY_SIZE].groupby("repeat")
    ]
    intercepts, slopes = np.transpose(fits)
    return float(np.mean(intercepts)), float(np.std(intercepts)), float(np.mean(slopes))


def findings(table: pd.DataFrame) -> list[str]:
    """Sentences, computed from the table."""
    first = table.iloc[0]
    words = [
        f"{first['label']} as {first['extractor']} sees it ({first['n_features']} features): the FID of real "
        "images against as many other real images, which should be 0.",
        *(_part(table, part, words) for part, words in _PARTS.items()),
    ]
    words += _on_the_split(table)
    intercept, sd, slope = _line(table)
    gaussian = float((table["gaussian"] * table["n"]).iloc[0])
    words.append(
        f"The bias is close to C / n with C = {slope:.3g} ({gaussian:.3g} were the features Gaussian); "
        f"infinitely many images would have {_spread(intercept, sd)}."
    )
    return [*words, _paper(str(first["dataset"]))]


_PARTS = {
    _PUBLISHED: "test set against random training images",
    _REDRAWN: "random new splits of all images",
}


def _part(table: pd.DataFrame, part: str, words: str) -> str:
    chosen = table[table["part"] == part]
    mean, sd = chosen["fid"].mean(), chosen["fid"].std(ddof=0)
    return f"{words}, n = {chosen['n'].iloc[0]:,}, {len(chosen)} times: {_spread(mean, sd)} (mean ± sd)."


def _on_the_split(table: pd.DataFrame) -> list[str]:
    published, redrawn = (table.loc[table["part"] == part, "fid"] for part in (_PUBLISHED, _REDRAWN))
    gap = published.mean() - redrawn.mean()
    if gap < 3 * max(published.std(ddof=0), redrawn.std(ddof=0)):
        return []
    return [
        f"The published test set is farther from the training set than chance has it, by {gap:.2g}: its "
        "images are others, or the extractor knows the training images."
    ]


def _spread(mean: float, sd: float) -> str:
    """Mean and standard deviation with two digits of the latter.

    >>> _spread(0.28411, 0.07264), _spread(5.19, 0.0), _spread(2345.6, 120.4)
    ('0.284 ± 0.073', '5.19 ± 0', '2346 ± 120')
    """
    if sd == 0:
        return f"{mean:.3g} ± 0"
    digits = max(0, 1 - math.floor(math.log10(sd)))
    return f"{mean:.{digits}f} ± {sd:.{digits}f}"


def _paper(dataset: str) -> str:
    others = "FIDs of different extractors have different scales: compare ratios, not values."
    if dataset not in _PAPER_FIDS:
        return f"Lucic et al. (2018) do not have this data set. {others}"
    mean, sd = _PAPER_FIDS[dataset]
    return f"Lucic et al. (2018) give {mean} ± {sd} for it, with Inception. {others}"


def draw(table: pd.DataFrame) -> Figure:
    """The repeats beside the ideal 0, and FID over 1 / n with its line."""
    figure = style.new_figure(2.6)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5])
    plot_repeats(table, left)
    plot_sizes(table, right)
    return figure


def plot_repeats(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A dot for each repeat at the one size, a tick for the mean; the dashed line is the truth."""
    ax = ax or style.new_figure(2.6, 2.6).subplots()
    for place, part in enumerate((_PUBLISHED, _REDRAWN)):
        fids = table.loc[table["part"] == part, "fid"].to_numpy()
        ax.plot(place + 0.4 * style.scatter_offsets(len(fids)), fids, **_DOTS)
        ax.plot([place - 0.3, place + 0.3], [fids.mean()] * 2, color=style.INK, linewidth=1.4)
    ax.axhline(0, color=style.MUTE, linewidth=1, linestyle="--")
    ax.set_xlim(-0.6, 1.6)
    ax.set_ylim(*_from_zero(table.loc[table["part"] != _BY_SIZE, "fid"].max()))
    ax.set_xticks([0, 1], [_PUBLISHED, _REDRAWN])
    ax.set_ylabel("FID of real images (ideal: 0)")
    ax.set_title(f"(a) {table['label'].iloc[0]}, n = {table['n'].iloc[0]:,}")
    return ax


def plot_sizes(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """FID over 1 / n with the line of least squares, and the bias that Gaussian features would have."""
    ax = ax or style.new_figure(2.6, 4.0).subplots()
    sizes = table[table["part"] == _BY_SIZE]
    ends = np.array([0, 1 / sizes["n"].min()])
    intercept, _, slope = _line(table)
    gaussian = float((table["gaussian"] * table["n"]).iloc[0])
    ax.plot(1 / sizes["n"], sizes["fid"], label="measured", **_DOTS)
    ax.plot(ends, intercept + slope * ends, color=style.INK, linewidth=1.2, label="line through them")
    ax.plot(ends, gaussian * ends, color=style.MUTE, linewidth=1.2, linestyle="--", label="Gaussian features")
    ax.set_xlim(0, ends[1] * 1.04)
    ax.set_ylim(*_from_zero(max(sizes["fid"].max(), gaussian * ends[1])))
    shown = sorted(sizes["n"].unique())
    ticks = [shown[0], shown[2], shown[-1]]
    ax.set_xticks([0, *(1 / n for n in ticks)], ["∞", *(f"{n:,}" for n in ticks)])
    ax.set_xlabel("images on each side, n (axis in 1 / n)")
    ax.set_ylabel("FID of real images")
    ax.set_title(f"(b) the bias is close to {slope:.3g} / n")
    ax.legend(loc="upper left")
    return ax


def _from_zero(highest: float) -> tuple[float, float]:
    return -0.05 * highest, 1.08 * highest


_DOTS: dict[str, Any] = {
    "linestyle": "",
    "marker": "o",
    "markersize": 2.4,
    "markeredgewidth": 0,
    "color": style.COLORS["blue"],
    "alpha": 0.6,
}
