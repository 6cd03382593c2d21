"""Metrics of features: torch-fidelity's numbers, computed in float64 for many members at once.

Features are float64 [..., N, D] on any device; leading dimensions are members. For equal features, results
differ from torch-fidelity's by at most 1e-9 (relative) in the Inception Score and by 1e-7 of the features'
variance in the Fréchet distance.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gansweep.evaluation.settings import ISC_SPLITS, KID_SUBSET_SIZE, KID_SUBSETS, NEIGHBOURS

SHUFFLE_SEED = 2020  # of splits and subsets: part of the metrics, not of a trial

Moments = tuple[Tensor, Tensor]  # mean [..., D] and covariance [..., D, D]


class Gaussian(NamedTuple):
    """The real side of a Fréchet distance: mean [D], covariance [D, D] and its symmetric root."""

    mu: Tensor
    sigma: Tensor
    root: Tensor


def settings(n_generated: int, n_real: int) -> dict[str, int]:
    """Returns the settings of the metrics besides the features, by torch-fidelity's names."""
    return {
        "isc_splits": ISC_SPLITS,
        "kid_subsets": KID_SUBSETS,
        # At most half of the smaller side, so that subsets differ.
        "kid_subset_size": min(KID_SUBSET_SIZE, n_generated // 2, n_real // 2),
        "prc_neighborhood": NEIGHBOURS,
        "rng_seed": SHUFFLE_SEED,
    }


def statistics(features: Tensor) -> Moments:
    """Returns mean [..., D] and covariance [..., D, D] of features [..., N, D]."""
    mu = features.mean(-2)
    centred = features - mu.unsqueeze(-2)
    return mu, centred.mT @ centred / (features.shape[-2] - 1)


def gaussian(mu: Tensor, sigma: Tensor) -> Gaussian:
    """Returns the Gaussian of a mean and a covariance, with the root of the covariance."""
    return Gaussian(mu, sigma, square_root(sigma))


def square_root(sigma: Tensor) -> Tensor:
    """Returns the symmetric root of a covariance [D, D], which may be singular."""
    values, vectors = torch.linalg.eigh(sigma)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    return root


def frechet_distances(generated: Moments, real: Gaussian) -> Tensor:
    """Returns the squared Fréchet distances [P] of the Gaussians of P members to that of the real samples.

    The cross term is the trace of the root of the product of both covariances, whose eigenvalues are those of
    a symmetric matrix. Symmetric eigenvalues are faster than torch-fidelity's method. A member with moments
    that are not finite gets a distance that is not finite and does not change the other members.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, arXiv:1706.08500, eq. 6.
    A value slightly below 0 is a rounding error.
    """
    mu, sigma = generated
    product = (real.root @ sigma @ real.root).nan_to_num(0.0, 0.0, 0.0)  # eigvalsh refuses what is not finite
    crossed = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum(-1)
    traces = sum(s.diagonal(dim1=-2, dim2=-1).sum(-1) for s in (sigma, real.sigma))
    distance: Tensor = (mu - real.mu).square().sum(-1) + traces - 2 * crossed
    return distance


def frechet(one: Moments, other: Moments | Gaussian) -> float:
    """Returns the squared Fréchet distance of two Gaussians, each with mean [D] and covariance [D, D]."""
    mu, sigma = one
    real = other if isinstance(other, Gaussian) else gaussian(*other)
    return frechet_distances((mu.unsqueeze(0), sigma.unsqueeze(0)), real).item()


def intra_frechet(features: Tensor, labels: Tensor, real: Mapping[int, Gaussian]) -> Tensor:
    """Returns the mean over classes, [P], of the Fréchet distance within the class.

    features: [P, N, D]. labels: int64 [N], the requested classes. real: by class.
    Each class has only a part of the samples, so the upward bias, about d(d + 1) / 2n for n samples on either
    side and d uncorrelated features, is larger than that of FID. Compare equal numbers of images only.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637, section 4.
    """
    distances = [frechet_distances(statistics(features[:, labels == k]), real[k]) for k in real]
    return torch.stack(distances).mean(0)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the share of samples whose largest logit, of [..., N, K], is that of the requested label.

    labels: int64 [N].
    """
    return (logits.argmax(-1) == labels).double().mean(-1)


def inception_score(logits: Tensor) -> Tensor:
    """Returns the mean over splits of exp(E KL(p(y|x) || p(y))) of logits [..., N, K]; between 1 and K.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 4.
    """
    n = logits.shape[-2]
    shuffled = logits[..., _order(n).to(logits.device), :]
    # Classes before samples: a softmax over a last dimension of ten is several times slower.
    log_p = shuffled.double().mT.contiguous().log_softmax(-2)
    p = log_p.exp()
    negative_entropy = (p * log_p).sum(-2)
    bounds = [i * n // ISC_SPLITS for i in range(ISC_SPLITS + 1)]
    scores = []
    for low, high in pairwise(bounds):
        marginal = p[..., low:high].mean(-1)
        divergence = negative_entropy[..., low:high].mean(-1) - torch.xlogy(marginal, marginal).sum(-1)
        scores.append(divergence.exp())
    return torch.stack(scores).mean(0)


@lru_cache
def _order(n: int) -> Tensor:
    """Returns the order of samples before splitting, as torch-fidelity shuffles them."""
    return torch.from_numpy(np.random.RandomState(SHUFFLE_SEED).permutation(n))
