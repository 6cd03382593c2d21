"""Mixtures of Gaussians in one and two dimensions, whose distribution is known."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gansweep.data.base import Dataset, make

N_TRAIN, N_TEST = 50_000, 10_000


@dataclass(frozen=True, eq=False)
class Mixture:
    """Isotropic Gaussians with `means` [K, d], standard deviations `sds` [K], and probabilities `weights`."""

    label: str
    means: Tensor
    sds: Tensor
    weights: tuple[float, ...] | None = None  # None: all equal

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Returns n samples, float32 [n, d], and their components, int64 [n]."""
        random = np.random.RandomState(seed)
        component = torch.from_numpy(random.choice(len(self.means), size=n, p=self.weights))
        noise = torch.from_numpy(random.standard_normal((n, self.means.shape[1]))).float()
        return self.means[component] + self.sds[component].unsqueeze(1) * noise, component


def _circle(n: int) -> Tensor:
    angle = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
    return torch.stack([angle.cos(), angle.sin()], dim=1).float()


def _lattice(n: int, spacing: float) -> Tensor:
    side = (torch.arange(n) - (n - 1) / 2) * spacing
    return torch.cartesian_prod(side, side)


MIXTURES = {
    "ring": Mixture("Ring of 8", _circle(8), torch.full((8,), 0.01)),
    "grid": Mixture("Grid of 25", _lattice(5, 2.0), torch.full((25,), 0.05)),
    "gaussian_1d": Mixture("Gaussian 1-D", torch.zeros(1, 1), torch.ones(1)),
    "mixture_1d": Mixture(
        "Mixture 1-D", torch.tensor([[2.0], [-1.0]]), torch.tensor([1.415, 0.255]), weights=(0.67, 0.33)
    ),
}
"""Ring (radius 1, sd 0.01) and grid (spacing 2, sd 0.05) as in Lin et al., "PacGAN", 2018, arXiv:1712.04086,
section 4.1, after Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761. `gaussian_1d` is N(0, 1): its
divergences from any other Gaussian are known in closed form. `mixture_1d` is the target of the
f-GAN study, to which single Gaussians are fitted: `gansweep.theory.FGAN_MIXTURE` states its origin."""


def load_mixture(name: str, root: Path) -> Dataset:
    """Load samples of a mixture, drawn with a fixed seed. The labels are the components."""
    mixture = MIXTURES[name]
    samples, component = mixture.draw(N_TRAIN + N_TEST, seed=0)
    return make(
        name,
        mixture.label,
        samples[:N_TRAIN],
        samples[N_TRAIN:],
        f"{N_TRAIN:,} training and {N_TEST:,} test samples drawn once from a fixed seed.",
        labels=(component[:N_TRAIN], component[N_TRAIN:]),
    )
