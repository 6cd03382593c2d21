"""Agreement of extractors: whether FIDs by different features put the same generators in the same order."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gansweep.data import Dataset
from gansweep.data.base import split
from gansweep.demos.fid.distortions import KINDS, require_images
from gansweep.demos.fid.features import load_extractor
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.metrics.features import frechet, statistics
from gansweep.report import statistics as study_statistics
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis

_PAPER_CORRELATION = 0.9  # Spearman's, of Inception's and VGG's FIDs of the paper's generators of faces


def agreement(dataset: Dataset, evaluation: Evaluation, n_repeats: int, seed: int) -> pd.DataFrame:
    """FIDs by two extractors of stand-ins for generators: training images made worse in five ways.

    The extractors are `evaluation.extractor` and `evaluation.second_extractor`, "pixels" if it is "none";
    n_repeats is the number of stand-ins, each with as many images as the test set.

    Returns:
        A line for each stand-in: dataset, label, extractor, second_extractor, kind, level, n, fid,
        second_fid.

    Raises:
        UserError: as `load_extractor`, the samples are not images, or both extractors are the same.

    Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5, the comparison of
        Inception with VGG.
    Deviations: (1) trained generators there, graded real images here; (2) other extractors.
    """
    require_images(dataset, "agreement")
    other = evaluation.second or replace(evaluation, extractor="pixels", weights=None)
    names, extractors = zip(*(load_extractor(dataset, each) for each in (evaluation, other)), strict=True)
    if names[0] == names[1]:
        raise UserError(f"agreement needs two extractors, but both are {names[0]!r}: name another second one")
    references = [statistics(extract(dataset.test)) for extract in extractors]
    rows = []
    for kind, level, images in _stand_ins(dataset, n_repeats, seed):
        fids = [
            frechet(statistics(extract(images)), real)
            for extract, real in zip(extractors, references, strict=True)
        ]
        rows.append((kind, level, len(images), *fids))
    table = pd.DataFrame(rows, columns=["kind", "level", "n", "fid", "second_fid"])
    first = {"dataset": dataset.name, "label": dataset.label}
    first |= {"extractor": names[0], "second_extractor": names[1]}
    return table.assign(**first)[[*first, *table.columns]]


def _stand_ins(dataset: Dataset, n: int, seed: int) -> Iterator[tuple[str, float, Tensor]]:
    """n stand-ins, the kinds in turn, each with kind, level and images."""
    kinds = [k for k in KINDS if dataset.train_labels is not None or not KINDS[k].needs_labels]
    n_images = min(len(dataset.test), len(dataset.train))
    for place, kind in enumerate(kinds):
        levels = KINDS[kind].levels(len(range(place, n, len(kinds))))
        for number, level in enumerate(levels):
            index = split(len(dataset.train), n_images, seed + len(kinds) * number + place)[1]
            labels = None if dataset.train_labels is None else dataset.train_labels[index]
            stream = torch.Generator().manual_seed(seed + number)
            yield kind, level, KINDS[kind].worsen(dataset.train[index], labels, level, stream)


def findings(table: pd.DataFrame) -> list[str]:
    """Sentences, computed from the table."""
    first, (one, two) = table.iloc[0], _fids(table)
    rho = study_statistics.rank_correlation(one, two)
    within = {str(kind): _rank_correlation(*_fids(group)) for kind, group in table.groupby("kind")}
    worst = min(within, key=lambda kind: within[kind])
    signs = np.sign(np.subtract.outer(one, one)) == np.sign(np.subtract.outer(two, two))
    share = signs[np.triu_indices(len(one), 1)].mean()
    return [
        f"{first['label']}: {len(table)} stand-ins for generators, by {first['extractor']} and by "
        f"{first['second_extractor']} features.",
        f"Spearman's rank correlation of the two FIDs is {rho.value:.2f}, 95 % interval {rho.low:.2f} to "
        f"{rho.high:.2f}; {share:.0%} of all pairs are in the same order.",
        f"Within one kind of flaw it is {within[worst]:.2f} ({KINDS[worst].label}) or higher.",
        f"Lucic et al. (2018) report {_PAPER_CORRELATION} for Inception and VGG, with generators of faces.",
    ]


def _fids(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return table["fid"].to_numpy(), table["second_fid"].to_numpy()


def _rank_correlation(one: np.ndarray, two: np.ndarray) -> float:
    return float(pd.Series(one).corr(pd.Series(two), method="spearman"))


def draw(table: pd.DataFrame) -> Figure:
    """Every stand-in by both FIDs."""
    figure = style.new_figure(3.2, 4.6)
    plot_agreement(table, figure.subplots())
    return figure


def plot_agreement(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The second FID over the first, both logarithmic, a hue and marker for each kind of flaw."""
    ax = ax or style.new_figure(3.2, 4.6).subplots()
    for name, group in table.groupby("kind", sort=False):
        kind = KINDS[str(name)]
        ax.plot(
            group["fid"],
            group["second_fid"],
            linestyle="",
            marker=kind.marker,
            markersize=4,
            color=style.COLORS[kind.hue],
            label=kind.label,
        )
    for axis, column in ((ax.xaxis, "fid"), (ax.yaxis, "second_fid")):
        log_axis(axis, table[column].min() / 1.2, table[column].max() * 1.2)
    ax.set_xlabel(f"FID of {table['extractor'].iloc[0]} features")
    ax.set_ylabel(f"FID of {table['second_extractor'].iloc[0]} features")
    rho = _rank_correlation(*_fids(table))
    ax.set_title(f"{table['label'].iloc[0]}: rank correlation {rho:.2f}")
    ax.legend(loc="upper left")
    return ax
