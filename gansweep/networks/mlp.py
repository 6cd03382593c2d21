"""Dense networks for vectors [B, d]: two hidden layers each, ReLU in G, leaky ReLU elsewhere."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from gansweep.networks.layers import BatchNorm, Linear


def build(
    role: str,
    z_dim: int,
    features: tuple[int, ...],
    std: float | None,
    shape: tuple[int, ...],
    batchnorm: bool,
) -> nn.Module:
    """The network for a role: generator, decoder, discriminator, autoencoder or encoder."""
    hidden, d = features[0], shape[0]
    sizes = {
        "generator": (z_dim, hidden, hidden, d),
        "decoder": (z_dim, hidden, hidden, d),
        "discriminator": (d, hidden, hidden, 1),
        "autoencoder": (d, hidden, z_dim, hidden, d),
        "encoder": (d, hidden, hidden, 2 * z_dim),
    }[role]
    makes_data = role in ("generator", "decoder")
    network = Dense(sizes, std, leaky=not makes_data, batchnorm=batchnorm and not makes_data)
    return nn.Sequential(network, nn.Flatten(0)) if role == "discriminator" else network


class Dense(nn.Module):
    """Linear layers; after all but the last an activation, with batch norm before it if asked."""

    def __init__(self, sizes: tuple[int, ...], std: float | None, leaky: bool, batchnorm: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(i, o, std) for i, o in pairwise(sizes))
        self.norms = nn.ModuleList(BatchNorm(o) if batchnorm else nn.Identity() for o in sizes[1:-1])
        self.leaky = leaky

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=False):
            hidden = norm(layer(x))
            x = leaky_relu(hidden, 0.2) if self.leaky else relu(hidden)
        return self.layers[-1](x)
