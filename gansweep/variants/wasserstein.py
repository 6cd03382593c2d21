"""Wasserstein GAN: D is a critic whose slope is bounded, by a penalty or by clipping its weights."""

from dataclasses import dataclass

from torch import Tensor

from gansweep.variants.base import ScoreGAN, Terms


@dataclass(frozen=True, kw_only=True)
class Wasserstein(ScoreGAN):
    """D maximises the difference of its mean scores on real and fake samples; G raises D's score.

    Source: Arjovsky et al., "Wasserstein GAN", 2017, arXiv:1701.07875, eq. 2.
    Deviations: none.

    >>> import torch
    >>> Wasserstein().discriminator_terms(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.0]))
    {'real': tensor(-3.), 'fake': tensor(0.5000)}
    """

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"real": -real.mean(), "fake": fake.mean()}

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": -fake.mean()}


@dataclass(frozen=True, kw_only=True)
class ClippedWasserstein(Wasserstein):
    """The same; every parameter of D (batch norm's too) is clamped to [-clip, clip] after each step of D.

    Source: Arjovsky et al., "Wasserstein GAN", 2017, arXiv:1701.07875, algorithm 1.
    Deviations: none. (The paper trains with RMSProp; here the optimiser is the study's.)
    """

    clip: float = 0.01

    def project(self, player: str, params: dict[str, Tensor]) -> dict[str, Tensor]:
        if player == "generator":
            return params
        return {name: value.clamp(-self.clip, self.clip) for name, value in params.items()}
