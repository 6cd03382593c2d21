"""Decodes image files to one uint8 tensor, once, with many threads, and caches the result."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from gansweep.data.base import save_tensors
from gansweep.data.places import cache_root
from gansweep.errors import UserError
from gansweep.files import file_lock, require_writable

GREY = ("1", "L", "LA")


def decode(paths: Sequence[Path], size: int, root: Path, crop: int | None = None) -> Tensor:
    """Returns the images, centre-cropped and resized: uint8 [N, C, size, size]; C = 1 if all files are grey.

    crop: side of the crop [pixels]; None takes the shorter side of each image.
    The result is cached in `root`/decoded, or in `cache_root()` if `root` is not writable, until a file's
    name, size or modification time changes. Concurrent processes wait for the first.

    Raises:
        UserError: a file is not an image of at most 8 bits per channel.
    """
    name = f"{_fingerprint(paths, size, crop)}.pt"
    caches = [folder / "decoded" / name for folder in (root, cache_root())]
    for cache in caches:
        if cache.exists():
            return _read(cache)
    cache = caches[0] if _is_writable(caches[0].parent) else caches[1]
    with file_lock(cache.parent.with_name(".decoded.lock")):
        if cache.exists():
            return _read(cache)
        images = _decode_all(paths, size, crop)
        save_tensors({"images": images}, cache)
    return images


def _read(cache: Path) -> Tensor:
    images: Tensor = torch.load(cache, weights_only=True, mmap=True)["images"]
    return images


def _is_writable(folder: Path) -> bool:
    try:
        require_writable(folder)
    except UserError:
        return False
    return True


def _fingerprint(paths: Sequence[Path], size: int, crop: int | None) -> str:
    digest = hashlib.sha256(f"{size} {crop}".encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"\n{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def _decode_all(paths: Sequence[Path], size: int, crop: int | None) -> Tensor:
    pixels = np.empty((len(paths), size, size, 3), dtype=np.uint8)

    def fill(i: int) -> bool:
        image, grey = _open(paths[i], crop)
        pixels[i] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
        return grey

    # Threads suffice: the image library releases Python's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        grey = all(list(threads.map(fill, range(len(paths)))))
    return torch.from_numpy(pixels[..., :1] if grey else pixels).permute(0, 3, 1, 2).contiguous()


def _open(path: Path, crop: int | None) -> tuple[Image.Image, bool]:
    """Returns the cropped RGB image, and whether the file is grey."""
    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise UserError(f"{path} has more than 8 bits per channel: convert it to 8 bits")
            grey = file.mode in GREY
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError):
        raise UserError(f"{path} is not an image, or is truncated or damaged: replace or remove it") from None
    side = crop or min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side)), grey
