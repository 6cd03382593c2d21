"""From features to numbers, by torch-fidelity's own functions. Features are float64 [N, D] on the CPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gansweep.evaluation.settings import ISC_SPLITS, KID_SUBSET_SIZE, KID_SUBSETS, NEIGHBOURS

SHUFFLE_SEED = 2020  # of the splits and subsets: part of the metrics, not of a trial


def settings(n_generated: int, n_real: int) -> dict[str, Any]:
    """All else that the metrics depend on besides the features, under torch-fidelity's names."""
    return {
        "isc_splits": ISC_SPLITS,
        "kid_subsets": KID_SUBSETS,
        # Subsets must differ to be worth averaging: at most half of the smaller side.
        "kid_subset_size": min(KID_SUBSET_SIZE, n_generated // 2, n_real // 2),
        "prc_neighborhood": NEIGHBOURS,
        "rng_seed": SHUFFLE_SEED,
    }


def statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [D] and covariance [D, D]."""
    result = fid_features_to_statistics(features)
    sigma = np.atleast_2d(result["sigma"])  # numpy's covariance of one feature is a scalar
    return torch.from_numpy(result["mu"]), torch.from_numpy(sigma)


def frechet(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    """The squared Fréchet distance of two Gaussians, each (mean [D], covariance [D, D]).

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, arXiv:1706.08500, eq. 6.
    A value slightly below 0 is rounding.
    """
    a, b = ({"mu": mu.numpy(), "sigma": sigma.numpy()} for mu, sigma in (one, other))
    return float(fid_statistics_to_metric(a, b, False)["frechet_inception_distance"])


def intra_frechet(features: Tensor, labels: Tensor, real: Mapping[int, tuple[Tensor, Tensor]]) -> float:
    """The mean over classes of the Fréchet distance of the samples asked to be of a class from its real ones.

    labels: int64 [N], what the samples were asked to be; real: the statistics of each class.
    Each class has but a part of the samples, so the bias upwards, about d(d + 1) / 2n for n samples on either
    side and d uncorrelated features, is larger than that of the FID: compare equal numbers of images only.

    Source: Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637, section 4.
    """
    distances = [frechet(statistics(features[labels == k]), moments) for k, moments in real.items()]
    return float(np.mean(distances))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share, in [0, 1], of samples whose largest logit [N, K] is that of the label [N] asked for."""
    return (logits.argmax(1) == labels).double().mean().item()


def inception_score(logits: Tensor) -> float:
    """The mean over splits of exp(E KL(p(y|x) || p(y))); between 1 and the number of classes.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 4.
    """
    return float(isc_features_to_metric(logits, ISC_SPLITS, True, SHUFFLE_SEED)["inception_score_mean"])


def kernel_distance(generated: Tensor, real: Tensor) -> float:
    """The mean over subsets of the unbiased squared MMD with a cubic kernel; 0 on average if nothing differs.

    Source: Binkowski et al., "Demystifying MMD GANs", 2018, arXiv:1801.01401.
    """
    options = settings(len(generated), len(real))
    return float(
        kid_features_to_metric(generated, real, verbose=False, **options)["kernel_inception_distance_mean"]
    )


def precision_recall(generated: Tensor, real: Tensor) -> dict[str, float]:
    """The fractions of samples within reach of the other side's nearest neighbours, each in [0, 1].

    Source: Kynkäänniemi et al., "Improved Precision and Recall Metric", 2019, arXiv:1904.06991.
    """
    # Blocks of 1,000 keep 10,000 samples at a fifth of a gigabyte, a tenth of what one piece needs. Distances
    # are taken in float32, as torch-fidelity's are, so that the same samples fall within reach.
    options = settings(len(generated), len(real)) | {"save_cpu_ram": True, "prc_batch_size": 1000}
    result = prc_features_to_metric(generated.float(), real.float(), verbose=False, **options)
    return {"precision": float(result["precision"]), "recall": float(result["recall"])}
