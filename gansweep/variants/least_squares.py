"""Least-squares GAN."""

from dataclasses import dataclass

from torch import Tensor

from gansweep.variants.base import ScoreGAN, Terms
from gansweep.variants.published import Published


@dataclass(frozen=True, kw_only=True)
class LSGAN(ScoreGAN):
    """Both players regress D's score on a target value.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, arXiv:1611.04076, eqs. 2 and 9.
    Deviations: none. (The released code of Lucic et al. regresses sigmoid(score); their paper prints the
        losses with the wrong sign.)

    >>> import torch
    >>> LSGAN().generator_terms(torch.tensor([0.0, 1.0]))
    {'fake': tensor(0.2500)}
    """

    a: float = 0.0  # D's target for fakes
    b: float = 1.0  # D's target for reals
    c: float = 1.0  # G's target for fakes

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {
            "real": 0.5 * (real - self.b).square().mean(),
            "fake": 0.5 * (fake - self.a).square().mean(),
        }

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": 0.5 * (fake - self.c).square().mean()}


PUBLISHED = Published(
    variant=LSGAN(),
    label="LS GAN",
    family="least squares",
    default={"lr": 2e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1},
    hue="green",
    marker="circle",
)
