"""The description of an architecture: sizes of its networks, and functions that build their parts."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from gansweep.networks.layers.blocks import Activation, Trunk
from gansweep.networks.options import NetworkOptions


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The size of all networks of a member, and the functions that build their parts.

    trunk(role, architecture, shape, options): the hidden layers of the network whose input is data.
        `shape` includes the planes or coordinates of labels.
    generator(role, architecture, shape, options, n_inputs): the layers from [B, n_inputs] to raw data,
        channels last, for the roles generator, decoder and autoencoder (its second half).
    """

    trunk: "Callable[[str, Architecture, tuple[int, ...], NetworkOptions], Trunk]"
    generator: "Callable[[str, Architecture, tuple[int, ...], NetworkOptions, int], nn.Module]"
    activation: Activation  # of D's hidden layers
    z_dim: int
    features: tuple[int, ...]  # of hidden layers; the architecture's module says of which
    std: float | None  # of initial weights; None scales with the number of inputs
    sides: tuple[int, ...] | None = None  # supported sides of images; None for vectors
    dims: tuple[int, ...] | None = None  # supported lengths of vectors; None for any
    prior: str | None = None  # of z, "uniform" or "normal"; None takes the variant's
    takes_labels: bool = True  # whether its G may be conditional

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Returns whether it supports data of this shape."""
        if self.sides is None:
            return len(shape) == 1 and (self.dims is None or shape[0] in self.dims)
        return len(shape) == 3 and shape[1] == shape[2] and shape[1] in self.sides
