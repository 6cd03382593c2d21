"""Any folder of images as a data set: `folder:PATH` or `folder:PATH@64`."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gansweep.data.base import Dataset, make, split
from gansweep.data.decode import decode
from gansweep.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SIZES = (32, 64)


def load_folder(name: str, root: Path) -> Dataset:
    """`folder:PATH[@SIZE]`: PATH is absolute or under `root`, SIZE is 32 (the default) or 64 pixels.

    Sub-folders `train` and `test` are the two sets; without them a fixed random sixth of the files is the
    test set. If every file lies in a class folder, the classes are the labels.

    Raises:
        UserError: the folder does not exist or has no images, or the size is not one of SIZES.
    """
    folder, size = _parse(name, root)
    parts = [folder / part for part in ("train", "test")]
    if all(part.is_dir() for part in parts):
        train, test = (_files(part) for part in parts)
        classes = [file.relative_to(folder).parts[1:-1] for file in train + test]
        how = "the sub-folders train and test"
    else:
        files = _files(folder)
        train, test = ([files[i] for i in index] for index in split(len(files), n_test=-(-len(files) // 6)))
        classes = [file.relative_to(folder).parts[:-1] for file in train + test]
        how = "a fixed random split, one sixth of the files for testing"
    images, labels, n = decode(train + test, size, root), _labels(classes), len(train)
    return make(
        name,
        folder.name,
        images[:n],
        images[n:],
        f"Centre square of each image, antialiased bilinear resize to {size}×{size}; {how}.",
        labels=None if labels is None else (labels[:n], labels[n:]),
    )


def _parse(name: str, root: Path) -> tuple[Path, int]:
    path, at, size = name.removeprefix("folder:").rpartition("@")
    if not at:
        path, size = size, str(SIZES[0])
    if size not in map(str, SIZES):
        raise UserError(f"the size of a folder's images must be 32 or 64 pixels, but {name!r} says {size!r}")
    folder = root / path  # an absolute path replaces the root
    if not path:
        raise UserError(f"data set {name!r} names no folder: give it a path, absolute or under {root}")
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}: give data set {name!r} a path under {root} or an absolute one"
        )
    return folder, int(size)


def _files(folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    if len(files) < 2:
        raise UserError(
            f"{folder} holds {len(files)} images, but 2 or more are needed: {', '.join(sorted(SUFFIXES))}"
        )
    return sorted(files, key=lambda file: file.relative_to(folder).as_posix())


def _labels(folders: Sequence[tuple[str, ...]]) -> Tensor | None:
    """Returns the classes, which are the sub-folders of the files; None if a file is in no sub-folder."""
    if not all(folders):
        return None
    classes = {name: i for i, name in enumerate(sorted({path[0] for path in folders}))}
    return torch.tensor([classes[path[0]] for path in folders])
