"""Residual networks for 32 and 64 pixels, with `features[0]` = c features after every convolution: `resnet`.

Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957,
table 4, with blocks after Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028.
Deviations: (1) 64 features (256 in G and 128 in D in the table); (2) initial weights after He et al.,
not Glorot and Bengio; (3) spectral norm and tanh are options; (4) the prior of z is the variant's; (5) for 64
pixels each network has a block more.

For 32 pixels and three channels G and D have 368,771 and 264,769 parameters.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import Block, Dropout, Reshape, Stack, Trunk, dropout
from gansweep.networks.layers.norms import norm
from gansweep.networks.layers.weighted import Conv3x3, Linear, MeanPool2x, Upsample2x
from gansweep.networks.options import NO_BINDING, Binding, NetworkOptions


def trunk(role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions) -> Trunk:
    """D: blocks that halve the image down to 8x8 pixels, two blocks at that size, and the sum over pixels.

    The first block begins with a convolution without norm. An extra layer is a convolution with a shortcut.
    """
    c, std = architecture.features[0], architecture.std

    def activated(*layers: nn.Module) -> Activated:
        return Activated(norm(options.d_norm, c, spatial=True), dropout(options), layers)

    def conv() -> Activated:
        return activated(Conv3x3(c, c, std))

    def halving(first: nn.Module, channels: int) -> Residual:
        shortcut = nn.Sequential(MeanPool2x(), Linear(channels, c, std))
        return Residual([first, activated(Conv3x3(c, c, std), MeanPool2x())], shortcut)

    n_halvings = (shape[1] // 8).bit_length() - 1
    bare = Block(Conv3x3(shape[0], c, std), nn.Identity(), nn.Identity())
    blocks = [halving(bare, shape[0])]
    blocks += [halving(conv(), c) for _ in range(n_halvings - 1)]
    blocks += [Residual([conv(), conv()], nn.Identity()) for _ in range(2)]
    blocks += [Residual([conv()], nn.Identity()) for _ in range(options.d_extra_layers)]
    return Trunk([*blocks, Activated(nn.Identity(), dropout(options), [SumPool()])], [], c)


def generator(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> Stack:
    """G: a dense layer to 4x4 pixels and blocks that double the image; an autoencoder's has D's norm."""
    c, std = architecture.features[0], architecture.std
    name = options.d_norm if role == "autoencoder" else "batch"

    def activated(*layers: nn.Module) -> Activated:
        return Activated(norm(name, c, spatial=True), None, layers)

    def doubling() -> Residual:
        path = [activated(Upsample2x(), Conv3x3(c, c, std)), activated(Conv3x3(c, c, std))]
        return Residual(path, nn.Sequential(Linear(c, c, std), Upsample2x()))

    dense = nn.Sequential(Linear(n_inputs, 16 * c, std), Reshape(4))
    n_doublings = (shape[1] // 4).bit_length() - 1
    blocks = [doubling() for _ in range(n_doublings)]
    last = activated(Conv3x3(c, shape[0], std))
    return Stack([Block(dense, nn.Identity(), nn.Identity()), *blocks], last)


class Activated(nn.Module):
    """A norm, ReLU and dropout, followed by layers."""

    def __init__(self, norm: nn.Module, dropout: Dropout | None, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.norm, self.dropout, self.layers = norm, dropout, nn.Sequential(*layers)

    def forward(self, x: Tensor, binding: Binding = NO_BINDING) -> Tensor:
        x = relu(self.norm(x))
        y: Tensor = self.layers(x if self.dropout is None else self.dropout(x, binding))
        return y


class Residual(nn.Module):
    """A path of layers, plus a shortcut of its input."""

    def __init__(self, path: Sequence[nn.Module], shortcut: nn.Module) -> None:
        super().__init__()
        self.path, self.shortcut = nn.ModuleList(path), shortcut

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        start = x
        for layer in self.path:
            x = layer(x, binding)
        y: Tensor = x + self.shortcut(start)
        return y


class SumPool(nn.Module):
    """[B, H, W, C] -> [B, C]: the sum over all pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((1, 2))
