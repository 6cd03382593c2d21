"""The trials whose samples a report shows, and the files of these samples."""

import math
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from gansweep.errors import UserError
from gansweep.report.comparison import Comparison
from gansweep.results.folder import StudyFolder

MOST_PIXELS = 20_000_000  # of a picture: a grid of samples has far fewer


def own_file(folder: Path, path: object) -> Path | None:
    """The file that a path of the results names, if it is one inside the study's folder, and no link."""
    if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return None
    try:
        file = StudyFolder(folder).inside(*PurePosixPath(path).parts)
    except (UserError, OSError, ValueError):  # a link, a name that is too long, or no name
        return None
    return file if os.path.isfile(file) else None


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
    has_file = [has_samples(comparison, path) for path in mine["sample_path"]]
    usable = mine[pd.Series(has_file, index=mine.index, dtype=bool) & (mine[column] < math.inf)]
    ordered = usable.sort_values([column, "trial_number", "trial_id"])
    places = {0: "best", (len(ordered) - 1) // 2: "median", len(ordered) - 1: "worst"}
    # A later name must not replace "best".
    names = {place: "best" if place == 0 else name for place, name in places.items() if place >= 0}
    return {name: ordered.iloc[place] for place, name in sorted(names.items())} if len(ordered) else {}


def has_samples(comparison: Comparison, path: object) -> bool:
    file = own_file(comparison.folder, path)
    return file is not None and is_readable(file)


def is_readable(file: Path) -> bool:
    """Whether a file is a picture, or an array of vectors."""
    try:
        if file.suffix == ".npy":
            vectors = np.load(file, mmap_mode="r", allow_pickle=False)
            return bool(vectors.ndim == 2 and vectors.size and vectors.dtype.kind == "f")
        with Image.open(file, formats=["PNG"]) as image:
            image.verify()
        with Image.open(file, formats=["PNG"]) as image:
            if image.width * image.height <= MOST_PIXELS:
                image.load()
                return file.suffix == ".png"
    except Exception:  # the image library has no list of what it raises for a damaged file
        return False
    return False


def last_fid(trial: pd.Series) -> float:
    """The FID of a trial's last evaluation, to which its samples belong; NaN if it measured none."""
    return float(trial["fid"]) if pd.notna(trial["fid"]) else math.nan
