"""Batch norm that reads its input where a pack has it.

PyTorch's kernel wants one axis of features, and a pack has two, members and features, that lie apart: it
would be copied to and fro.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

EPS = 1e-3


class BatchNorm(nn.Module):
    """Normalises every feature of the last axis over all other axes, then scales and shifts it.

    In training mode with the statistics of the batch at hand; in evaluation mode with `mean` and `var`, which
    hold those of the last batch seen while `measuring`. There are no running averages: see
    `training.sampling`.

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
    """x [n, f], weight [f], bias [f] -> normalised, scaled and shifted; x normalised; one over its standard
    deviation. The last two are for the backward pass alone."""

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
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: as a function of x
            normal, rate = _normalised(x)
        bias_gradient = gradient.sum(0)
        weight_gradient = (gradient * normal).sum(0)
        centred = gradient - bias_gradient / len(x)
        x_gradient = torch.addcmul(centred, normal, -weight_gradient / len(x)) * (weight * rate)
        return x_gradient, weight_gradient, bias_gradient


def _normalised(x: Tensor) -> tuple[Tensor, Tensor]:
    """x with mean 0 and variance 1 over its rows (less for eps), and one over the standard deviation."""
    centred = x - x.mean(0)
    rate = (centred.square().mean(0) + EPS).rsqrt()
    return centred * rate, rate
