"""A convolution of small images as one block Toeplitz matrix, from all pixels to all pixels.

The matrix is larger than the kernel, but it is built once for all batches of an update, and each call is a
single matrix product. The kernels are those of `patches`: 4x4, stride 2, padding 1.

Each row of a block is a row of the kernel or zero, so the matrix is gathered from the kernel. The transpose
of this map, which the gradient of the kernel needs, is a gather and a sum.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from gansweep.networks.layers.patches import LinearMap, apply

Indices = NDArray[np.int64]


def conv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Returns the matrix [H W i, H/2 W/2 o] of a convolution of [H, W, i] with the weight [16 i, o]."""
    spread = _spread(weight.shape[0] // 16, height, width)
    return apply(weight, spread).reshape(height * width * weight.shape[0] // 16, -1)


def deconv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Returns the matrix [h w i, 2h 2w o] of a transposed convolution of [h, w, i], weight [i, 16 o]."""
    return conv_matrix(weight.T, 2 * height, 2 * width).T


@cache
def _spread(i: int, height: int, width: int) -> LinearMap:
    """Returns the map from a weight [..., 16 i, o] to the rows [..., H W i h w, o] of its matrix."""
    sources = _sources(i, height, width)
    targets = _targets(sources, 16 * i)
    most = len(targets)
    return LinearMap(
        lambda weight: _rows(pad(weight, (0, 0, 1, 0)), sources + 1),
        lambda matrix: (
            _rows(pad(matrix, (0, 0, 0, 1)), targets.reshape(-1)).unflatten(-2, (most, -1)).sum(-3)
        ),
    )


def _rows(x: Tensor, index: Indices) -> Tensor:
    """[..., n, o] -> [..., len(index), o]."""
    # An array, since a tensor that is made while a trace is recorded has no values to keep.
    chosen = torch.from_numpy(index)
    if x.device.type != "cpu":
        chosen = chosen.to(x.device)
    return x.reshape(-1, *x.shape[-2:]).index_select(1, chosen).view(*x.shape[:-2], len(index), x.shape[-1])


def _sources(i: int, height: int, width: int) -> Indices:
    """Returns for each row of the matrix its row of the weight [16 i, o]; -1: it is zero. [H W i h w]"""
    rows, columns = _meets(height)[:, None, :, None], _meets(width)[None, :, None, :]
    cells, pixels = rows // 2 * 2 + columns // 2, rows % 2 * 2 + columns % 2  # see `patches_4x4`
    taps = np.where((rows < 0) | (columns < 0), -1, 4 * cells + pixels)
    taps = taps.reshape(height * width, 1, height * width // 4)
    return np.where(taps < 0, -1, taps * i + np.arange(i)[:, None]).reshape(-1)


def _meets(side: int) -> Indices:
    """Returns which of four lines of the kernel connects a line of the large image to a line of the small
    one, [H, h]; -1: none does."""
    line = np.arange(side)[:, None] - (2 * np.arange(side // 2) - 1)
    return np.where((line >= 0) & (line < 4), line, -1)


def _targets(sources: Indices, n: int) -> Indices:
    """Returns for each row of the weight the rows of the matrix that it fills, [most, n]; where there are
    fewer than the most, one behind the last."""
    filled = [np.flatnonzero(sources == row) for row in range(n)]
    targets = np.full((max(map(len, filled)), n), len(sources))
    for row, places in enumerate(filled):
        targets[: len(places), row] = places
    return targets
