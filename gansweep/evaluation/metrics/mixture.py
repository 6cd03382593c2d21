"""Coverage of a mixture of Gaussians, and moments of one-dimensional samples."""

import torch
from torch import Tensor

from gansweep.data import Mixture

N_SDS = 3.0


def coverage(samples: Tensor, mixture: Mixture) -> dict[str, float]:
    """Returns `high_quality` and `modes` of samples [N, d].

    high_quality: share of samples within N_SDS standard deviations of the nearest mean; 0.997 for a perfect
        generator in one dimension, 1 - exp(-9/2) = 0.989 in two.
    modes: number of components that are nearest to at least one such sample.

    Source: Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761, as in Lin et al., "PacGAN",
        2018, arXiv:1712.04086, section 4.1.
    Deviations: (1) as many samples as for the other metrics (2,500 in the papers); (2) the distance to a
        component is in units of the component's own standard deviation.
    """
    gaps = torch.cdist(samples, mixture.means.to(samples)) / mixture.sds.to(samples)
    gap, nearest = gaps.min(1)
    good = gap <= N_SDS
    return {"modes": float(nearest[good].unique().numel()), "high_quality": good.double().mean().item()}


def moments(samples: Tensor) -> dict[str, float]:
    """Returns `mean` and `sd` (with N in the denominator) of samples [N, 1]."""
    return {"mean": samples.double().mean().item(), "sd": samples.double().std(correction=0).item()}
