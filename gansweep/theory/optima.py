"""The optima of games: the best discriminators, their values, G's gradients.

P is the distribution of the data, Q that of G's samples, and r = log(p / q).
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit

from gansweep.errors import unknown
from gansweep.theory.densities import Array, Density, Function, Gaussian, integrate
from gansweep.theory.divergences import named

OPTIMAL_SCORES: dict[str, Function] = {
    "kl": lambda r: 1 + r,
    "reverse_kl": lambda r: r,
    "pearson": lambda r: 2 * np.expm1(r),
    "neyman": lambda r: 2 * r,
    "hellinger": lambda r: r / 2,
    "jeffreys": lambda r: 1 + r - np.exp(-r),
    "js": lambda r: r,
    "gan": lambda r: r,
}
"""D's score V for which the bound of an f-GAN is tight: g_f(V) = f'(p / q), with g_f as Nowozin et al. (2016,
arXiv:1606.00709, table 2) chose it. Total variation has no finite optimum: V has the sign of r."""


def optimal_score(name: str, log_ratio: Array) -> Array:
    """V*(x), given log(p / q) at x."""
    if name not in OPTIMAL_SCORES:
        raise unknown("optimal score", name, OPTIMAL_SCORES)
    return OPTIMAL_SCORES[name](log_ratio)


def optimal_score_alpha(a: float, log_ratio: Array) -> Array:
    """V* of the alpha-divergence, a < 1 and not 0, with g_f(v) = 1 / (1 - a) - log(1 + exp(-v))."""
    return -_log_expm1(np.exp((a - 1) * log_ratio) / (1 - a))


def optimal_score_js_weighted(pi: float, log_ratio: Array) -> Array:
    """V* of the weighted Jensen-Shannon divergence, with g_f(v) = -pi log pi - log(1 + exp(-v))."""
    return -_log_expm1(pi * np.log1p((1 - pi) / pi * np.exp(-log_ratio)))


def _log_expm1(x: Array) -> Array:
    """log(exp(x) - 1) for x > 0."""
    return x + np.log(-np.expm1(-x))


def optimal_probability(p: Density, q: Density, x: Array) -> Array:
    """D*(x) = p / (p + q), of cross-entropy and of least squares with targets 1 and 0.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661, proposition 1.
    """
    return np.asarray(expit(p.log_density(x) - q.log_density(x)))


def minimax_value(p: Density, q: Density) -> float:
    """max over D of E_P[log D] + E_Q[log(1 - D)] = 2 JSD - log 4, in [-log 4, 0].

    Source: Goodfellow et al., 2014, arXiv:1406.2661, theorem 1.
    """
    return named("gan")(p, q)


def least_squares_optimum(p: Density, q: Density) -> float:
    """min over D of E_P[(D - 1)^2] / 2 + E_Q[D^2] / 2, the integral of p q / (p + q) / 2: 1/4 where P = Q."""

    def density(x: Array) -> Array:
        log_p, log_q = p.log_density(x), q.log_density(x)
        mixed: Array = np.exp(log_p + log_expit(log_q - log_p)) / 2
        return mixed

    return integrate(density, (p, q))


def hinge_optimum(p: Density, q: Density) -> float:
    """min over D of E_P[max(0, 1 - D)] + E_Q[max(0, 1 + D)] = 2 - 2 TV, attained by D = sign(p - q).

    Source: Lim and Ye, "Geometric GAN", 2017, arXiv:1705.02894.
    """
    return 2 - 2 * named("tv")(p, q)


def bound(name: str, T: Function, p: Density, q: Density) -> float:
    """E_P[T] - E_Q[f*(T)] <= D_f(P, Q), for T with values in the domain of f*.

    >>> p, q = Gaussian(0.0, 1.0), Gaussian(1.0, 1.0)
    >>> round(bound("kl", lambda x: 1 + (0.5 - x), p, q), 10)  # the optimum: KL(P, Q)
    0.5
    >>> round(bound("kl", lambda x: 1 + 0.8 * (0.5 - x), p, q), 10)
    0.4768836536
    """
    conjugate = named(name).conjugate

    def density(x: Array) -> Array:
        return np.exp(p.log_density(x)) * T(x) - np.exp(q.log_density(x)) * conjugate(T(x))

    return integrate(density, (p, q))


def generator_gradients(theta: float) -> dict[str, float]:
    """d cost / d theta of the generators G(z) = theta + z, data and z standard normal, at D = D* held fixed.

    `mm`: the minimax cost E log(1 - D), `ns`: the non-saturating -E log D, `ml`: maximum likelihood,
    -E exp(score). They are the derivatives of 2 JSD, of KL(Q, P) - 2 JSD and of KL(P, Q).

    Source: Goodfellow et al., 2014, arXiv:1406.2661; Arjovsky and Bottou, "Towards Principled Methods for
    Training GANs", 2017, arXiv:1701.04862, theorem 2.5; Goodfellow, "NIPS 2016 Tutorial: Generative
    Adversarial Networks", arXiv:1701.00160, section 3.2.4, without its factor 1/2.

    >>> {name: round(value, 6) for name, value in generator_gradients(5.0).items()}
    {'mm': 0.04738, 'ns': 4.95262, 'ml': 5.0}
    """
    p, q = Gaussian(0.0, 1.0), Gaussian(theta, 1.0)
    slope = -theta  # of the score log(p / q) = theta^2 / 2 - theta x
    costs: dict[str, Callable[[Array], Array]] = {  # d cost / d score
        "mm": lambda score: -expit(score),
        "ns": lambda score: -expit(-score),
        "ml": lambda score: -np.exp(score),
    }

    def gradient(cost: Callable[[Array], Array]) -> float:
        def density(x: Array) -> Array:
            return np.exp(q.log_density(x)) * cost(p.log_density(x) - q.log_density(x)) * slope

        return integrate(density, (p, q))

    return {name: gradient(cost) for name, cost in costs.items()}
