"""The original GAN: D classifies, G plays the minimax game or its non-saturating form."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from gansweep.variants.base import ScoreGAN, Terms


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(ScoreGAN):
    """D minimises the cross-entropy of telling real from fake; its probability is sigmoid(score).

    `real_label` below 1 smooths the label of the real samples only (Salimans et al., "Improved Techniques for
    Training GANs", 2016, arXiv:1606.03498, section 3.4): with the target a, the optimal probability is
    a p / (p + q).
    """

    real_label: float = 1.0  # D's target probability for reals, in [0, 1]

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        cross_entropy = self.real_label * softplus(-real) + (1 - self.real_label) * softplus(real)
        return {"real": cross_entropy.mean(), "fake": softplus(fake).mean()}


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


@dataclass(frozen=True, kw_only=True)
class MaximumLikelihood(CrossEntropy):
    """G's gradient is, where D is optimal, that of KL(p || q), as in maximum likelihood.

    Source: Goodfellow, "NIPS 2016 Tutorial: Generative Adversarial Networks", 2016, arXiv:1701.00160,
        section 3.2.4.
    Deviations: 1. without the factor 1/2 of all costs there, as the other two of this family. (The cost
        exp(score) overflows float32 for a score above 88.)

    >>> import torch
    >>> MaximumLikelihood().generator_terms(torch.tensor([0.0, 1.0]))
    {'fake': tensor(-1.8591)}
    """

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": -fake.exp().mean()}
