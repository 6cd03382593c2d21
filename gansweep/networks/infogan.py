"""Two strided convolutions and two dense layers: the networks of Lucic et al. (2018), for any side / 4.

`features` are those after the first and the second convolution and of the dense layer.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018, arXiv:1711.10337, and its released
code (compare_gan v1). Deviations: batch norm has no running averages (see `batchnorm.BatchNorm`).
"""

from itertools import pairwise

from torch import nn
from torch.nn.functional import relu

from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import Block, Reshape, Stack, Trunk, dense, first, hidden, leaky
from gansweep.networks.layers.norms import norm
from gansweep.networks.layers.weighted import Conv, Deconv, Linear
from gansweep.networks.options import NetworkOptions


def trunk(role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions) -> Trunk:
    """D's hidden layers. The autoencoder's second convolution is linear, and no dense layer follows."""
    (c1, c2, n_hidden), std, activation = architecture.features, architecture.std, architecture.activation
    conv1, conv2 = Conv(shape[0], c1, std), Conv(c1, c2, std)
    bare = role == "autoencoder"
    linear = Block(conv2, nn.Identity(), nn.Identity())
    second = linear if bare else hidden(conv2, c2, options, activation, spatial=True)
    n_flat = (shape[1] // 4) ** 2 * c2
    sizes = (n_flat, *[n_hidden] * (options.d_extra_layers + (not bare)))
    denses = dense(sizes, std, options, activation)
    return Trunk([first(conv1, options, activation), second], denses, sizes[-1])


def generator(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions, n_inputs: int
) -> Stack:
    """G with batch norm. The VAE's decoder has plain ReLUs; the autoencoder's decoder has D's norm."""
    (c1, c2, n_hidden), std = architecture.features, architecture.std
    activation = relu if role == "decoder" else leaky(0.2)
    name = options.d_norm if role == "autoencoder" else "batch"
    side = shape[1] // 4
    sizes = (n_inputs, side**2 * c2) if role == "autoencoder" else (n_inputs, n_hidden, side**2 * c2)
    blocks = [Block(Linear(i, o, std), norm(name, o, spatial=False), activation) for i, o in pairwise(sizes)]
    deconv = nn.Sequential(Reshape(side), Deconv(c2, c1, std))
    return Stack(
        [*blocks, Block(deconv, norm(name, c1, spatial=True), activation)], Deconv(c1, shape[0], std)
    )
