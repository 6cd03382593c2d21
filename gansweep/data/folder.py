"""Any folder of images as a data set: `folder:PATH` or `folder:PATH@64`."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gansweep.data.base import Dataset, make
from gansweep.data.decode import decode
from gansweep.data.layout import find_sets
from gansweep.data.listing import LeftOut
from gansweep.data.picture import RULES
from gansweep.data.reading import readable, shown
from gansweep.errors import UserError, complain

SIZES = (32, 64)


def load_folder(name: str, root: Path) -> Dataset:
    """`folder:PATH[@SIZE]`: PATH is absolute or under `root`, SIZE is 32 (the default) or 64 pixels.

    Training and test set: `find_sets`. The folders in a set are its classes, each with all that lies below
    it; a folder without images is none. If an image lies in no class folder, there are no labels.
    Images are the files with a suffix that the installed Pillow decodes; links are followed, hidden entries
    left out. A line on stderr says how many images and classes there are, and what is left out.

    Raises:
        UserError: the folder does not exist or has no images; its sets or classes cannot be told; the size is
            not one of SIZES; an image cannot be read.
    """
    folder, size = _parse(name, root)
    left_out = LeftOut()
    train, test, how = find_sets(folder, left_out)
    files, classes = train.files + test.files, train.classes + test.classes
    counts = f"{len(files):,} images {_classes(files, classes)}, {len(test):,} of them for testing"
    text = f"data '{name.removeprefix('folder:')}': {counts}{left_out}"
    complain(text)
    images, labels, n = decode(files, size, root), _labels(classes), len(train)
    return make(
        name,
        shown(folder.name),
        images[:n],
        images[n:],
        f"Centre square of each image, antialiased bilinear resize to {size}×{size}; {RULES}; {how}.",
        labels=None if labels is None else (labels[:n], labels[n:]),
    )


def _parse(name: str, root: Path) -> tuple[Path, int]:
    if shown(name) != name:
        raise UserError(
            f"data set '{shown(name)}' has characters in its name that cannot be printed: rename it"
        )
    path, size = name.removeprefix("folder:"), str(SIZES[0])
    before, at, after = path.rpartition("@")
    with readable(root / path):
        # A folder may have an @ in its name.
        if at and (after in map(str, SIZES) or ("/" not in after and not (root / path).is_dir())):
            path, size = before, after
    if size not in map(str, SIZES):
        raise UserError(f"the size of a folder's images must be 32 or 64 pixels, but {name!r} says {size!r}")
    folder = root / path  # an absolute path replaces the root
    if not path:
        raise UserError(f"data set {name!r} names no folder: give it a path, absolute or under {shown(root)}")
    with readable(folder):
        if not folder.is_dir():
            raise UserError(
                f"there is no folder {shown(folder)}: give data set {name!r} a path under {shown(root)}, or "
                "an absolute one"
            )
    return folder, int(size)


def _classes(files: Sequence[Path], classes: Sequence[str]) -> str:
    if all(classes):
        n = len(set(classes))
        return f"in {n:,} class{'es' if n > 1 else ''}"
    if not any(classes):
        return "without classes"
    outside = [file for file, name in zip(files, classes, strict=True) if not name]
    lie = f"{len(outside):,} lie" if len(outside) > 1 else "1 lies"
    return f"without classes, as {lie} in no class folder ({shown(outside[0].name)})"


def _labels(classes: Sequence[str]) -> Tensor | None:
    """Returns the classes as numbers in the order of their names; None if an image has no class."""
    if not all(classes):
        return None
    numbers = {name: i for i, name in enumerate(sorted(set(classes)))}
    return torch.tensor([numbers[name] for name in classes])
