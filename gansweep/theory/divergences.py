"""The f-divergences: generators, their conjugates, and the divergence of any two densities on the line.

D_f(P, Q) = integral of q f(p / q), f convex. For every function T with values in the domain of f*,
D_f(P, Q) >= E_P[T] - E_Q[f*(T)], with equality at T = f'(p / q).

Source: Nowozin, Cseke, Tomioka, "f-GAN: Training Generative Neural Samplers using Variational Divergence
Minimization", 2016, arXiv:1606.00709, eqs. 2 and 4 and the tables of its supplement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import TypeAlias

import numpy as np
from scipy.optimize import brentq
from scipy.special import wrightomega

from gansweep.errors import unknown
from gansweep.theory.densities import Array, Density, Function, integrate

Perspective: TypeAlias = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Divergence:
    """A convex generator f of the ratio u = p / q > 0, and its conjugate f*(t) = max over u of u t - f(u).

    The formulas take logarithms, so that ratios of vanishing densities neither over- nor underflow.
    """

    integrand: Perspective  # q f(p / q), of log p and log q
    slope: Function  # f'(u), of log u: the optimal T of the bound
    conjugate: Function  # f*(t), for t in the domain
    domain: tuple[float, float] = (-inf, inf)  # of t
    smooth: bool = True  # f has no kink at u = 1

    def f(self, u: Array) -> Array:
        """Returns the generator at u > 0."""
        return self.integrand(np.log(u), np.zeros_like(u))

    def __call__(self, p: Density, q: Density) -> float:
        """D_f(P, Q) by quadrature, with an absolute error of about 1e-13; +inf where it diverges."""
        one = np.zeros(1)
        at_1, slope_at_1 = float(self.integrand(one, one)[0]), float(self.slope(one)[0])

        def excess(x: Array) -> Array:
            # f minus its tangent at 1, which integrates to f(1): never negative, and small where p is near q.
            log_p, log_q = p.log_density(x), q.log_density(x)
            p_x, q_x = np.exp(log_p), np.exp(log_q)
            return self.integrand(log_p, log_q) - at_1 * q_x - slope_at_1 * (p_x - q_x)

        return at_1 + integrate(excess, (p, q), edges=() if self.smooth else crossings(p, q))


def divergence(name: str, p: Density, q: Density) -> float:
    """D_f(P, Q) for a generator of `DIVERGENCES`, by quadrature; +inf where it diverges.

    >>> from gansweep.theory import Gaussian
    >>> round(divergence("kl", Gaussian(0.0, 1.0), Gaussian(1.0, 2.0)), 10)
    0.4431471806
    """
    return named(name)(p, q)


def named(name: str) -> Divergence:
    """Returns the generator of a name.

    Raises:
        UserError: the name is unknown.
    """
    if name not in DIVERGENCES:
        raise unknown("divergence", name, DIVERGENCES)
    return DIVERGENCES[name]


def jsd(p: Density, q: Density) -> float:
    """The Jensen-Shannon divergence, in [0, log 2]."""
    return DIVERGENCES["js"](p, q) / 2


def crossings(p: Density, q: Density) -> list[float]:
    """Where p = q, as far as 4000 points show; these are the kinks of |p - q|."""

    def log_ratio(x: float) -> float:
        point = np.array([x])
        return float(p.log_density(point)[0] - q.log_density(point)[0])

    x = np.linspace(min(p.bulk[0], q.bulk[0]), max(p.bulk[1], q.bulk[1]), 4000)
    signs = np.sign(p.log_density(x) - q.log_density(x))
    return [float(brentq(log_ratio, x[i], x[i + 1])) for i in np.flatnonzero(np.diff(signs))]


def alpha(a: float) -> Divergence:
    """The alpha-divergence, f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)), a neither 0 nor 1.

    Half of Pearson's at a = 2, half of Neyman's at -1, twice the squared Hellinger distance at 1/2.
    """

    def integrand(log_p: Array, log_q: Array) -> Array:
        power = np.exp(a * log_p + (1 - a) * log_q)
        return (power - a * np.exp(log_p) - (1 - a) * np.exp(log_q)) / (a * (a - 1))

    def conjugate(t: Array) -> Array:
        return (np.maximum((a - 1) * t + 1, 0) ** (a / (a - 1)) - 1) / a

    return Divergence(
        integrand=integrand,
        slope=lambda r: np.expm1((a - 1) * r) / (a - 1),
        conjugate=conjugate,
        domain=(-inf, 1 / (1 - a) if a < 1 else inf),
    )


def js_weighted(pi: float) -> Divergence:
    """pi KL(P, M) + (1 - pi) KL(Q, M) with the mixture M = pi P + (1 - pi) Q, 0 < pi < 1; the JSD at 1/2.

    f(u) = pi u log u - (1 - pi + pi u) log(1 - pi + pi u).
    """

    def integrand(log_p: Array, log_q: Array) -> Array:
        log_m = np.logaddexp(log(pi) + log_p, log(1 - pi) + log_q)
        return pi * np.exp(log_p) * (log_p - log_m) + (1 - pi) * np.exp(log_q) * (log_q - log_m)

    return Divergence(
        integrand=integrand,
        slope=lambda r: -pi * np.logaddexp(log(pi), log(1 - pi) - r),
        conjugate=lambda t: (1 - pi) * (log(1 - pi) - np.log1p(-pi * np.exp(t / pi))),
        domain=(-inf, -pi * log(pi)),
    )


def _jeffreys_conjugate(t: Array) -> Array:
    w = wrightomega(1 - t)  # the solution of w + log w = 1 - t
    return np.asarray(w + 1 / w + t - 2)


DIVERGENCES: dict[str, Divergence] = {
    "kl": Divergence(  # f(u) = u log u
        integrand=lambda p, q: np.exp(p) * (p - q),
        slope=lambda r: 1 + r,
        conjugate=lambda t: np.exp(t - 1),
    ),
    "reverse_kl": Divergence(  # -log u
        integrand=lambda p, q: np.exp(q) * (q - p),
        slope=lambda r: -np.exp(-r),
        conjugate=lambda t: -1 - np.log(-t),
        domain=(-inf, 0.0),
    ),
    "pearson": Divergence(  # (u - 1)^2
        integrand=lambda p, q: np.exp(2 * p - q) - 2 * np.exp(p) + np.exp(q),
        slope=lambda r: 2 * np.expm1(r),
        conjugate=lambda t: np.where(t < -2, -1, t**2 / 4 + t),
    ),
    "neyman": Divergence(  # (1 - u)^2 / u
        integrand=lambda p, q: np.exp(2 * q - p) - 2 * np.exp(q) + np.exp(p),
        slope=lambda r: -np.expm1(-2 * r),
        conjugate=lambda t: 2 - 2 * np.sqrt(1 - t),
        domain=(-inf, 1.0),
    ),
    "hellinger": Divergence(  # (sqrt u - 1)^2: the squared distance
        integrand=lambda p, q: (np.exp(p / 2) - np.exp(q / 2)) ** 2,
        slope=lambda r: -np.expm1(-r / 2),
        conjugate=lambda t: t / (1 - t),
        domain=(-inf, 1.0),
    ),
    "jeffreys": Divergence(  # (u - 1) log u
        integrand=lambda p, q: (np.exp(p) - np.exp(q)) * (p - q),
        slope=lambda r: 1 + r - np.exp(-r),
        conjugate=_jeffreys_conjugate,
    ),
    "js": Divergence(  # u log u - (u + 1) log((u + 1) / 2): twice the Jensen-Shannon divergence
        integrand=lambda p, q: (
            np.exp(p) * (log(2) - np.logaddexp(0, q - p)) + np.exp(q) * (log(2) - np.logaddexp(0, p - q))
        ),
        slope=lambda r: log(2) - np.logaddexp(0, -r),
        conjugate=lambda t: -np.log(2 - np.exp(t)),
        domain=(-inf, log(2)),
    ),
    "js_weighted": js_weighted(0.5),
    "gan": Divergence(  # u log u - (u + 1) log(u + 1): twice the Jensen-Shannon divergence, minus log 4
        integrand=lambda p, q: -np.exp(p) * np.logaddexp(0, q - p) - np.exp(q) * np.logaddexp(0, p - q),
        slope=lambda r: -np.logaddexp(0, -r),
        conjugate=lambda t: -np.log1p(-np.exp(t)),
        domain=(-inf, 0.0),
    ),
    "tv": Divergence(  # |u - 1| / 2: total variation, in [0, 1]
        integrand=lambda p, q: np.abs(np.exp(p) - np.exp(q)) / 2,
        slope=lambda r: np.sign(r) / 2,
        conjugate=lambda t: t,
        domain=(-0.5, 0.5),
        smooth=False,
    ),
    "alpha": alpha(0.5),
}
"""By name. `js` is 2 JSD and `gan` is 2 JSD - log 4, as in the paper's table."""
