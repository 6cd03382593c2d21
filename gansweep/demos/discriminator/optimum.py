"""The optimal discriminator for two densities, and how scores of a trained one compare with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gansweep.theory import OPTIMAL_SCORES, optimal_score_alpha, optimal_score_js_weighted
from gansweep.variants.base import Variant
from gansweep.variants.fgan import FGAN
from gansweep.variants.hinge import Hinge
from gansweep.variants.least_squares import LSGAN
from gansweep.variants.minimax import CrossEntropy
from gansweep.variants.wasserstein import Wasserstein

Array: TypeAlias = NDArray[np.float64]
OptimalScore: TypeAlias = Callable[[Array], Array]  # log(p / q) -> the optimal score, increasing

_LIMIT = 12.0  # of |log(p / q)|: beyond it a probability is drawn as 0 or 1


@dataclass(frozen=True)
class Optimum:
    """The best discriminator for densities p, q [n] on points `dx` apart, in [0, 1]; and its name."""

    name: str
    values: Callable[[Array, Array, float], Array]


def _ratio(p: Array, q: Array, dx: float) -> Array:
    return p / np.maximum(p + q, 1e-300)


def _side(p: Array, q: Array, dx: float) -> Array:
    return (p > q).astype(float)


def _potential(p: Array, q: Array, dx: float) -> Array:
    """The function of slope 1 or -1 with the largest difference of means: it rises where more of q than of p
    lies to the left."""
    slope = np.sign(np.cumsum(q - p))
    potential = np.cumsum(slope) * dx
    return np.asarray((potential - potential.min()) / max(float(np.ptp(potential)), dx))


_RATIO = Optimum("p / (p + q)", _ratio)
_SIDE = Optimum("1 where p > q", _side)
_POTENTIAL = Optimum("the potential of optimal transport", _potential)


def optimum_of(variant: Variant) -> Optimum:
    """Returns the optimum of D in a variant; p / (p + q) for variants that compare scores with each other."""
    if isinstance(variant, Wasserstein):
        return _POTENTIAL
    is_sign = isinstance(variant, FGAN) and variant.divergence == "tv"
    return _SIDE if is_sign or isinstance(variant, Hinge) else _RATIO


def optimal_score_of(variant: Variant) -> OptimalScore | None:
    """Returns the optimal score as a function of log(p / q); None if there is none, or only a sign."""
    if isinstance(variant, CrossEntropy):
        return lambda r: r
    if isinstance(variant, LSGAN):
        a, b = float(variant.a), float(variant.b)
        return lambda r: a + (b - a) * expit(r)
    if isinstance(variant, FGAN):
        return _optimal_score_of_divergence(variant)
    return None


def _optimal_score_of_divergence(variant: FGAN) -> OptimalScore | None:
    if variant.divergence == "alpha":
        return lambda r: optimal_score_alpha(float(variant.alpha), r)
    if variant.divergence == "js_weighted":
        return lambda r: optimal_score_js_weighted(float(variant.pi), r)
    return OPTIMAL_SCORES.get(variant.divergence)


def probability(reading: OptimalScore, score: Array) -> Array:
    """The p / (p + q) at which a score would be optimal, in [0, 1].

    >>> probability(lambda r: 2 * r, np.array([0.0, 2.0])).round(4)
    array([0.5   , 0.7311])
    """
    ratios = np.linspace(-_LIMIT, _LIMIT, 2401)
    return np.asarray(expit(np.interp(score, reading(ratios), ratios)))


def fitted(score: Array, optimum: Array, weight: Array) -> Array:
    """Returns the score shifted and scaled to fit the optimum (weighted least squares), clipped to [0, 1]."""
    mean, aim = np.average(score, weights=weight), np.average(optimum, weights=weight)
    spread = np.average((score - mean) ** 2, weights=weight)
    slope = np.average((score - mean) * (optimum - aim), weights=weight) / max(spread, 1e-12)
    return np.clip(aim + max(slope, 0.0) * (score - mean), 0.0, 1.0)
