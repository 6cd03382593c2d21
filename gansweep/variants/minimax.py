"""The original GAN: D classifies, G plays the minimax game or its non-saturating form."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from gansweep.variants.base import ScoreGAN, Terms


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(ScoreGAN):
    """D minimises the cross-entropy of telling real from fake; its probability is sigmoid(score)."""

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"real": softplus(-real).mean(), "fake": softplus(fake).mean()}


@dataclass(frozen=True, kw_only=True)
class MinMax(CrossEntropy):
    """G minimises the log-probability that its samples are called fake.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661, eq. 1.
    Deviations: none.

    >>> import torch
    >>> MinMax().generator_terms(torch.zeros(2))
    {'fake': tensor(-0.6931)}
    """

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": -softplus(fake).mean()}


@dataclass(frozen=True, kw_only=True)
class NonSaturating(CrossEntropy):
    """G maximises the log-probability that its samples are called real.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661, section 3.
    Deviations: none.

    >>> import torch
    >>> NonSaturating().generator_terms(torch.zeros(2))
    {'fake': tensor(0.6931)}
    """

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": softplus(-fake).mean()}
