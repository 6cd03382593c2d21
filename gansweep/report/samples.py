"""Samples: which trials show theirs, and grids of images embedded in the page."""

import base64
import io
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from gansweep.report.comparison import Comparison
from gansweep.report.text.numbers import fid_text
from gansweep.results.metrics import in_strips
from gansweep.results.row import slug

LOSSLESS_BELOW = 40_000  # pixels: lossy compression blurs the colours of tiny images
ROWS = 8  # of images, in a grid
RUNG_ROWS = 4  # those of them that a ladder shows


@dataclass(frozen=True)
class Grid:
    """One embedded image: a data URI, its size in pixels, what it shows, and the id of its trial."""

    title: str
    caption: str
    alt: str
    uri: str
    width: int
    height: int
    trial_id: str = ""


@dataclass(frozen=True)
class Gallery:
    """The grids of one data set.

    Attributes:
        ladder: real images, then samples from the lowest FID to the highest, of all variants.
        groups: a heading and its grids; real images first, where there is no ladder.
        note: how to read them.
    """

    dataset: str
    ladder: tuple[Grid, ...]
    groups: tuple[tuple[str, tuple[Grid, ...]], ...]
    note: str


def own_file(folder: Path, path: object) -> Path | None:
    """The file that a path of the results names, if it is one inside the study's folder."""
    if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return None
    return folder / path if os.path.isfile(folder / path) else None


def galleries(comparison: Comparison, ladders: dict[str, list[pd.Series]]) -> list[Gallery]:
    """By data set: real images and, for each variant, the samples of its best, median and worst fresh seed,
    or trial where nothing is confirmed, and the training images nearest to its best.

    ladders: the trials of each data set's ladder.
    """
    return [
        _gallery(comparison, dataset, ladders[dataset])
        for dataset in comparison.datasets
        if own_file(comparison.folder, f"samples/real-{slug(dataset)}.npy") is None
    ]


def _gallery(comparison: Comparison, dataset: str, ladder: list[pd.Series]) -> Gallery:
    label = comparison.dataset_label(dataset)
    usable = [trial for trial in ladder if _has_samples(comparison, trial["sample_path"])]
    rungs = [_rung(comparison, label, trial) for trial in usable]
    groups: list[tuple[str, tuple[Grid, ...]]] = []
    real = own_file(comparison.folder, f"samples/real-{slug(dataset)}.png")
    if real and is_readable(real):
        rows = RUNG_ROWS if rungs else ROWS
        shown = Grid("test set", "", f"Grid of real images of {label}", *_embed(real, rows))
        rungs = [replace(shown, title="real images", caption="test set"), *rungs] if rungs else []
        groups += [] if rungs else [("Real images", (shown,))]
    without = []
    for variant in comparison.ranked(dataset):
        grids = _of_variant(comparison, dataset, variant)
        if grids:
            groups.append((comparison.label(variant), grids))
        else:
            without.append(variant)
    notes = ["Each row of a generated grid is a class."] if _is_conditional(comparison, dataset) else []
    notes += [f"No samples were saved for {comparison.labels(without)}."] if without else []
    return Gallery(label, tuple(rungs), tuple(groups), " ".join(notes))


def _is_conditional(comparison: Comparison, dataset: str) -> bool:
    return bool(comparison.measured(dataset, in_strips("conditional")))


def _of_variant(comparison: Comparison, dataset: str, variant: str) -> tuple[Grid, ...]:
    cell = (dataset, variant)
    shown = [_grid(comparison, *cell, f"{k} seed", t) for k, t in chosen_seeds(comparison, *cell).items()]
    if not shown:
        shown = [_grid(comparison, *cell, f"{k} trial", t) for k, t in chosen(comparison, *cell).items()]
    return (*shown, *_neighbours(comparison, *cell))


def chosen(comparison: Comparison, dataset: str, variant: str) -> dict[str, pd.Series]:
    """The best, median and worst of the variant's trials of the search with samples, each trial once; the
    best alone if the search prunes trials, as nobody knows the others."""
    found = _three(comparison, comparison.finished, dataset, variant, "score")
    return {name: trial for name, trial in found.items() if name == "best" or not comparison.is_halved}


def chosen_seeds(comparison: Comparison, dataset: str, variant: str) -> dict[str, pd.Series]:
    """The best, median and worst of the fresh seeds that confirm the variant, of those with samples."""
    return _three(comparison, comparison.confirmed, dataset, variant, "reported")


def _three(
    comparison: Comparison, trials: pd.DataFrame, dataset: str, variant: str, column: str
) -> dict[str, pd.Series]:
    mine = trials[(trials["dataset"] == dataset) & (trials["variant"] == variant)]
    has_file = [_has_samples(comparison, path) for path in mine["sample_path"]]
    usable = mine[pd.Series(has_file, index=mine.index, dtype=bool) & (mine[column] < math.inf)]
    ordered = usable.sort_values([column, "trial_number", "trial_id"])
    places = {0: "best", (len(ordered) - 1) // 2: "median", len(ordered) - 1: "worst"}
    # A later name must not replace "best".
    names = {place: "best" if place == 0 else name for place, name in places.items() if place >= 0}
    return {name: ordered.iloc[place] for place, name in sorted(names.items())} if len(ordered) else {}


def _has_samples(comparison: Comparison, path: object) -> bool:
    file = own_file(comparison.folder, path)
    return file is not None and is_readable(file)


def is_readable(file: Path) -> bool:
    """Whether a file is a picture, or an array of vectors."""
    try:
        if file.suffix == ".npy":
            return np.load(file, mmap_mode="r", allow_pickle=False).ndim == 2
        with Image.open(file, formats=["PNG"]) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # whatever a damaged file is
        return False
    return file.suffix == ".png"


def last_fid(comparison: Comparison, trial: pd.Series) -> float:
    """The FID of a trial's last evaluation, which its samples are of; NaN if it measured none."""
    return float(trial["fid"]) if pd.notna(trial["fid"]) else math.nan


def _reported(trial: pd.Series) -> tuple[float, float]:
    """The FIDs of a fresh seed to the test images: of its last evaluation, and of the selected checkpoint."""
    test_fid = trial.get("test_fid")
    return float(trial["fid"] if test_fid is None or pd.isna(test_fid) else test_fid), trial["reported"]


def _grid(comparison: Comparison, dataset: str, variant: str, kind: str, trial: pd.Series) -> Grid:
    of_seed = kind.endswith("seed")
    last, best = _reported(trial) if of_seed else (last_fid(comparison, trial), float(trial["score"]))
    fid, seed = fid_text(last), f"seed {trial['seed']}" if of_seed else f"trial {trial['trial_number']}"
    samples = f"Grid of uncurated samples of {comparison.label(variant)}"
    return Grid(
        kind,
        f"FID {fid} at step {trial['steps']}, its best {fid_text(best)}; {seed}",
        f"{samples} on {comparison.dataset_label(dataset)}, {kind}, FID {fid}",
        *_embed(comparison.folder / trial["sample_path"]),
        trial_id=str(trial["trial_id"]),
    )


def _rung(comparison: Comparison, dataset_label: str, trial: pd.Series) -> Grid:
    fid, name = fid_text(last_fid(comparison, trial)), comparison.label(str(trial["variant"]))
    return Grid(
        f"FID {fid}",
        name,
        f"Grid of uncurated samples on {dataset_label} with an FID of {fid}, of {name}",
        *_embed(comparison.folder / trial["sample_path"], rows=RUNG_ROWS),
        trial_id=str(trial["trial_id"]),
    )


def _neighbours(comparison: Comparison, dataset: str, variant: str) -> list[Grid]:
    """The picture of the finalist's samples beside the training images nearest to them."""
    mine = [e for e in comparison.finalists if (e.dataset, e.variant) == (dataset, variant)]
    found = [(entry, own_file(comparison.folder, entry.neighbours)) for entry in mine]
    caption = "a sample in each row, then the training images nearest to it in the space of features"
    return [
        Grid(
            "nearest training images",
            caption,
            f"Samples of {comparison.label(variant)} on {comparison.dataset_label(dataset)}, {caption}",
            *_embed(file),
            trial_id=entry.trial_id,
        )
        for entry, file in found
        if file and file.suffix == ".png" and is_readable(file)
    ]


def _embed(path: Path, rows: int = ROWS) -> tuple[str, int, int]:
    """An image file as a data URI, PNG or WEBP, whichever is smaller; with width and height.

    rows: how many of its ROWS rows of images are kept.
    """
    original = path.read_bytes()
    image: Image.Image = Image.open(io.BytesIO(original))
    if rows < ROWS:
        image = image.crop((0, 0, image.width, rows * image.height // ROWS))
    packed, plain = io.BytesIO(), io.BytesIO()
    image.save(packed, "WEBP", lossless=image.width * image.height < LOSSLESS_BELOW, quality=75, method=6)
    image.save(plain, "PNG", optimize=True)
    kind, file = ("webp", packed) if packed.tell() < plain.tell() else ("png", plain)
    uri = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return uri, image.width, image.height
