"""The first screen of the page: for each data set a sentence, a figure, and real images beside samples."""

import math
from dataclasses import dataclass

import pandas as pd

from gansweep.report.comparison import Comparison
from gansweep.report.costs import TIMES, device, unit
from gansweep.report.page.galleries import Grid, crop
from gansweep.report.samples import chosen, chosen_seeds, is_readable, last_fid, own_file
from gansweep.report.summary import all_trials
from gansweep.report.text.headline import sentence
from gansweep.report.text.numbers import fid_text
from gansweep.results.row import slug

_N_LEADERS = 3  # variants with samples, besides the last


@dataclass(frozen=True)
class Head:
    """What the first screen shows of a data set. tiles: real images, the leading variants, the last."""

    dataset: str
    label: str
    sentence: str
    tiles: tuple[Grid, ...]


def heads(comparison: Comparison) -> list[Head]:
    """Returns the first screen, data set by data set."""
    shape = (2, 1) if len(comparison.datasets) == 2 else (2, 2)
    return [
        Head(
            dataset,
            comparison.dataset_label(dataset),
            sentence(comparison, dataset),
            tuple(_tiles(comparison, dataset, *shape)),
        )
        for dataset in comparison.datasets
    ]


def _tiles(comparison: Comparison, dataset: str, columns: int, rows: int) -> list[Grid]:
    """Real images and, where there are any, samples: columns x rows of each."""
    found = [
        (variant, trial)
        for variant in comparison.order(dataset)
        if (trial := _typical(comparison, dataset, variant)) is not None
    ]
    shown = found[:_N_LEADERS] + found[_N_LEADERS:][-1:]
    tiles = []
    real = own_file(comparison.folder, f"samples/real-{slug(dataset)}.png")
    if shown and real and is_readable(real):
        alt = f"Real images of {comparison.dataset_label(dataset)}"
        tiles.append(Grid("real images", "", alt, *crop(real, columns, rows)))
    for variant, trial in shown:
        label, fid = comparison.label(variant), fid_text(last_fid(trial))
        alt = f"Samples of {label} on {comparison.dataset_label(dataset)}, FID {fid}"
        picture = crop(comparison.folder / trial["sample_path"], columns, rows)
        tiles.append(Grid(label, f"FID {fid}", alt, *picture, trial_id=str(trial["trial_id"])))
    return tiles


def _typical(comparison: Comparison, dataset: str, variant: str) -> pd.Series | None:
    """The median fresh seed of a variant, or the best trial of its search, of those with pictures."""
    seeds = chosen_seeds(comparison, dataset, variant)
    trial = seeds.get("median", seeds.get("best"))
    if trial is None:
        trial = chosen(comparison, dataset, variant).get("best")
    return trial if trial is not None and str(trial["sample_path"]).endswith(".png") else None


def cost(comparison: Comparison) -> str:
    """Returns what the study has cost, in a sentence."""
    trials = all_trials(comparison)
    n = int(trials["outcome"].notna().sum())
    seconds = float((trials["train_seconds"] + trials["eval_seconds"]).astype(float).sum())
    if not seconds or math.isnan(seconds):
        return f"{n:,} trials have finished."
    name = unit(seconds, TIMES)
    where = device(comparison)
    return (
        f"Cost: {seconds / TIMES[name]:.3g} {where} {name} for {n:,} finished trials, "
        f"{fid_text(seconds / max(n, 1))} s each; trials of a pack share its time."
    )
