"""What an architecture is: the sizes of its networks, and how D's hidden layers and G are built."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from gansweep.networks.layers.blocks import Activation, Trunk
from gansweep.networks.options import NetworkOptions


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The size of all networks of a member, and the functions that build their parts.

    trunk(role, architecture, shape, options): the hidden layers of the network that sees data, for its role.
        `shape` counts the planes or coordinates of its labels.
    generator(role, architecture, shape, options, n_inputs): the layers from [B, n_inputs] to raw data,
        channels last, for the roles generator, decoder and autoencoder (its second half).
    """

    trunk: "Callable[[str, Architecture, tuple[int, ...], NetworkOptions], Trunk]"
    generator: "Callable[[str, Architecture, tuple[int, ...], NetworkOptions, int], nn.Module]"
    activation: Activation  # of D's hidden layers
    z_dim: int
    features: tuple[int, ...]  # of the hidden layers; its module says of which
    std: float | None  # of the initial weights; None scales with the number of inputs
    sides: tuple[int, ...] | None = None  # image sides it is made for; None for vectors
    dims: tuple[int, ...] | None = None  # lengths of vectors it is made for; None for any
    prior: str | None = None  # of z, "uniform" or "normal"; None leaves it to the variant
    takes_labels: bool = True  # whether its G may be conditional

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it is made for data of this shape."""
        if self.sides is None:
            return len(shape) == 1 and (self.dims is None or shape[0] in self.dims)
        return len(shape) == 3 and shape[1] == shape[2] and shape[1] in self.sides
