"""Batch norm without copies inside a pack.

PyTorch's kernel needs one axis of features. A pack has two, members and features, which are not adjacent in
memory, so that the kernel would copy its input and output.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

EPS = 1e-3


class BatchNorm(nn.Module):
    """Normalises every feature of the last axis over all other axes, then scales and shifts it.

    Training mode uses the statistics of the batch. Evaluation mode uses `mean` and `var`, the statistics of
    the last batch while `measuring`. There are no running averages: see `training.sampling`.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167, algorithm 1, with eps = 1e-3.
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
        if self.training:
            y: Tensor = _BatchNorm.apply(flat, self.weight, self.bias)[0]
        else:
            scale = (self.var + EPS).rsqrt() * self.weight
            y = torch.addcmul(self.bias - self.mean * scale, flat, scale)
        return y.view(x.shape)


class _BatchNorm(Function):
    """x [n, f], weight [f], bias [f] -> the output; x normalised; one over the standard deviation of x.

    Only the backward pass uses the last two.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normal, rate = _normalised(x)
        return torch.addcmul(bias, normal, weight), normal, rate

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, _ = inputs
        _, normal, rate = output
        ctx.mark_non_differentiable(normal, rate)
        ctx.save_for_backward(x, weight, normal, rate)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight, normal, rate = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient will be differentiated, too, so it must be a function of x
            normal, rate = _normalised(x)
        bias_gradient = gradient.sum(0)
        weight_gradient = (gradient * normal).sum(0)
        centred = gradient - bias_gradient / len(x)
        x_gradient = torch.addcmul(centred, normal, -weight_gradient / len(x)) * (weight * rate)
        return x_gradient, weight_gradient, bias_gradient


def _normalised(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns x with mean 0 and variance 1 over rows (up to eps), and one over the standard deviation."""
    centred = x - x.mean(0)
    rate = (centred.square().mean(0) + EPS).rsqrt()
    return centred * rate, rate
