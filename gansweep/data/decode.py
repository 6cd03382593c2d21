"""Decodes image files to one uint8 tensor, once, with many threads, and caches the result."""

import hashlib
import logging
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gansweep.data.base import machine_memory
from gansweep.data.picture import RULES, read_square
from gansweep.data.places import cache_root
from gansweep.data.reading import readable, shown
from gansweep.data.tensors import load_tensors, save_tensors
from gansweep.errors import Damaged, UserError
from gansweep.files import file_lock, require_writable

_log = logging.getLogger(__name__)
N_NAMED = 3  # files that cannot be used, besides the first


def decode(paths: Sequence[Path], size: int, root: Path, crop: int | None = None) -> Tensor:
    """Returns the images, centre-cropped and resized: uint8 [N, C, size, size]; C = 1 if all files are grey.

    What becomes of transparency, orientation and animations: `read_square`.

    crop: side of the crop [pixels]; None takes the shorter side of each image.
    The result is cached in `root`/decoded, or in `cache_root()` if `root` is not writable, until a file's
    name, size or modification time changes. Concurrent processes wait for the first.

    Raises:
        UserError: a file may not be read, or is not an image of at most 8 bits per channel; the images do
            not fit into memory.
    """
    name = f"{_fingerprint(paths, size, crop)}.pt"
    caches = [folder / "decoded" / name for folder in (root, cache_root())]
    for cache in caches:
        if (images := _cached(cache)) is not None:
            return images
    cache = caches[0] if _is_writable(caches[0].parent) else caches[1]
    with file_lock(cache.parent.with_name(".decoded.lock")):
        if (images := _cached(cache)) is not None:
            return images
        images = _decode_all(paths, size, crop)
        try:
            save_tensors({"images": images}, cache, "decoded images", cache.stem)
        except OSError as error:
            _log.warning("decoded images are not kept: %s: %s", cache, error.strerror)
    return images


def _cached(cache: Path) -> Tensor | None:
    """Returns the images of an earlier call; None where there are none, or the file is damaged."""
    try:
        images: Tensor = load_tensors(cache, "decoded images", cache.stem, mmap=True)["images"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (Damaged, OSError) as error:
        _log.warning("%s: the images are decoded again", error)
        return None
    return images


def _is_writable(folder: Path) -> bool:
    try:
        require_writable(folder)
    except UserError:
        return False
    return True


def _fingerprint(paths: Sequence[Path], size: int, crop: int | None) -> str:
    digest = hashlib.sha256(f"{size} {crop} {RULES}".encode())
    for path in paths:
        with readable(path):
            stat = path.stat()
        digest.update(b"\n%b %d %d" % (os.fsencode(path), stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()[:24]


def _decode_all(paths: Sequence[Path], size: int, crop: int | None) -> Tensor:
    shape = len(paths), size, size, 3
    if math.prod(shape) > machine_memory():
        raise UserError(
            f"{len(paths):,} images of {size}×{size} pixels do not fit into the memory of this machine: use "
            "fewer or smaller ones"
        )
    pixels = np.empty(shape, dtype=np.uint8)

    def fill(i: int) -> bool | UserError:
        try:
            pixels[i], grey = read_square(paths[i], size, crop)
        except UserError as error:
            return error
        return grey

    # Threads suffice: the image library releases Python's lock.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # of metadata
        read = list(threads.map(fill, range(len(paths))))
    failed = [(path, error) for path, error in zip(paths, read, strict=True) if isinstance(error, UserError)]
    if failed:
        raise _all_failed(*failed)
    return torch.from_numpy(pixels[..., :1] if all(read) else pixels).permute(0, 3, 1, 2).contiguous()


def _all_failed(first: tuple[Path, UserError], *others: tuple[Path, UserError]) -> UserError:
    if not others:
        return first[1]
    names = ", ".join(shown(path) for path, _ in others[:N_NAMED])
    more = ", ..." if len(others) > N_NAMED else ""
    return UserError(f"{first[1]}. More files that cannot be used: {len(others)} ({names}{more})")
