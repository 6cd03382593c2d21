"""Generators, discriminators, autoencoders and encoders, by architecture, size and normalisation.

`infogan` is the pair used for every model of Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337,
for images of 28, 32 and 64 pixels, and the autoencoder and the encoder of about its size. `conv8` is the same
with fewer features, for 8 pixels; `mlp` is for vectors.
"""

from dataclasses import dataclass

import torch
from torch import nn

from gansweep.errors import UserError, unknown
from gansweep.networks import convolutional, mlp
from gansweep.variants.base import Variant


@dataclass(frozen=True)
class Architecture:
    """The size of all networks of a member."""

    z_dim: int
    features: tuple[int, ...]  # conv: after the first and second convolution, then hidden; mlp: hidden
    std: float | None  # of the initial weights; None scales with the number of inputs
    sides: tuple[int, ...] | None  # image sides it is made for; None for vectors


ARCHITECTURES: dict[str, Architecture] = {
    "infogan": Architecture(z_dim=64, features=(64, 128, 1024), std=0.02, sides=(28, 32, 64)),
    "conv8": Architecture(z_dim=16, features=(16, 32, 128), std=None, sides=(8,)),
    "mlp": Architecture(z_dim=2, features=(128,), std=None, sides=None),
}


def architecture_for(shape: tuple[int, ...]) -> str:
    """The name of the architecture made for data of this shape ([C, H, W] or [d]).

    Raises:
        UserError: there is none.
    """
    for name, architecture in ARCHITECTURES.items():
        if _fits(architecture, shape):
            return name
    sides = sorted(side for a in ARCHITECTURES.values() for side in a.sides or ())
    raise UserError(f"no architecture is made for data of shape {shape}: square images have sides {sides}")


def check_fits(name: str, shape: tuple[int, ...]) -> None:
    """Raise UserError unless the architecture exists and is made for data of this shape."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    if not _fits(ARCHITECTURES[name], shape):
        raise UserError(
            f"architecture {name!r} is not made for data of shape {shape}; use {architecture_for(shape)!r}"
        )


def build(
    variant: Variant, architecture: str, shape: tuple[int, ...], batchnorm: bool, seed: int
) -> dict[str, nn.Module]:
    """The networks of one member, by the names the variant's losses use, initialised from the seed alone.

    batchnorm: batch norm in D (or in the autoencoder, or the encoder). G always has it, save in `mlp`.
    The global random state stays as it was.
    """
    size = ARCHITECTURES[architecture]
    module = mlp if size.sides is None else convolutional
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {
            name: module.build(role, size.z_dim, size.features, size.std, shape, batchnorm)
            for name, role in sorted(variant.networks.items())
        }


def _fits(architecture: Architecture, shape: tuple[int, ...]) -> bool:
    if architecture.sides is None:
        return len(shape) == 1
    return len(shape) == 3 and shape[1] == shape[2] and shape[1] in architecture.sides
