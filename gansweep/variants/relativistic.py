"""Relativistic GANs: D judges whether a sample is more realistic than samples of the other kind.

Both players have the same loss with real and fake exchanged, so G, too, depends on real samples.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from gansweep.errors import unknown
from gansweep.variants.base import Batch, Networks, PenalizedGAN, Terms
from gansweep.variants.published import SLOPE_ZERO_NARROW, SLOPE_ZERO_WIDE, Published

LOSSES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "standard": lambda lead: softplus(-lead),
    "least_squares": lambda lead: (lead - 1).square(),
    "hinge": lambda lead: relu(1 - lead),
}
"""Cost of a lead: the difference between a score that should be higher and the scores of the other kind."""


@dataclass(frozen=True, kw_only=True)
class Relativistic(PenalizedGAN):
    """A game with differences of scores."""

    loss: str = "standard"  # a key of LOSSES

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in LOSSES:
            raise unknown("relativistic loss", self.loss, LOSSES)

    @property
    def hyperparameters(self) -> frozenset[str]:
        return super().hyperparameters - {"loss"}

    @abstractmethod
    def generator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        """Returns G's loss. real, fake: [B] scores."""

    def generator_loss(self, nets: Networks, batch: Batch) -> Terms:
        return self.generator_terms(nets.D(batch.x), nets.D(nets.G(batch.z)))


@dataclass(frozen=True, kw_only=True)
class RelativisticPairing(Relativistic):
    """D compares each real sample with one fake sample of the batch.

    Source: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard GAN",
        2018, arXiv:1807.00734, RSGAN.
    Deviations: none.

    >>> import torch
    >>> RelativisticPairing().discriminator_terms(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    {'pair': tensor(0.6931)}
    """

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"pair": LOSSES[self.loss](real - fake).mean()}

    def generator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"pair": LOSSES[self.loss](fake - real).mean()}


@dataclass(frozen=True, kw_only=True)
class RelativisticAverage(Relativistic):
    """D compares each sample with the mean of the other kind in the batch.

    Source: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard GAN",
        2018, arXiv:1807.00734, RaSGAN, RaLSGAN and RaHingeGAN.
    Deviations: none. (The released code halves both costs.)

    >>> import torch
    >>> terms = RelativisticAverage().discriminator_terms(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 2.0]))
    >>> terms["real"]
    tensor(0.6931)
    """

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        cost = LOSSES[self.loss]
        return {"real": cost(real - fake.mean()).mean(), "fake": cost(real.mean() - fake).mean()}

    def generator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        cost = LOSSES[self.loss]
        return {"real": cost(fake.mean() - real).mean(), "fake": cost(fake - real.mean()).mean()}


def _with_spectral_norm(variant: Relativistic, label: str, marker: str) -> Published:
    """Returns an entry with the authors' settings for CIFAR-10, which are the same for all their losses."""
    return Published(
        variant=variant,
        label=label,
        family="relativistic",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "spectral", "n_critic": 1},
        hue="purple",
        marker=marker,
    )


RSGAN = _with_spectral_norm(RelativisticPairing(), "RS GAN", "diamond")
RASGAN = _with_spectral_norm(RelativisticAverage(), "RaS GAN", "square")
RALSGAN = _with_spectral_norm(RelativisticAverage(loss="least_squares"), "RaLS GAN", "triangle")
RAHINGE = _with_spectral_norm(RelativisticAverage(loss="hinge"), "RaHinge GAN", "nabla")
R3GAN = Published(
    variant=RelativisticPairing(penalty="r1_r2", penalty_weight=0.05),
    label="R3GAN",
    family="relativistic",
    # The authors' settings for CIFAR-10 at the start of their schedules.
    default={
        "lr": 2e-4,
        "beta1": 0.0,
        "beta2": 0.9,
        "d_norm": "none",
        "n_critic": 1,
        "penalty_weight": 0.05,
    },
    wide={**SLOPE_ZERO_WIDE, "beta2": 0.9},
    narrow={**SLOPE_ZERO_NARROW, "beta2": 0.9},
    hue="purple",
    marker="pentagon",
)
