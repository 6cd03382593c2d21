"""Boundary equilibrium GAN: D is an autoencoder whose reconstruction error is the score."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import torch
from torch import Tensor

from gansweep.space import loguniform, uniform
from gansweep.variants.base import Batch, Network, Networks, Terms, Variant, Within
from gansweep.variants.published import NARROW, WIDE, Published


@dataclass(frozen=True, kw_only=True)
class BEGAN(Variant):
    """D reconstructs real samples well and fake samples badly; k keeps the ratio of the two errors at gamma.

    Source: Berthelot et al., "BEGAN: Boundary Equilibrium Generative Adversarial Networks", 2017,
        arXiv:1703.10717, section 3.4.
    Deviations: 1. k is updated once a round, so once in `n_critic` steps of D. (The released code of Lucic et
        al. does not clamp k; here k is kept in [0, 1], as in the paper.)
    """

    networks: ClassVar = {"D": "autoencoder", "G": "generator"}

    gamma: Annotated[float, Within(0, 1)] = 0.75  # target ratio of the errors on fake and real samples
    k_lr: Annotated[float, Within(0)] = 1e-3  # step size of k ("lambda" in the paper)
    k: Annotated[float, Within(0, 1)] = 0.0  # weight of the fake error in D's loss; its start is k_0

    def discriminator_loss(self, nets: Networks, batch: Batch) -> Terms:
        return {"real": error(nets.D, batch.x), "fake": -self.k * error(nets.D, nets.G(batch.z))}

    def generator_loss(self, nets: Networks, batch: Batch) -> Terms:
        return {"fake": error(nets.D, nets.G(batch.z))}

    def update(self, terms: dict[str, Terms]) -> Self:
        gap = self.gamma * terms["discriminator"]["real"] - terms["generator"]["fake"]
        k: Any = torch.clamp(self.k + self.k_lr * gap, 0, 1)
        return replace(self, k=k)


def error(D: Network, x: Tensor) -> Tensor:
    """Returns the mean absolute reconstruction error of the autoencoder D, a scalar."""
    return (x - D(x)).abs().mean()


PUBLISHED = Published(
    variant=BEGAN(),
    label="BEGAN",
    family="autoencoder",
    default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 5, "k_lr": 1e-3, "gamma": 0.75},
    wide={**WIDE, "k_lr": loguniform(1e-4, 1e-2), "gamma": uniform(0, 1)},
    narrow={**NARROW, "k_lr": 1e-3, "gamma": uniform(0.6, 0.9)},
    hue="verm",
    marker="circle",
)
