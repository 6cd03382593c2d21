"""From features to numbers: torch-fidelity's, computed in float64 for many members at once.

Features are float64 [..., N, D] on any device; leading dimensions are members. Of the same features, the
library and these functions find the same Inception Score to 1e-9 of it, and the same Fréchet distance to 1e-7
of the variance that it is a difference of.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gansweep.evaluation.settings import ISC_SPLITS, KID_SUBSET_SIZE, KID_SUBSETS, NEIGHBOURS

SHUFFLE_SEED = 2020  # of the splits and subsets: part of the metrics, not of a trial

Moments = tuple[Tensor, Tensor]  # mean [..., D] and covariance [..., D, D]


class Gaussian(NamedTuple):
    """What generated samples are compared with: mean [D], covariance [D, D] and its symmetric root."""

    mu: Tensor
    sigma: Tensor
    root: Tensor


def settings(n_generated: int, n_real: int) -> dict[str, int]:
    """All else that the metrics depend on besides the features, under torch-fidelity's names."""
    return {
        "isc_splits": ISC_SPLITS,
        "kid_subsets": KID_SUBSETS,
        # Subsets must differ to be worth averaging: at most half of the smaller side.
        "kid_subset_size": min(KID_SUBSET_SIZE, n_generated // 2, n_real // 2),
        "prc_neighborhood": NEIGHBOURS,
        "rng_seed": SHUFFLE_SEED,
    }


def statistics(features: Tensor) -> Moments:
    """Mean [..., D] and covariance [..., D, D] of features [..., N, D]."""
    mu = features.mean(-2)
    centred = features - mu.unsqueeze(-2)
    return mu, centred.mT @ centred / (features.shape[-2] - 1)


def gaussian(mu: Tensor, sigma: Tensor) -> Gaussian:
    """One that others are compared with."""
    return Gaussian(mu, sigma, square_root(sigma))


def square_root(sigma: Tensor) -> Tensor:
    """The symmetric root of a covariance [D, D], which may be singular."""
    values, vectors = torch.linalg.eigh(sigma)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.mT


def frechet_distances(generated: Moments, real: Gaussian) -> Tensor:
    """The squared Fréchet distances [P] of the Gaussians of P members from that of the real samples.

    Their cross term is the trace of the root of the product of both covariances, which has the eigenvalues of
    a symmetric matrix, so that they are found faster than as the library does. The distance of a member whose
    moments are not finite is not, and the others are as they would be.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, arXiv:1706.08500, eq. 6.
    A value slightly below 0 is rounding.
    """
    mu, sigma = generated
    product = (real.root @ sigma @ real.root).nan_to_num(0.0, 0.0, 0.0)  # eigvalsh refuses what is not finite
    crossed = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum(-1)
    traces = sum(s.diagonal(dim1=-2, dim2=-1).sum(-1) for s in (sigma, real.sigma))
    return (mu - real.mu).square().sum(-1) + traces - 2 * crossed


def frechet(one: Moments, other: Moments | Gaussian) -> float:
    """The squared Fréchet distance of two Gaussians, each of mean [D] and covariance [D, D]."""
    mu, sigma = one
    real = other if isinstance(other, Gaussian) else gaussian(*other)
    return frechet_distances((mu.unsqueeze(0), sigma.unsqueeze(0)), real).item()


def intra_frechet(features: Tensor, labels: Tensor, real: Mapping[int, Gaussian]) -> Tensor:
    """The means [P] over classes of the Fréchet distance of the samples asked to be of a class from its real
    ones.

    features: [P, N, D]; labels: int64 [N], what the samples were asked to be; real: by class.
    Each class has but a part of the samples, so the bias upwards, about d(d + 1) / 2n for n samples on either
    side and d uncorrelated features, is larger than that of the FID: compare equal numbers of images only.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637, section 4.
    """
    distances = [frechet_distances(statistics(features[:, labels == k]), real[k]) for k in real]
    return torch.stack(distances).mean(0)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The shares, in [0, 1], of samples whose largest logit, of [..., N, K], is that of the label asked for.

    labels: int64 [N].
    """
    return (logits.argmax(-1) == labels).double().mean(-1)


def inception_score(logits: Tensor) -> Tensor:
    """The mean over splits of exp(E KL(p(y|x) || p(y))) of logits [..., N, K]; between 1 and K.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 4.
    """
    n = logits.shape[-2]
    shuffled = logits[..., _order(n).to(logits.device), :]
    # Classes come before samples here: a softmax over a last dimension of ten is several times as slow.
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
    """The order that samples are split in, as the library shuffles them."""
    return torch.from_numpy(np.random.RandomState(SHUFFLE_SEED).permutation(n))
