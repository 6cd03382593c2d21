"""The original GAN: D classifies; G plays the minimax game, its non-saturating form or maximum likelihood."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from gansweep.variants.base import ScoreGAN, Terms, Within
from gansweep.variants.published import (
    SLOPE_ONE_NARROW,
    SLOPE_ONE_WIDE,
    SLOPE_ZERO_NARROW,
    SLOPE_ZERO_WIDE,
    Published,
)


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(ScoreGAN):
    """D minimises the cross-entropy of real against fake; sigmoid(score) is the probability of real.

    `real_label` below 1 smooths the labels of real samples only (Salimans et al., "Improved Techniques for
    Training GANs", 2016, arXiv:1606.03498, section 3.4): with the target a, the optimal probability is
    a p / (p + q).
    """

    real_label: Annotated[float, Within(0, 1)] = 1.0  # D's target probability for reals

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        cross_entropy = self.real_label * softplus(-real) + (1 - self.real_label) * softplus(real)
        return {"real": cross_entropy.mean(), "fake": softplus(fake).mean()}


@dataclass(frozen=True, kw_only=True)
class MinMax(CrossEntropy):
    """G minimises the log-probability that D assigns to its samples being fake.

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
    """G maximises the log-probability that D assigns to its samples being real.

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
    """For the optimal D, G's gradient is that of KL(p || q), as in maximum likelihood.

    Source: Goodfellow, "NIPS 2016 Tutorial: Generative Adversarial Networks", 2016, arXiv:1701.00160,
        section 3.2.4.
    Deviations: 1. without the factor 1/2 of the costs in the source, like the other objectives of this file.
        (The cost exp(score) overflows float32 for a score above 88.)

    >>> import torch
    >>> MaximumLikelihood().generator_terms(torch.tensor([0.0, 1.0]))
    {'fake': tensor(-1.8591)}
    """

    def generator_terms(self, fake: Tensor) -> Terms:
        return {"fake": -fake.exp().mean()}


MM = Published(
    variant=MinMax(),
    label="MM GAN",
    family="minimax",
    default={"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
    hue="blue",
    marker="diamond",
)
NS = Published(
    variant=NonSaturating(),
    label="NS GAN",
    family="minimax",
    default={"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
    hue="blue",
    marker="circle",
)
ML = Published(
    variant=MaximumLikelihood(),
    label="ML GAN",
    family="minimax",
    default={
        "lr": 5e-5,
        "beta1": 0.0,
        "d_norm": "batch",
        "n_critic": 1,
    },  # not stated by the source: the settings of NS
    hue="blue",
    marker="square",
)
DRAGAN = Published(
    variant=NonSaturating(penalty="dragan", penalty_weight=10.0),
    label="DRAGAN",
    family="minimax",
    default={"lr": 1e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1, "penalty_weight": 10.0},
    wide=SLOPE_ONE_WIDE,
    narrow=SLOPE_ONE_NARROW,
    hue="purple",
    marker="circle",
)


def _with_penalty(penalty: str, label: str, marker: str) -> Published:
    """Returns NS with R1 or R2 and the settings of the paper, whose gamma of 10 is the weight.

    The authors' RMSProp with decay 0.99 is Adam with beta1 = 0, beta2 = 0.99 and without bias correction.
    """
    return Published(
        variant=NonSaturating(penalty=penalty, penalty_weight=10.0),
        label=label,
        family="minimax",
        default={
            "lr": 1e-4,
            "beta1": 0.0,
            "beta2": 0.99,
            "d_norm": "none",
            "n_critic": 1,
            "penalty_weight": 10.0,
        },
        wide={**SLOPE_ZERO_WIDE, "beta2": 0.99},
        narrow={**SLOPE_ZERO_NARROW, "beta2": 0.99},
        hue="blue",
        marker=marker,
    )


NS_R1 = _with_penalty("r1", "NS GAN R1", "triangle")
NS_R2 = _with_penalty("r2", "NS GAN R2", "nabla")
