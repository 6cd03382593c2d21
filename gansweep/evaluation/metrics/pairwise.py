"""Metrics of pairs of samples: KID, precision and recall. Features are float32 [N, D] on any device.

The numbers are torch-fidelity's, with its random subsets and its arithmetic of distances. Values of the real
samples alone are computed once for all generators: `kernel_means`, `radii`.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gansweep.evaluation.metrics.features import SHUFFLE_SEED, settings
from gansweep.evaluation.settings import KID_SUBSETS, NEIGHBOURS

KERNEL_ROWS = 100  # rows of a block of kernel values: few enough for a processor's cache
SHARED_COST = 1.5  # of a kernel value that all subsets share, to one of a single subset
AT_ONCE = 1_000_000  # distances: few enough for a processor's cache
N_GROUPS = 100  # groups of samples in the search for neighbours


def kernel_distance(generated: Tensor, real: Tensor, means: Tensor) -> float:
    """Returns KID: the mean over subsets of the unbiased squared MMD with the kernel (x.y / D + 1)^3.

    Its expectation is 0 for equal distributions. means: `kernel_means` of the real samples.
    The difference to torch-fidelity's result in float64 is at most 1e-6 of the kernel's mean.

    Source: Binkowski et al., "Demystifying MMD GANs", 2018, arXiv:1801.01401.
    """
    chosen = [indices.to(generated.device) for indices in subsets(len(generated), len(real))]
    within, across = _kernel_means(generated, real, *chosen).mean(0)
    squared: float = (within - 2 * across + means.mean()).item()
    return squared


def kernel_means(real: Tensor, n_generated: int) -> Tensor:
    """Returns the mean kernel of two different real samples in each subset, float64 [KID_SUBSETS]."""
    chosen = subsets(n_generated, len(real))[1].to(real.device)
    return _kernel_means(real, real, chosen, chosen[:, :0])[:, 0]


@lru_cache
def subsets(n_generated: int, n_real: int) -> tuple[Tensor, Tensor]:
    """Returns torch-fidelity's subsets of generated and real samples, indices [KID_SUBSETS, size] each."""
    size, stream = settings(n_generated, n_real)["kid_subset_size"], np.random.RandomState(SHUFFLE_SEED)
    drawn = [
        [stream.choice(n, size, replace=False) for n in (n_generated, n_real)] for _ in range(KID_SUBSETS)
    ]
    generated, real = (torch.from_numpy(np.stack(indices)) for indices in zip(*drawn, strict=True))
    return generated, real


def _kernel_means(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """Returns the mean kernel within x (of two different samples) and across x and y, float64 [S, 2].

    of_x, of_y: subsets as indices [S, m] and [S, n]. Subsets that share most of their pairs are sums over one
    matrix of all pairs; else each subset has its own.
    """
    (m, n), n_others = (of_x.shape[1], of_y.shape[1]), len(y) if of_y.numel() else 0
    of_all, of_each = len(x) * (len(x) + n_others), len(of_x) * m * (m // 2 + n)
    return (_means_of_all if SHARED_COST * of_all < of_each else _means_of_each)(x, y, of_x, of_y)


def _means_of_all(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """Returns the same: sums over a subset are products with a column of zeros and ones."""
    (m, n), d = (of_x.shape[1], of_y.shape[1]), x.shape[1]
    x_is_in, y_is_in = (
        torch.zeros(len(of_x), len(of), device=x.device).scatter_(1, chosen, 1.0).T.contiguous()
        for of, chosen in ((x, of_x), (y, of_y))
    )
    sums = torch.zeros(2, len(of_x), dtype=torch.float64, device=x.device)
    for rows, is_in in zip(x.split(KERNEL_ROWS), x_is_in.split(KERNEL_ROWS), strict=True):
        for i, (others, of) in enumerate(((x, x_is_in), (y, y_is_in))[: 2 if n else 1]):
            sums[i] += ((rows @ others.T).add_(d).pow_(3) @ of * is_in).sum(0, dtype=torch.float64)
    selves = (x.double().square().sum(1) + d).pow(3)[of_x].sum(1)
    return torch.stack([(sums[0] - selves) / (m * (m - 1)), sums[1] / (m * max(1, n))], 1) / d**3


def _means_of_each(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """Returns the same. A pair within x above the diagonal counts twice, for both orders."""
    (m, n), d = (of_x.shape[1], of_y.shape[1]), x.shape[1]
    left = torch.cat([x, x.new_full((len(x), 1), d)], 1)  # so that left times right is x.y + D
    right_x, right_y = (torch.cat([part, part.new_ones(len(part), 1)], 1) for part in (x, y))
    counts = [_counts(m - i, n).to(x) for i in range(0, m, KERNEL_ROWS)]
    means = []
    for a, b in zip(of_x, of_y, strict=True):
        rows, columns = left[a], torch.cat([right_x[a], right_y[b]]).T.contiguous()
        blocks = rows.split(KERNEL_ROWS)
        sums = [(block @ columns[:, i * KERNEL_ROWS :]).pow_(3) @ counts[i] for i, block in enumerate(blocks)]
        selves = (rows[:, :d].double().square().sum(1) + d).pow(3).sum()
        within, across = torch.cat(sums).sum(0, dtype=torch.float64)
        means.append(torch.stack([(within - selves) / (m * (m - 1)), across / (m * max(1, n))]))
    return torch.stack(means) / d**3


def _counts(n_left: int, n: int) -> Tensor:
    """Returns the weights of a block's columns in the sums within x and across x and y, [n_left + n, 2]."""
    counts = torch.zeros(n_left + n, 2)
    counts[:n_left, 0] = 2
    counts[:KERNEL_ROWS, 0] = 1  # the square on the diagonal holds both orders
    counts[n_left:] = torch.tensor([0.0, 1.0])
    return counts


def precision_recall(generated: Tensor, real: Tensor, real_radii: Tensor) -> dict[str, float]:
    """Returns precision and recall: shares of samples inside a neighbourhood of the other side.

    real_radii: `radii` of the real samples.

    Source: Kynkäänniemi et al., "Improved Precision and Recall Metric", 2019, arXiv:1904.06991.
    """
    columns, size = _columns(real), max(1, AT_ONCE // len(real))
    precise, recalled = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for part, reach in zip(generated.split(size), radii(generated).split(size), strict=True):
        distances = _distances(part, columns)
        precise.append((distances - real_radii).amin(1) <= 0)  # amin is faster than any
        recalled |= (distances - reach.unsqueeze(1)).amin(0) <= 0
    shares = torch.stack([torch.cat(precise).double().mean(), recalled.double().mean()]).tolist()
    return dict(zip(("precision", "recall"), shares, strict=True))


def radii(samples: Tensor) -> Tensor:
    """Returns the distance of each sample to its NEIGHBOURS-th nearest other sample, [N].

    The nearest samples lie in the groups with the smallest minima, so only few distances are sorted.
    """
    n_wanted = NEIGHBOURS + 1  # the sample itself counts
    columns = _columns(samples, -len(samples) % N_GROUPS)
    found = []
    for part in samples.split(max(1, AT_ONCE // len(samples))):
        groups = _distances(part, columns).unflatten(1, (-1, N_GROUPS))
        chosen = groups.amin(1).topk(n_wanted, largest=False, sorted=False).indices
        near = groups.gather(2, chosen.unsqueeze(1).expand(-1, groups.shape[1], -1))
        found.append(near.flatten(1).topk(n_wanted, largest=False).values[:, -1])
    return torch.cat(found)


def _distances(x: Tensor, columns: Tensor) -> Tensor:
    """Returns the distances [M, N] of samples [M, D] to those in `columns`, computed like `torch.cdist`."""
    norms = x.square().sum(1, keepdim=True)
    return (torch.cat([-2 * x, norms, torch.ones_like(norms)], 1) @ columns).clamp_min_(0).sqrt_()


def _columns(samples: Tensor, n_far: int = 0) -> Tensor:
    """Returns samples in the form for `_distances`, [D + 2, N + n_far], the last n_far infinitely far."""
    norms = samples.square().sum(1)
    norms = torch.cat([norms, norms.new_full((n_far,), torch.inf)])
    points = torch.cat([samples.T, samples.new_zeros(samples.shape[1], n_far)], 1)
    return torch.cat([points, torch.ones_like(norms)[None], norms[None]])
