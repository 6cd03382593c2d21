"""Galleries: grids of sample images embedded in the page."""

import base64
import io
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from PIL import Image

from gansweep.report.comparison import Comparison
from gansweep.report.samples import chosen, chosen_seeds, has_samples, is_readable, last_fid, own_file
from gansweep.report.text.numbers import fid_text
from gansweep.results.metrics import in_strips
from gansweep.results.row import slug

_LOSSLESS_BELOW = 20_000  # pixels: lossy compression blurs the colours of tiny images
_ROWS = 8  # of images, in a grid
_EXAMPLE_ROWS = 4  # of images, in a grid of an example of an FID
_LARGE, _LARGE_ROWS = 200, 5  # pixels: of a grid as wide as this fewer rows are shown


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
        label: of the data set.
        examples: real images, then samples from the lowest FID to the highest, of all variants.
        groups: a heading and its grids; real images first, if there are no examples.
        note: how to read them.
    """

    dataset: str
    label: str
    examples: tuple[Grid, ...]
    groups: tuple[tuple[str, tuple[Grid, ...]], ...]
    note: str


def galleries(comparison: Comparison, examples: dict[str, list[pd.Series]]) -> list[Gallery]:
    """By data set: real images and, for each variant, the samples of its best, median and worst fresh seed,
    or trial where nothing is confirmed, and the training images nearest to its best.

    examples: by data set, the trials whose samples show the range of FIDs.
    """
    return [
        _gallery(comparison, dataset, examples[dataset])
        for dataset in comparison.datasets
        if own_file(comparison.folder, f"samples/real-{slug(dataset)}.npy") is None
    ]


def _gallery(comparison: Comparison, dataset: str, trials: list[pd.Series]) -> Gallery:
    label = comparison.dataset_label(dataset)
    usable = [trial for trial in trials if has_samples(comparison, trial["sample_path"])]
    examples = [_example(comparison, label, trial) for trial in usable]
    groups: list[tuple[str, tuple[Grid, ...]]] = []
    real = own_file(comparison.folder, f"samples/real-{slug(dataset)}.png")
    if real and is_readable(real):
        rows = _EXAMPLE_ROWS if examples else _ROWS
        shown = Grid("test set", "", f"Grid of real images of {label}", *_embed(real, rows))
        examples = [replace(shown, title="real images", caption="test set"), *examples] if examples else []
        groups += [] if examples else [("Real images", (shown,))]
    without = []
    for variant in comparison.ranked(dataset):
        grids = _of_variant(comparison, dataset, variant)
        if grids:
            groups.append((comparison.label(variant), grids))
        else:
            without.append(variant)
    notes = ["Each row of a generated grid is a class."] if _is_conditional(comparison, dataset) else []
    notes += [f"No samples were saved for {comparison.labels(without)}."] if without else []
    return Gallery(dataset, label, tuple(examples), tuple(groups), " ".join(notes))


def _is_conditional(comparison: Comparison, dataset: str) -> bool:
    return bool(comparison.measured(dataset, in_strips("conditional")))


def _of_variant(comparison: Comparison, dataset: str, variant: str) -> tuple[Grid, ...]:
    cell = (dataset, variant)
    shown = [_grid(comparison, *cell, f"{k} seed", t) for k, t in chosen_seeds(comparison, *cell).items()]
    if not shown:
        shown = [_grid(comparison, *cell, f"{k} trial", t) for k, t in chosen(comparison, *cell).items()]
    return (*shown, *_neighbours(comparison, *cell))


def _reported(trial: pd.Series) -> tuple[float, float]:
    """The FIDs of a fresh seed to the test images: of its last evaluation, and of the selected checkpoint."""
    test_fid = trial.get("test_fid")
    return float(trial["fid"] if test_fid is None or pd.isna(test_fid) else test_fid), trial["reported"]


def _grid(comparison: Comparison, dataset: str, variant: str, kind: str, trial: pd.Series) -> Grid:
    of_seed = kind.endswith("seed")
    last, best = _reported(trial) if of_seed else (last_fid(trial), float(trial["score"]))
    fid, seed = fid_text(last), f"seed {trial['seed']}" if of_seed else f"trial {trial['trial_number']}"
    samples = f"Grid of uncurated samples of {comparison.label(variant)}"
    return Grid(
        kind,
        f"FID {fid} at step {trial['steps']}, its best {fid_text(best)}; {seed}",
        f"{samples} on {comparison.dataset_label(dataset)}, {kind}, FID {fid}",
        *_embed(comparison.folder / trial["sample_path"]),
        trial_id=str(trial["trial_id"]),
    )


def _example(comparison: Comparison, dataset_label: str, trial: pd.Series) -> Grid:
    fid, name = fid_text(last_fid(trial)), comparison.label(str(trial["variant"]))
    return Grid(
        f"FID {fid}",
        name,
        f"Grid of uncurated samples on {dataset_label} with an FID of {fid}, of {name}",
        *_embed(comparison.folder / trial["sample_path"], rows=_EXAMPLE_ROWS),
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


def crop(path: Path, columns: int, rows: int) -> tuple[str, int, int]:
    """The first images of a grid of square ones, one pixel apart, as `_embed` gives them."""
    with Image.open(path) as image:
        pitch = (image.width - 1) // _ROWS
        return _packed(image.crop((0, 0, columns * pitch + 1, rows * pitch + 1)))


def _embed(path: Path, rows: int = _ROWS) -> tuple[str, int, int]:
    """A picture as a data URI, with width and height. rows: at most, of its ROWS rows of images."""
    with Image.open(path) as image:
        shown = min(rows, _LARGE_ROWS) if image.width >= _LARGE else rows
        return _packed(image.crop((0, 0, image.width, shown * image.height // _ROWS)))


def _packed(image: Image.Image) -> tuple[str, int, int]:
    """A data URI, PNG or WEBP, whichever is smaller; with width and height."""
    packed, plain = io.BytesIO(), io.BytesIO()
    image.save(packed, "WEBP", lossless=image.width * image.height < _LOSSLESS_BELOW, quality=40, method=6)
    image.save(plain, "PNG", optimize=True)
    kind, file = ("webp", packed) if packed.tell() < plain.tell() else ("png", plain)
    uri = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return uri, image.width, image.height
