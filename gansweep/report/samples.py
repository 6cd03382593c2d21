"""Samples: which trials show theirs, and grids of images embedded in the page."""

import base64
import io
import math
from dataclasses import dataclass

import pandas as pd
from PIL import Image

from gansweep.report.comparison import Comparison
from gansweep.results import slug

LOSSLESS_BELOW = 40_000  # pixels: lossy compression blurs the colours of tiny images


@dataclass(frozen=True)
class Grid:
    """One embedded image: a data URI, its size in pixels, and what it shows."""

    title: str
    caption: str
    alt: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Gallery:
    """The grids of one data set: groups of a heading and its grids, real images first; how to read them."""

    dataset: str
    groups: tuple[tuple[str, tuple[Grid, ...]], ...]
    note: str


def galleries(comparison: Comparison) -> list[Gallery]:
    """Real images and, for each variant, the samples of its best, median and worst trial."""
    return [
        _gallery(comparison, dataset)
        for dataset in comparison.datasets
        if not (comparison.folder / "samples" / f"real-{slug(dataset)}.npy").is_file()
    ]


def _gallery(comparison: Comparison, dataset: str) -> Gallery:
    label = comparison.dataset_label(dataset)
    groups: list[tuple[str, tuple[Grid, ...]]] = []
    if (comparison.folder / "samples" / f"real-{slug(dataset)}.png").is_file():
        real = _embed(comparison, f"samples/real-{slug(dataset)}.png")
        groups.append(("Real images", (Grid("test set", "", f"Grid of real images of {label}", *real),)))
    without = []
    for variant in comparison.ranked(dataset):
        shown = chosen(comparison, dataset, variant).items()
        grids = tuple(_grid(comparison, variant, label, kind, trial) for kind, trial in shown)
        if grids:
            groups.append((comparison.label(variant), grids))
        else:
            without.append(variant)
    notes = ["Each row of a generated grid is a class."] if _is_conditional(comparison, dataset) else []
    notes += [f"No samples were saved for {comparison.labels(without)}."] if without else []
    return Gallery(label, tuple(groups), " ".join(notes))


def _is_conditional(comparison: Comparison, dataset: str) -> bool:
    return bool(comparison.measured(dataset, ("intra_fid", "accuracy")))


def chosen(comparison: Comparison, dataset: str, variant: str) -> dict[str, pd.Series]:
    """The best, median and worst of the variant's trials with samples, each trial once."""
    finished = comparison.finished
    mine = finished[(finished["dataset"] == dataset) & (finished["variant"] == variant)]
    has_file = [
        isinstance(path, str) and (comparison.folder / path).is_file() for path in mine["sample_path"]
    ]
    usable = mine[pd.Series(has_file, index=mine.index, dtype=bool) & (mine["score"] < math.inf)]
    ordered = usable.sort_values(["score", "trial_number"])
    places = {0: "best", (len(ordered) - 1) // 2: "median", len(ordered) - 1: "worst"}
    # A later name must not replace "best".
    names = {place: "best" if place == 0 else name for place, name in places.items() if place >= 0}
    return {name: ordered.iloc[place] for place, name in sorted(names.items())} if len(ordered) else {}


def last_fid(comparison: Comparison, trial: pd.Series) -> float:
    """The FID of a trial's last evaluation, which its samples are of."""
    mine = comparison.evaluations[comparison.evaluations["trial_id"] == trial["trial_id"]]
    return float(mine["fid"].dropna().iloc[-1])


def _grid(comparison: Comparison, variant: str, dataset_label: str, kind: str, trial: pd.Series) -> Grid:
    name = comparison.label(variant)
    fid = f"{last_fid(comparison, trial):.3g}"
    return Grid(
        f"{kind} trial",
        f"FID {fid} at step {trial['steps']}, its lowest {trial['score']:.3g}; trial {trial['trial_number']}",
        f"Grid of uncurated samples of {name} on {dataset_label}, {kind} trial, FID {fid}",
        *_embed(comparison, trial["sample_path"]),
    )


def _embed(comparison: Comparison, path: str) -> tuple[str, int, int]:
    """An image file as a data URI, PNG or WEBP, whichever is smaller; with width and height."""
    original = (comparison.folder / path).read_bytes()
    image = Image.open(io.BytesIO(original))
    packed = io.BytesIO()
    image.save(packed, "WEBP", lossless=image.width * image.height < LOSSLESS_BELOW, quality=85, method=6)
    small = packed.tell() < len(original)
    kind, content = ("webp", packed.getvalue()) if small else ("png", original)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}", image.width, image.height
