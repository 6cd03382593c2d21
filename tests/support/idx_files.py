"""Files in the format of MNIST."""

import struct
from pathlib import Path

import numpy as np


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array of bytes as an IDX file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def write_mnist(root: Path) -> Path:
    """Write five training and three test images under a data root. Returns the folder of the four files."""
    raw = root / "MNIST" / "raw"
    for part, n in (("train", 5), ("t10k", 3)):
        images = np.arange(n * 28 * 28, dtype=np.uint32).reshape(n, 28, 28).astype(np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n, dtype=np.uint8))
    return raw
