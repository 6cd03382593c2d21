"""The bias of FID from finitely many images, and the FID that infinitely many would have."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gansweep.evaluation.metrics.features import Gaussian, Moments, frechet, gaussian, statistics

N_SIZES = 15  # as Chong and Forsyth take


def sizes_for(n: int, n_features: int) -> list[int]:
    """Numbers of samples to measure the bias at: 15 from a tenth of n, or twice the features, up to n.

    With fewer samples than features the bias is not in proportion to 1/n.

    >>> sizes_for(10_000, 64)[:3], sizes_for(5000, 2048)[:2]
    ([1000, 1643, 2286], [2500, 2679])
    """
    least = min(n // 2, max(n // 10, 2 * n_features))
    return [round(size) for size in np.linspace(least, n, N_SIZES)]


def fid_by_size(
    features: Tensor, reference: Moments | Gaussian, sizes: Sequence[int], seed: int
) -> list[float]:
    """The FID of a random subset of the features [N, D] for each size.

    The samples of a subset are all different; each subset is drawn anew.
    """
    real = reference if isinstance(reference, Gaussian) else gaussian(*reference)
    stream = np.random.RandomState(seed)
    subsets = (features[stream.choice(len(features), size, replace=False)] for size in sizes)
    return [frechet(statistics(subset), real) for subset in subsets]


def at_infinity(fids: Sequence[float], sizes: Sequence[int]) -> tuple[float, float]:
    """Intercept and slope of the line of least squares through FIDs over 1 / number of samples.

    The intercept estimates the FID of infinitely many samples, the slope C what the bias C / n is made of. C
    differs between generators, so two of them may change places between n samples and infinitely many. If
    the reference is of finitely many real samples, its share of the bias stays in the intercept.

    Source: Chong and Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020,
        arXiv:1911.07023, section 3.
    Deviations: (1) the latents are those of the study, not quasi-random; (2) the least size is not always
        5,000: see `sizes_for`.

    >>> intercept, slope = at_infinity([3.0, 2.5], [100, 200])
    >>> round(intercept, 6), round(slope, 6)
    (2.0, 100.0)
    """
    slope, intercept = np.polyfit(1 / np.asarray(sizes, dtype=float), np.asarray(fids), 1)
    return float(intercept), float(slope)


def gaussian_slope(sigma: Tensor) -> float:
    """The C of the bias C / n that n samples of a Gaussian with covariance `sigma` [D, D] have against its
    true moments, to the first order in 1 / n.

    The mean adds trace(sigma). The covariance adds half the sum over pairs of eigenvalues a, b of
    ab / (a + b), and half of it again for a with itself: D(D + 1) / 4 if all are 1. Two samples add theirs.
    """
    values = torch.linalg.eigvalsh(sigma).clamp(min=1e-300)
    pairs = values.outer(values) / (values.unsqueeze(0) + values.unsqueeze(1))
    return float(values.sum() + pairs.sum() / 2 + pairs.trace() / 2)
