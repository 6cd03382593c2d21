"""The networks of every role, with the input and output that their callers see.

The output of G and the input of D have the format of the data set: images [B, C, H, W] in [0, 1], or vectors
[B, d].
Inside, images are [B, H, W, C] and, with the output "tanh", in [-1, 1].
"""

import math

import torch
from torch import Tensor, nn

from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import Dropout, Trunk, hidden
from gansweep.networks.layers.keyed_random import fold_in, normal
from gansweep.networks.layers.weighted import Linear, MatrixLayer
from gansweep.networks.options import NO_BINDING, Binding, NetworkOptions


def network(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions
) -> nn.Module:
    """Build the network for a role with new weights from torch's generator."""
    if role in ("generator", "decoder"):
        n_inputs = architecture.z_dim + options.n_classes
        body = architecture.generator(role, architecture, shape, options, n_inputs)
        return Generator(body, shape, options)
    net = _network_of_data(role, architecture, shape, options)
    # Noise has stream 0, so that dropout does not depend on whether there is noise.
    for stream, dropout in enumerate((layer for layer in net.modules() if isinstance(layer, Dropout)), 1):
        dropout.stream = stream
    if options.d_norm == "spectral":
        for weighted in [layer for layer in net.modules() if isinstance(layer, MatrixLayer)]:
            weighted.normalise()
    return net


def _network_of_data(
    role: str, architecture: Architecture, shape: tuple[int, ...], options: NetworkOptions
) -> nn.Module:
    """Build the network for a role whose input is data."""
    projects = role == "discriminator" and options.conditional == "projection"
    sees_labels = options.conditional != "none" and role != "auxiliary" and not projects
    view = InputView(shape, options, options.n_classes if sees_labels else 0)
    trunk = architecture.trunk(role, architecture, view.shape, options)
    if role == "autoencoder":
        return Autoencoder(view, trunk, architecture, shape, options)
    n_out = {"discriminator": 1, "auxiliary": 1 + options.n_classes, "encoder": 2 * architecture.z_dim}[role]
    head = Linear(trunk.n_features, n_out, architecture.std)
    labels = Projection(options.n_classes, trunk.n_features, architecture.std) if projects else None
    return Critic(view, trunk, head, labels)


class Noise(nn.Module):
    """Adds normal noise with the standard deviation bound to the call; a call without a key gets none.

    Source: Sønderby et al., "Amortised MAP Inference for Image Super-resolution", 2017, arXiv:1610.04490
    ("instance noise"); Arjovsky and Bottou, "Towards Principled Methods for Training GANs", 2017,
    arXiv:1701.04862. Deviations: the noise does not decay during training.
    """

    stream = 0  # of the call's key

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        if binding.key is None or binding.noise is None:
            return x
        return x + binding.noise * normal(fold_in(binding.key, self.stream), x.shape, x.dtype)


class InputView(nn.Module):
    """Converts data to a network's input: adds noise, changes the range, appends labels, puts channels last.

    n_classes: above 0, labels are appended as planes of an image or coordinates of a vector, one per class.

    Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784. Deviations:
    labels are appended to the input itself; in the paper each passes a hidden layer of its own first.
    """

    def __init__(self, shape: tuple[int, ...], options: NetworkOptions, n_classes: int) -> None:
        super().__init__()
        self.shape = (shape[0] + n_classes, *shape[1:])
        self.noise = Noise() if options.d_noise > 0 else None
        self.signed = len(shape) == 3 and options.output == "tanh"
        self.n_classes = n_classes

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        if self.noise is not None:
            x = self.noise(x, binding)
        if self.signed:
            x = 2 * x - 1
        x = x.movedim(1, -1)
        return x if self.n_classes == 0 else with_labels(x, binding, self.n_classes)


class Generator(nn.Module):
    """[B, z_dim] -> data. With classes, the one-hot labels are concatenated to z."""

    def __init__(self, body: nn.Module, shape: tuple[int, ...], options: NetworkOptions) -> None:
        super().__init__()
        self.body, self.n_classes = body, options.n_classes
        self.output = options.output if len(shape) == 3 else "linear"

    def forward(self, z: Tensor, binding: Binding = NO_BINDING) -> Tensor:
        z = z if self.n_classes == 0 else with_labels(z, binding, self.n_classes)
        return to_data(self.body(z), self.output)


class Critic(nn.Module):
    """Data -> scores [B], or [B, n_out] when n_out > 1: D, AC-GAN's D (score first) and the VAE's encoder."""

    def __init__(self, view: InputView, trunk: Trunk, head: Linear, labels: "Projection | None") -> None:
        super().__init__()
        self.view, self.trunk, self.head, self.labels = view, trunk, head, labels

    def forward(self, x: Tensor, binding: Binding = NO_BINDING) -> Tensor:
        features = self.trunk(self.view(x, binding), binding)
        output = self.head(features)
        if self.labels is not None:
            output = output + self.labels(features, binding)
        scores: Tensor = output.squeeze(1) if output.shape[1] == 1 else output
        return scores


class Projection(MatrixLayer):
    """Features [B, F] -> their product with the vector of the label, [B, 1].

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637, eq. 3.
    Deviations: none. The weight is [n_classes, F], drawn as that of a Linear of F inputs.
    """

    def __init__(self, n_classes: int, features: int, std: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_classes, features) * (std or math.sqrt(2 / features)))

    def forward(self, features: Tensor, binding: Binding) -> Tensor:
        labels = one_hot(binding, len(self.weight), features.dtype)
        return (features * (labels @ self.matrix())).sum(1, keepdim=True)


class Autoencoder(nn.Module):
    """Data -> the reconstruction from a code of z_dim numbers: the D of BEGAN and EBGAN."""

    def __init__(
        self,
        view: InputView,
        trunk: Trunk,
        architecture: Architecture,
        shape: tuple[int, ...],
        options: NetworkOptions,
    ) -> None:
        super().__init__()
        self.view, self.trunk = view, trunk
        layer = Linear(trunk.n_features, architecture.z_dim, architecture.std)
        self.code = hidden(layer, architecture.z_dim, options, architecture.activation)
        self.body = architecture.generator("autoencoder", architecture, shape, options, architecture.z_dim)
        self.output = options.output if len(shape) == 3 else "linear"

    def forward(self, x: Tensor, binding: Binding = NO_BINDING) -> Tensor:
        code = self.code(self.trunk(self.view(x, binding), binding), binding)
        return to_data(self.body(code), self.output)


def to_data(x: Tensor, output: str) -> Tensor:
    """Returns raw outputs, channels last, as data: images in [0, 1], or vectors if `output` is "linear"."""
    if output == "sigmoid":
        x = x.sigmoid()
    elif output == "tanh":
        x = (x.tanh() + 1) / 2
    return x.movedim(-1, 1)


def one_hot(binding: Binding, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Returns the labels bound to a call as one-hot vectors, [B, n_classes]."""
    assert binding.y is not None  # the caller of a network with classes binds labels
    return (binding.y[:, None] == torch.arange(n_classes, device=binding.y.device)).to(dtype)


def with_labels(x: Tensor, binding: Binding, n_classes: int) -> Tensor:
    """Returns x, [B, d] or [B, H, W, C], with one-hot labels appended on the last axis."""
    labels = one_hot(binding, n_classes, x.dtype)
    if x.dim() == 4:
        labels = labels[:, None, None].expand(*x.shape[:3], n_classes)
    return torch.cat([x, labels], dim=-1)
