"""Divergences and distances between Gaussians in closed form."""

from collections.abc import Callable
from math import erf, exp, inf, log, pi, sqrt

import numpy as np
from scipy.special import ndtr

from gansweep.errors import unknown
from gansweep.theory.densities import Array, Gaussian


def closed_form(name: str, p: Gaussian, q: Gaussian) -> float:
    """D_f(P, Q) of two Gaussians for a generator of `CLOSED_FORMS`; +inf where it diverges.

    >>> closed_form("kl", Gaussian(0.0, 1.0), Gaussian(1.0, 1.0))
    0.5
    """
    if name not in CLOSED_FORMS:
        raise unknown("closed form", name, CLOSED_FORMS)
    return CLOSED_FORMS[name](p, q)


def kl(p: Gaussian, q: Gaussian) -> float:
    """The integral of p log(p / q)."""
    return log(q.sd / p.sd) + (p.sd**2 + (p.mean - q.mean) ** 2) / (2 * q.sd**2) - 0.5


def overlap(a: float, p: Gaussian, q: Gaussian) -> float:
    """The integral of p^a q^(1 - a), +inf where it diverges; at 1/2 the Bhattacharyya coefficient."""
    width = a * q.sd**2 + (1 - a) * p.sd**2
    if width <= 0:
        return inf
    shift = (p.mean - q.mean) ** 2
    affinity: float = q.sd**a * p.sd ** (1 - a) / sqrt(width) * exp(-a * (1 - a) * shift / (2 * width))
    return affinity


def alpha_divergence(a: float, p: Gaussian, q: Gaussian) -> float:
    """The divergence of `divergences.alpha(a)`."""
    return (overlap(a, p, q) - 1) / (a * (a - 1))


def total_variation(p: Gaussian, q: Gaussian) -> float:
    """Half the integral of |p - q|, which changes sign at the roots of the quadratic log(p / q)."""
    square = (1 / q.sd**2 - 1 / p.sd**2) / 2
    linear = p.mean / p.sd**2 - q.mean / q.sd**2
    constant = (q.mean**2 / q.sd**2 - p.mean**2 / p.sd**2) / 2 + log(q.sd / p.sd)
    roots = np.sort(np.roots([square, linear, constant]).real)
    gap = ndtr((roots - p.mean) / p.sd) - ndtr((roots - q.mean) / q.sd)
    return float(np.abs(np.diff(gap, prepend=0, append=0)).sum() / 2)


CLOSED_FORMS: dict[str, Callable[[Gaussian, Gaussian], float]] = {
    "kl": kl,
    "reverse_kl": lambda p, q: kl(q, p),
    "jeffreys": lambda p, q: kl(p, q) + kl(q, p),
    "pearson": lambda p, q: overlap(2, p, q) - 1,
    "neyman": lambda p, q: overlap(2, q, p) - 1,
    "hellinger": lambda p, q: 2 - 2 * overlap(0.5, p, q),
    "tv": total_variation,
    "alpha": lambda p, q: alpha_divergence(0.5, p, q),
}
"""Jensen-Shannon divergences have no closed form; `divergence` computes them by quadrature."""


def wasserstein_1(p: Gaussian, q: Gaussian) -> float:
    """The mean distance |x - y| of the best coupling, that of equal quantiles: E|shift + (sd - sd') Z|."""
    shift, spread = abs(p.mean - q.mean), abs(p.sd - q.sd)
    if spread == 0:
        return shift
    tail = spread * sqrt(2 / pi) * exp(-((shift / spread) ** 2) / 2)
    return tail + shift * erf(shift / (spread * sqrt(2)))


def wasserstein_2_squared(p: Gaussian, q: Gaussian) -> float:
    """The mean squared distance of the best coupling: the Frechet distance in one dimension."""
    return (p.mean - q.mean) ** 2 + (p.sd - q.sd) ** 2


def frechet_distance(mean_p: Array, sds_p: Array, mean_q: Array, sds_q: Array) -> float:
    """The (squared) Frechet distance of two Gaussians with diagonal covariances; all arguments [d]."""
    return float(np.sum((mean_p - mean_q) ** 2) + np.sum((sds_p - sds_q) ** 2))


def fid_bias(n: int, d: int) -> float:
    """The FID of two sets of n samples of the standard Gaussian in d dimensions, whose true value is 0.

    The means contribute 2 d / n, the covariances about d (d + 1) / (2 (n - 1)) for n far above d; the sum
    decreases as 1 / n. Simulations agree to 2 % at n / d = 30.

    >>> round(fid_bias(n=2000, d=64), 3)
    1.105
    """
    return 2 * d / n + d * (d + 1) / (2 * (n - 1))


def sample_wasserstein(x: Array, y: Array, order: int = 1) -> float:
    """W_1, or with order 2 W_2 squared, of two samples of one size [N]: they are paired in order."""
    return float(np.mean(np.abs(np.sort(x) - np.sort(y)) ** order))


def inception_score(probabilities: Array) -> float:
    """exp of the mean KL of each row from the mean row; probabilities: [N, K], each row of sum 1. In [1, K].

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 4.

    >>> round(inception_score(np.array([[0.9, 0.1], [0.1, 0.9]])), 7)
    1.4449348
    """
    marginal = probabilities.mean(axis=0)
    ratio = np.divide(probabilities, marginal, out=np.ones_like(probabilities), where=probabilities > 0)
    return float(np.exp((probabilities * np.log(ratio)).sum(axis=1).mean()))
