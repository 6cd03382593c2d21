"""How well samples cover a mixture of Gaussians, and the moments of samples on the line."""

import torch
from torch import Tensor

from gansweep.data import Mixture

REACH = 3.0  # standard deviations


def coverage(samples: Tensor, mixture: Mixture) -> dict[str, float]:
    """`high_quality`, the share of samples [N, d] within REACH standard deviations of their nearest mean, and
    `modes`, the number of components that are the nearest of one such sample or more.

    A perfect generator's `high_quality` is 0.997 in one dimension and 1 - exp(-9/2) = 0.989 in two.

    Source: Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761, as in Lin et al., "PacGAN",
        2018, arXiv:1712.04086, section 4.1.
    Deviations: (1) the papers take 2,500 samples: here it is as many as the other metrics have; (2) where
        components differ in width, the nearest is the one fewest of its own standard deviations away.
    """
    gaps = torch.cdist(samples, mixture.means.to(samples)) / mixture.sds.to(samples)
    gap, nearest = gaps.min(1)
    good = gap <= REACH
    return {"modes": float(nearest[good].unique().numel()), "high_quality": good.double().mean().item()}


def moments(samples: Tensor) -> dict[str, float]:
    """`mean` and `sd` (with N in the denominator) of samples [N, 1]."""
    return {"mean": samples.double().mean().item(), "sd": samples.double().std(correction=0).item()}
