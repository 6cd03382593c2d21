"""Options of networks besides their architecture, and the values bound to a call of a network."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

NORMS = ("none", "batch", "layer", "instance", "spectral")
OUTPUTS = ("sigmoid", "tanh")
CONDITIONALS = ("none", "concat", "projection")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Options of all networks of a member. "D" is the network whose input is data: D, or the E of a VAE."""

    d_norm: str = "none"  # one of NORMS
    d_dropout: float = 0.0  # above 0: dropout layers after D's hidden activations; see Binding.dropout
    d_noise: float = 0.0  # above 0: Gaussian noise on D's input; see Binding.noise
    d_extra_layers: int = 0  # hidden layers added before D's last
    output: str = "sigmoid"  # of G for images; "tanh": images inside networks lie in [-1, 1]
    conditional: str = "none"  # how labels enter D; in G they are concatenated to z
    n_classes: int = 0


class Binding(NamedTuple):
    """Values that the caller binds to a call of a network besides its input, hidden from losses."""

    y: Tensor | None = None  # labels [B], int64
    key: Tensor | None = None  # 0-d int64: the seed of this call's dropout and noise
    dropout: Tensor | None = None  # 0-d: the probability that an activation is dropped
    noise: Tensor | None = None  # 0-d: the standard deviation of the noise, for images in [0, 1]


NO_BINDING = Binding()
