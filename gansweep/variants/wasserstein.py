"""Wasserstein GAN: D is a critic whose gradient is bounded by a penalty or by clipped weights."""

import math
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from gansweep.space import loguniform
from gansweep.variants.base import ScoreGAN, Terms, Within
from gansweep.variants.published import NARROW, SLOPE_ONE_NARROW, SLOPE_ONE_WIDE, WIDE, Published

DCGAN_INPUTS = (48 * 1024 * 2048 * 4096 * 8192) ** (1 / 5)


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
    """Every parameter of D (of batch norm, too) is clamped to [-bound, bound] after each step of D.

    Source: Arjovsky et al., "Wasserstein GAN", 2017, arXiv:1701.07875, algorithm 1.
    Deviations: 1. the bound is `clip` times `clip_scale`, which is 1 for the authors' network, since their
        0.01 makes all gradients of a smaller one vanish. (The paper trains with RMSProp; here the study
        chooses the optimiser.)
    """

    clip: Annotated[float, Within(0)] = 0.01

    def project(self, player: str, params: dict[str, Tensor]) -> dict[str, Tensor]:
        if player == "generator":
            return params
        bound = self.clip * clip_scale(params)
        return {name: value.clamp(-bound, bound) for name, value in params.items()}


def clip_scale(params: dict[str, Tensor]) -> float:
    """Returns sqrt(m_0 / m), where m is the geometric mean of the numbers of inputs of a network's layers.

    A layer whose m weights are as large as the bound multiplies its input by about bound * sqrt(m). m_0 is
    that of DCGAN for 64 x 64 colour images. params: by name; weights are [inputs, outputs], others [outputs].

    >>> import torch
    >>> round(clip_scale({"a": torch.zeros(16, 16), "b": torch.zeros(16), "c": torch.zeros(256, 1)}), 3)
    4.464
    """
    logs = [math.log(value.shape[0]) for value in params.values() if value.ndim > 1]
    return math.sqrt(DCGAN_INPUTS / math.exp(sum(logs) / len(logs))) if logs else 1.0


WGAN = Published(
    variant=ClippedWasserstein(),
    label="WGAN",
    family="Wasserstein",
    default={"lr": 5e-5, "beta1": 0.5, "d_norm": "batch", "n_critic": 5, "clip": 0.01},
    wide={**WIDE, "clip": loguniform(1e-3, 1)},
    narrow={**NARROW, "clip": loguniform(1e-2, 1)},
    revision=2,  # the bound scales with the network
    hue="orange",
    marker="circle",
)
WGAN_GP = Published(
    variant=Wasserstein(penalty="gp", penalty_weight=10.0),
    label="WGAN GP",
    family="Wasserstein",
    default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 5, "penalty_weight": 10.0},
    wide=SLOPE_ONE_WIDE,
    narrow=SLOPE_ONE_NARROW,
    hue="orange",
    marker="diamond",
)
WGAN_LP = Published(
    variant=Wasserstein(penalty="lp", penalty_weight=10.0),
    label="WGAN LP",
    family="Wasserstein",
    # Petzka et al. compare penalties only: the settings are those of WGAN GP.
    default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 5, "penalty_weight": 10.0},
    wide=SLOPE_ONE_WIDE,
    narrow=SLOPE_ONE_NARROW,
    hue="orange",
    marker="square",
)
