"""The bias of FID from finitely many images, and the extrapolation to infinitely many."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gansweep.evaluation.metrics.features import Gaussian, Moments, frechet, gaussian, statistics

N_SIZES = 15  # as in Chong and Forsyth


def sizes_for(n: int, n_features: int) -> list[int]:
    """Returns N_SIZES numbers of samples, from a tenth of n (or twice the features) up to n.

    With fewer samples than features the bias is not proportional to 1/n.

    >>> sizes_for(10_000, 64)[:3], sizes_for(5000, 2048)[:2]
    ([1000, 1643, 2286], [2500, 2679])
    """
    least = min(n // 2, max(n // 10, 2 * n_features))
    return [round(size) for size in np.linspace(least, n, N_SIZES)]


def fid_by_size(
    features: Tensor, reference: Moments | Gaussian, sizes: Sequence[int], seed: int
) -> list[float]:
    """Returns the FID of a random subset of the features [N, D] for each size.

    Subsets are independent; the samples of a subset are all different.
    """
    real = reference if isinstance(reference, Gaussian) else gaussian(*reference)
    stream = np.random.RandomState(seed)
    subsets = (features[stream.choice(len(features), size, replace=False)] for size in sizes)
    return [frechet(statistics(subset), real) for subset in subsets]


def at_infinity(fids: Sequence[float], sizes: Sequence[int]) -> tuple[float, float]:
    """Returns intercept and slope of the least-squares line through FIDs over 1 / number of samples.

    The intercept estimates the FID of infinitely many samples; the slope is the C of the bias C / n. C
    depends on the generator, so the order of two generators may differ between n and infinitely many samples.
    The bias from finitely many real samples stays in the intercept.

    Source: Chong and Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020,
        arXiv:1911.07023, section 3.
    Deviations: (1) the latents of the study instead of quasi-random ones; (2) the smallest size is not always
        5,000: see `sizes_for`.

    >>> intercept, slope = at_infinity([3.0, 2.5], [100, 200])
    >>> round(intercept, 6), round(slope, 6)
    (2.0, 100.0)
    """
    slope, intercept = np.polyfit(1 / np.asarray(sizes, dtype=float), np.asarray(fids), 1)
    return float(intercept), float(slope)


def gaussian_slope(sigma: Tensor) -> float:
    """Returns the C of the bias C / n of n samples of a Gaussian with covariance `sigma` [D, D].

    The bias is that against the true moments, to first order in 1 / n; two finite samples add their biases.
    The mean contributes trace(sigma). The covariance contributes half the sum of ab / (a + b) over pairs of
    eigenvalues a, b, and half of it again for a = b: D(D + 1) / 4 if all eigenvalues are 1.
    """
    values = torch.linalg.eigvalsh(sigma).clamp(min=1e-300)
    pairs = values.outer(values) / (values.unsqueeze(0) + values.unsqueeze(1))
    return float(values.sum() + pairs.sum() / 2 + pairs.trace() / 2)
