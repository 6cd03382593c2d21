"""Dense networks for vectors [B, d]: two hidden layers each of `features[0]` units, ReLU in G."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import Block, Stack, Trunk, dense
from gansweep.networks.layers.norms import norm
from gansweep.networks.layers.weighted import Linear
from gansweep.networks.options import NetworkOptions


def trunk(role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions) -> Trunk:
    """D's hidden layers. The autoencoder has one on each side of its code."""
    n_hidden = options.d_extra_layers + (1 if role == "autoencoder" else 2)
    sizes = (shape[0], *[architecture.features[0]] * n_hidden)
    denses = dense(sizes, architecture.std, options, architecture.activation)
    return Trunk([], denses, sizes[-1])


def generator(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> Stack:
    """G without norm. The autoencoder's decoder has D's norm and activation."""
    n_hidden, std = architecture.features[0], architecture.std
    half = role == "autoencoder"
    activation, name = (architecture.activation, options.d_norm) if half else (relu, "none")
    sizes = (n_inputs, n_hidden) if half else (n_inputs, n_hidden, n_hidden)
    blocks = [Block(Linear(i, o, std), norm(name, o, spatial=False), activation) for i, o in pairwise(sizes)]
    return Stack(blocks, Linear(n_hidden, shape[0], std))


class Gaussian(nn.Module):
    """z [B, 1] -> mean + sd * z, a normal variable if z is normal; initially with mean 0 and sd 1.

    Source: Nowozin, Cseke and Tomioka, "f-GAN", 2016, arXiv:1606.00709, the example of a mixture of
    Gaussians. Deviations: the initial values, not stated in the paper. A negative sd gives the same
    distribution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1))
        self.sd = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        return self.mean + self.sd * z


def gaussian(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> nn.Module:
    """The generator with two parameters for the roles generator and decoder; else `generator`."""
    if role == "autoencoder":
        return generator(role, architecture, shape, options, n_inputs)
    return Gaussian()
