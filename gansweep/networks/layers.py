"""Layers for one member whose cost stays low when a pack runs many members at once.

Images are [B, H, W, C] here. Convolutions are written as patches times a matrix: inside a pack this becomes
one batched matrix product, where the library's convolution of many small filters is several times slower
on a CPU and its second derivative loops over members. Weights are stored as the product needs them.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import batch_norm, pad


class Patches(Function):
    """[..., H, W, C] -> [..., H/2, W/2, 16 C]: the 4x4 patches of a stride-2 convolution with padding 1.

    Its backward pass is `Fold` and the other way round, so derivatives of any order stay in these two.
    """

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        *lead, height, width, channels = x.shape
        h, w = height // 2, width // 2
        padded = pad(x, (0, 0, 1, 1, 1, 1)).reshape(*lead, h + 1, 2, w + 1, 2, channels)
        cells = padded.transpose(-4, -3).reshape(*lead, h + 1, w + 1, 4 * channels)
        top, bottom = cells[..., :-1, :, :], cells[..., 1:, :, :]
        return torch.cat([top[..., :-1, :], top[..., 1:, :], bottom[..., :-1, :], bottom[..., 1:, :]], dim=-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return Fold.apply(gradient)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor) -> Any:
        return Patches.apply(x.movedim(in_dims[0], 0)), 0


class Fold(Function):
    """[..., h, w, 16 C] -> [..., 2h, 2w, C]: adds up overlapping patches, the transpose of `Patches`."""

    @staticmethod
    def forward(patches: Tensor) -> Tensor:
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

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return Patches.apply(gradient)

    @staticmethod
    def vmap(info: Any, in_dims: Any, patches: Tensor) -> Any:
        return Fold.apply(patches.movedim(in_dims[0], 0)), 0


def product(x: Tensor, weight: Tensor) -> Tensor:
    """[..., i] times [i, o], as a product of two matrices: with more axes a pack would copy its weights."""
    return (x.reshape(-1, x.shape[-1]) @ weight).view(*x.shape[:-1], weight.shape[1])


class Linear(nn.Module):
    """[..., i] -> [..., o]; the weight is stored [i, o] and drawn from N(0, std^2), the bias is 0.

    `std` None takes sqrt(2 / i) (He et al., 2015, arXiv:1502.01852).
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(i, o) * (std or math.sqrt(2 / i)))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight) + self.bias


class Conv(nn.Module):
    """[B, H, W, i] -> [B, H/2, W/2, o]: a 4x4 convolution with stride 2 and padding 1.

    The weight is [16 i, o], drawn from a normal distribution truncated at two standard deviations.
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        std = std or math.sqrt(2 / (16 * i))
        weight = nn.init.trunc_normal_(torch.empty(16 * i, o), std=std, a=-2 * std, b=2 * std)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return product(Patches.apply(x), self.weight) + self.bias


class Deconv(nn.Module):
    """[B, h, w, i] -> [B, 2h, 2w, o]: the transpose of a 4x4 convolution with stride 2 and padding 1.

    The weight is [i, 16 o], drawn from N(0, std^2).
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(i, 16 * o) * (std or math.sqrt(2 / (4 * i))))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return Fold.apply(product(x, self.weight)) + self.bias


class BatchNorm(nn.Module):
    """Normalises every feature of the last axis over all other axes, then scales and shifts it.

    In training mode with the statistics of the batch at hand; in evaluation mode with `mean` and `var`, which
    hold those of the last batch seen while `measuring`. There are no running averages: see `Pack.sample`.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.measuring = False

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        if self.measuring:
            measured = torch.var_mean(flat, 0, correction=0)
            self.var.copy_(measured[0])
            self.mean.copy_(measured[1])
        mean = None if self.training else self.mean
        var = None if self.training else self.var
        y = batch_norm(flat, mean, var, self.weight, self.bias, self.training, eps=1e-3)
        return y.view(x.shape)
