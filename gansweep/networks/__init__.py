"""Generators, discriminators, autoencoders and encoders, by architecture, size and options.

`infogan` is the pair used for every model of Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337,
for images of 28, 32 and 64 pixels, and the autoencoder and the encoder of about its size. `conv8` and
`conv28` have fewer features, for 8 pixels and for 28 pixels on a CPU; `mlp` is for vectors. For 32 and
64 pixels there are also `dcgan`, `sndcgan` and `resnet`; `gaussian` fits a normal distribution to numbers.
Each module states its sources.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import relu

from gansweep.errors import UserError, one_of, unknown
from gansweep.networks import dcgan, infogan, mlp, resnet
from gansweep.networks.architecture import Architecture
from gansweep.networks.layers.blocks import leaky
from gansweep.networks.options import NetworkOptions
from gansweep.networks.roles import network

INFOGAN = Architecture(
    trunk=infogan.trunk,
    generator=infogan.generator,
    activation=leaky(0.2),
    z_dim=64,
    features=(64, 128, 1024),
    std=0.02,
    sides=(28, 32, 64),
)
ARCHITECTURES: dict[str, Architecture] = {
    "infogan": INFOGAN,
    "conv8": replace(INFOGAN, z_dim=16, features=(16, 32, 128), std=None, sides=(8,)),
    "conv28": replace(INFOGAN, z_dim=16, features=(16, 32, 128), std=None, sides=(28,)),
    "mlp": Architecture(
        trunk=mlp.trunk,
        generator=mlp.generator,
        activation=leaky(0.2),
        z_dim=2,
        features=(128,),
        std=None,
    ),
    "dcgan": Architecture(
        trunk=dcgan.dcgan_trunk,
        generator=dcgan.dcgan_generator,
        activation=leaky(0.2),
        z_dim=100,
        features=(64,),
        std=0.02,
        sides=(32, 64),
    ),
    "sndcgan": Architecture(
        trunk=dcgan.sndcgan_trunk,
        generator=dcgan.sndcgan_generator,
        activation=leaky(0.1),
        z_dim=128,
        features=(64,),
        std=0.02,
        sides=(32, 64),
    ),
    "resnet": Architecture(
        trunk=resnet.trunk,
        generator=resnet.generator,
        activation=relu,
        z_dim=128,
        features=(64,),
        std=None,
        sides=(32, 64),
    ),
    "gaussian": Architecture(
        trunk=mlp.trunk,
        generator=mlp.gaussian,
        activation=torch.tanh,
        z_dim=1,
        features=(64,),
        std=None,
        dims=(1,),
        prior="normal",
        takes_labels=False,
    ),
}


def architectures_for(shape: tuple[int, ...], takes_labels: bool = False) -> list[str]:
    """Returns the names of all architectures for data of this shape ([C, H, W] or [d]), the usual one first.

    takes_labels: only those whose G may be conditional.

    Raises:
        UserError: no architecture fits.
    """
    fitting = [name for name, architecture in ARCHITECTURES.items() if architecture.fits(shape)]
    if not fitting:
        sides = sorted({side for a in ARCHITECTURES.values() for side in a.sides or ()})
        raise UserError(
            f"no architecture is made for data of shape {shape}: square images have sides {sides}"
        )
    return [name for name in fitting if ARCHITECTURES[name].takes_labels or not takes_labels]


def architecture_for(shape: tuple[int, ...]) -> str:
    """Returns the name of the usual architecture for data of this shape ([C, H, W] or [d]).

    Raises:
        UserError: no architecture fits.
    """
    return architectures_for(shape)[0]


def check_fits(name: str, shape: tuple[int, ...]) -> None:
    """Raise UserError unless the architecture exists and is made for data of this shape."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, architectures_for(shape))
    if not ARCHITECTURES[name].fits(shape):
        raise UserError(
            f"architecture {name!r} is not made for data of shape {shape}; use "
            f"{one_of(architectures_for(shape))}"
        )


def build(
    roles: Mapping[str, str],
    architecture: str,
    shape: tuple[int, ...],
    options: NetworkOptions,
    seed: int,
) -> dict[str, nn.Module]:
    """Build the networks of one member by their names in the losses, initialised from the seed alone.

    roles: the role of each network: generator, decoder, discriminator, auxiliary, autoencoder or encoder.
    Each network is called as `net(x)` or `net(x, binding)`. The global random state is unchanged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {
            name: network(role, ARCHITECTURES[architecture], shape, options)
            for name, role in sorted(roles.items())
        }
