"""Hinge-loss GAN."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu

from gansweep.variants.base import ScoreGAN, Terms
from gansweep.variants.published import NARROW, WIDE, Published


@dataclass(frozen=True, kw_only=True)
class Hinge(ScoreGAN):
    """D separates real from fake with a margin, like a support vector machine; G raises D's score.

    Source: Lim and Ye, "Geometric GAN", 2017, arXiv:1705.02894; Miyato et al., "Spectral Normalization for
        Generative Adversarial Networks", 2018, arXiv:1802.05957, eqs. 16 and 17.
    Deviations: none.

    >>> import torch
    >>> Hinge().discriminator_terms(torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 1.0]))
    {'real': tensor(0.5000), 'fake': tensor(1.)}
    """

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"real": relu(1 - real).mean(), "fake": relu(1 + fake).mean()}

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": -fake.mean()}


HINGE = Published(
    variant=Hinge(),
    label="Hinge GAN",
    family="hinge",
    # Lim and Ye use RMSProp, and ten steps of G per step of D, which rounds do not support.
    default={"lr": 2e-4, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
    hue="green",
    marker="diamond",
)
SNGAN = Published(
    variant=Hinge(),
    label="SN GAN",
    family="hinge",
    default={"lr": 2e-4, "beta1": 0.0, "beta2": 0.9, "d_norm": "spectral", "n_critic": 5},
    wide={**WIDE, "d_norm": "spectral", "beta2": 0.9},
    narrow={**NARROW, "d_norm": "spectral", "beta2": 0.9},
    hue="green",
    marker="square",
)
