"""Parts of all architectures: hidden layers with norm, activation and dropout, and stacks of them."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gansweep.networks.layers.keyed_random import fold_in, uniform
from gansweep.networks.layers.norms import norm
from gansweep.networks.layers.weighted import Linear
from gansweep.networks.options import NO_BINDING, Binding, NetworkOptions

Activation = Callable[[Tensor], Tensor]


def leaky(slope: float) -> Activation:
    """Returns the function max(x, slope * x)."""
    return partial(leaky_relu, negative_slope=slope)


class Dropout(nn.Module):
    """Sets activations to 0 with the probability bound to the call, and scales the others to keep the mean.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
    2014, JMLR 15. Deviations: none; the scaling is applied during training.
    A call without a key drops no activation.
    """

    stream = 0  # of the call's key; different for each random layer of a network

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        if binding.key is None or binding.dropout is None:
            return x
        kept = uniform(fold_in(binding.key, self.stream), x.shape, x.dtype) >= binding.dropout
        return x * kept / (1 - binding.dropout)


class Block(nn.Module):
    """A layer, its norm, the activation and dropout."""

    def __init__(
        self, layer: nn.Module, norm: nn.Module, activation: Activation, dropout: Dropout | None = None
    ) -> None:
        super().__init__()
        self.layer, self.norm, self.activation, self.dropout = layer, norm, activation, dropout

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        x = self.activation(self.norm(self.layer(x)))
        return x if self.dropout is None else self.dropout(x, binding)


def dropout(options: NetworkOptions) -> Dropout | None:
    """Returns D's dropout layer, or None if D has no dropout."""
    return Dropout() if options.d_dropout > 0 else None


def hidden(
    layer: nn.Module, features: int, options: NetworkOptions, activation: Activation, spatial: bool = False
) -> Block:
    """Returns a hidden layer of D with the norm of the options. spatial: the layer is a convolution."""
    return Block(layer, norm(options.d_norm, features, spatial), activation, dropout(options))


def first(layer: nn.Module, options: NetworkOptions, activation: Activation) -> Block:
    """Returns D's first layer, without norm: a norm would remove mean and contrast of the data."""
    return Block(layer, nn.Identity(), activation, dropout(options))


def dense(
    sizes: tuple[int, ...], std: float | None, options: NetworkOptions, activation: Activation
) -> list[Block]:
    """Returns dense hidden layers of D, from the first size to the last."""
    return [hidden(Linear(i, o, std), o, options, activation) for i, o in pairwise(sizes)]


class Trunk(nn.Module):
    """D without its last layer: data, channels last -> features [B, n_features]."""

    def __init__(self, convs: Sequence[nn.Module], denses: Sequence[nn.Module], n_features: int) -> None:
        super().__init__()
        self.convs, self.denses = nn.ModuleList(convs), nn.ModuleList(denses)
        self.n_features = n_features

    def forward(self, x: Tensor, binding: Binding) -> Tensor:
        for block in self.convs:
            x = block(x, binding)
        x = x.flatten(1)
        for block in self.denses:
            x = block(x, binding)
        return x


class Stack(nn.Module):
    """Blocks and a last layer: the generator from [B, n_inputs] to data, channels last."""

    def __init__(self, blocks: Sequence[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.blocks, self.last = nn.ModuleList(blocks), last

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, NO_BINDING)
        y: Tensor = self.last(x)
        return y


class Reshape(nn.Module):
    """[B, side * side * C] -> [B, side, side, C]."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], self.side, self.side, x.shape[1] // self.side**2)
