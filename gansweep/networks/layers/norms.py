"""Normalisations of hidden activations other than batch norm: layer norm and instance norm."""

import torch
from torch import Tensor, nn

from gansweep.networks.layers.batchnorm import BatchNorm


class LayerNorm(nn.Module):
    """Normalises all features of a sample together, then scales and shifts each channel (the last axis).

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 3. Deviations: on images
    scale and shift are per channel, as in Kurach et al., 2019, arXiv:1807.04720.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        return _standardised(x, tuple(range(1, x.dim()))) * self.weight + self.bias


class InstanceNorm(nn.Module):
    """Normalises each channel of each image, [B, H, W, C], over its pixels, then scales and shifts it.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016, arXiv:1607.08022.
    Deviations: none.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        return _standardised(x, (1, 2)) * self.weight + self.bias


def norm(name: str, features: int, spatial: bool) -> nn.Module:
    """Returns the normalisation of a name in `NORMS`. spatial: of a convolution's activations, [B, H, W, C].

    Instance norm does not change dense activations; spectral norm normalises weights, not activations.
    """
    if name == "batch":
        return BatchNorm(features)
    if name == "layer":
        return LayerNorm(features)
    if name == "instance" and spatial:
        return InstanceNorm(features)
    return nn.Identity()


def _standardised(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) * (var + 1e-5).rsqrt()
