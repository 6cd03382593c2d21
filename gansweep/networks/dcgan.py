"""Generators and discriminators of strided convolutions alone: `dcgan` and `sndcgan`, for 32 and 64 pixels.

`features` has one number, c, that of D's first layer. An encoder has the hidden layers of D; an autoencoder
decodes with the layers of G and the norm of D. Extra layers are 3x3 convolutions before D's last.
For 32 pixels and three channels G and D have 1,073,219 and 662,977 parameters (`dcgan`), and 3,813,379 and
2,935,873 (`sndcgan`).
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn
from torch.nn.functional import relu

from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import Block, Reshape, Stack, Trunk, first, hidden
from gansweep.networks.layers.norms import norm
from gansweep.networks.layers.weighted import Conv, Conv3x3, Deconv, Linear
from gansweep.networks.options import NetworkOptions


def dcgan_trunk(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions
) -> Trunk:
    """4x4 convolutions of stride 2 with c, 2c, 4c ... features, down to 4x4 pixels.

    Source: Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks", 2016, arXiv:1511.06434, figure 1. Deviations: (1) kernels are 4x4 and
    there are half the features of the figure, as in the authors' Torch code; (2) D's norm and G's output are
    options, not always batch norm and tanh; (3) D's initial weights are truncated at two standard deviations;
    (4) for 32 pixels there is a layer less.
    """
    widths = _widths(architecture, shape)
    sizes = (shape[0], *widths)
    layers = [Conv(i, o, architecture.std) for i, o in pairwise(sizes)]
    return _trunk(layers, sizes, 4, architecture, options)


def dcgan_generator(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> Stack:
    """A dense layer to 4x4 pixels, then transposed convolutions to ... 2c, c features and the image."""
    widths = _widths(architecture, shape)
    blocks = _growing(role, n_inputs, 4, widths[::-1], architecture, options)
    return Stack(blocks, Deconv(widths[0], shape[0], architecture.std))


def sndcgan_trunk(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions
) -> Trunk:
    """3x3 convolutions of stride 1 and 4x4 ones of stride 2 in turn, seven in all.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018,
    arXiv:1802.05957, table 3, made for 32 pixels. Deviations: (1) spectral norm is an option of D, tanh
    one of G; (2) the prior of z is the variant's; (3) initial weights have standard deviation 0.02, D's are
    truncated at two of them; (4) G has batch norm after its dense layer too, as in compare_gan; (5) 64 pixels
    have the same layers at twice the size.
    """
    c, std = architecture.features[0], architecture.std
    sizes = (shape[0], c, c, 2 * c, 2 * c, 4 * c, 4 * c, 8 * c)
    kinds = (Conv3x3, Conv, Conv3x3, Conv, Conv3x3, Conv, Conv3x3)
    layers = [kind(i, o, std) for kind, (i, o) in zip(kinds, pairwise(sizes), strict=True)]
    return _trunk(layers, sizes, shape[1] // 8, architecture, options)


def sndcgan_generator(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> Stack:
    """A dense layer to 8c features, transposed convolutions to 4c, 2c and c, and a 3x3 one to the image."""
    c = architecture.features[0]
    blocks = _growing(role, n_inputs, shape[1] // 8, (8 * c, 4 * c, 2 * c, c), architecture, options)
    return Stack(blocks, Conv3x3(c, shape[0], architecture.std))


def _widths(architecture: Architecture, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The features at half the side, a quarter of it ... and at 4 pixels."""
    n_layers = (shape[1] // 4).bit_length() - 1
    return tuple(architecture.features[0] * 2**i for i in range(n_layers))


def _trunk(
    layers: Sequence[nn.Module],
    sizes: tuple[int, ...],
    side: int,
    architecture: Architecture,
    options: NetworkOptions,
) -> Trunk:
    """sizes: of the input and of each layer's output; side: of the last one's images."""
    activation, width = architecture.activation, sizes[-1]
    convs = [first(layers[0], options, activation)]
    later = zip(layers[1:], sizes[2:], strict=True)
    convs += [hidden(layer, o, options, activation, spatial=True) for layer, o in later]
    extra = [Conv3x3(width, width, architecture.std) for _ in range(options.d_extra_layers)]
    convs += [hidden(layer, width, options, activation, spatial=True) for layer in extra]
    return Trunk(convs, [], side**2 * width)


def _growing(
    role: str,
    n_inputs: int,
    side: int,
    widths: tuple[int, ...],
    architecture: Architecture,
    options: NetworkOptions,
) -> list[Block]:
    """A dense layer to images of `side` pixels with the first width, doubled until they have the last."""
    name, std = options.d_norm if role == "autoencoder" else "batch", architecture.std
    dense = nn.Sequential(Linear(n_inputs, side**2 * widths[0], std), Reshape(side))
    layers = [dense, *(Deconv(i, o, std) for i, o in pairwise(widths))]
    return [Block(layer, norm(name, o, spatial=True), relu) for layer, o in zip(layers, widths, strict=True)]
