"""Folders of small image files, and who may not read them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from gansweep.data.picture import suffixes

IMAGE = (np.arange(40 * 50 * 3).reshape(40, 50, 3) % 251).astype(np.uint8)  # 50 wide, 40 high
NOBODY = 65534


def write_images(folder: Path, n: int, mode: str = "RGB", suffix: str = "png") -> None:
    """Write n images of one kind that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(np.roll(IMAGE, i, axis=1)).convert(mode).save(folder / f"{i}.{suffix}")


@contextmanager
def as_nobody() -> Iterator[Path]:
    """An empty folder, in a block that has no more rights than any user; root may read everything."""
    import torchvision.datasets  # noqa: F401  what is imported late may lie where only root can read

    suffixes()
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(NOBODY)
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o777)
        shutil.rmtree(folder, ignore_errors=True)
