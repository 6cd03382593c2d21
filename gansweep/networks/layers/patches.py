"""Images as patches, which make a convolution a matrix product. The transposes sum overlapping patches.

Images are [..., H, W, C]. Each map is linear and its transpose is the other map of its pair, so derivatives
of any order use these two maps only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad


def patches_4x4(x: Tensor) -> Tensor:
    """[..., H, W, C] -> [..., H/2, W/2, 16 C]: the patches of a 4x4 convolution, stride 2, padding 1."""
    return apply(x, _FOUR)


def fold_4x4(patches: Tensor) -> Tensor:
    """[..., h, w, 16 C] -> [..., 2h, 2w, C]: the transpose of `patches_4x4`."""
    return apply(patches, _FOUR.transposed())


def patches_3x3(x: Tensor) -> Tensor:
    """[..., H, W, C] -> [..., H, W, 9 C]: the patches of a 3x3 convolution, stride 1, padding 1."""
    return apply(x, _THREE)


def fold_3x3(patches: Tensor) -> Tensor:
    """[..., H, W, 9 C] -> [..., H, W, C]: the transpose of `patches_3x3`."""
    return apply(patches, _THREE.transposed())


@dataclass(frozen=True)
class LinearMap:
    """A linear map and its transpose, for any number of leading axes."""

    map: Callable[[Tensor], Tensor]
    transpose: Callable[[Tensor], Tensor]

    def transposed(self) -> "LinearMap":
        return LinearMap(self.transpose, self.map)


def apply(x: Tensor, linear: LinearMap) -> Tensor:
    """Returns the map of x; the gradient is the transpose's."""
    y: Tensor = _Linear.apply(x, linear)
    return y


class _Linear(Function):
    """See `apply`."""

    @staticmethod
    def forward(x: Tensor, linear: LinearMap) -> Tensor:
        return linear.map(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.linear = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Linear.apply(gradient, ctx.linear.transposed()), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, linear: LinearMap) -> Any:
        return _Linear.apply(x.movedim(in_dims[0], 0), linear), 0


def _patches_4x4(x: Tensor) -> Tensor:
    *lead, height, width, channels = x.shape
    h, w = height // 2, width // 2
    padded = pad(x, (0, 0, 1, 1, 1, 1)).reshape(*lead, h + 1, 2, w + 1, 2, channels)
    cells = padded.transpose(-4, -3).reshape(*lead, h + 1, w + 1, 4 * channels)
    top, bottom = cells[..., :-1, :, :], cells[..., 1:, :, :]
    return torch.cat([top[..., :-1, :], top[..., 1:, :], bottom[..., :-1, :], bottom[..., 1:, :]], dim=-1)


def _fold_4x4(patches: Tensor) -> Tensor:
    *lead, h, w, size = patches.shape
    cells = patches.new_zeros(*lead, h + 1, w + 1, size // 4)
    quarters = patches.unflatten(-1, (4, size // 4))
    cells[..., :-1, :-1, :] = quarters[..., 0, :]
    cells[..., :-1, 1:, :] += quarters[..., 1, :]
    cells[..., 1:, :-1, :] += quarters[..., 2, :]
    cells[..., 1:, 1:, :] += quarters[..., 3, :]
    pixels = cells.reshape(*lead, h + 1, w + 1, 2, 2, size // 16).transpose(-4, -3)
    padded = pixels.reshape(*lead, 2 * h + 2, 2 * w + 2, size // 16)
    return padded[..., 1:-1, 1:-1, :].contiguous()


def _patches_3x3(x: Tensor) -> Tensor:
    h, w = x.shape[-3:-1]
    padded = pad(x, (0, 0, 1, 1, 1, 1))
    return torch.cat([padded[..., i : i + h, j : j + w, :] for i in range(3) for j in range(3)], dim=-1)


def _fold_3x3(patches: Tensor) -> Tensor:
    *lead, h, w, size = patches.shape
    padded = patches.new_zeros(*lead, h + 2, w + 2, size // 9)
    for place, part in enumerate(patches.split(size // 9, dim=-1)):
        i, j = divmod(place, 3)
        padded[..., i : i + h, j : j + w, :] += part
    return padded[..., 1:-1, 1:-1, :].contiguous()


_FOUR = LinearMap(_patches_4x4, _fold_4x4)
_THREE = LinearMap(_patches_3x3, _fold_3x3)
