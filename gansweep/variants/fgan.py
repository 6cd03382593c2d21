"""f-GAN: a game for every f-divergence, whose value bounds the divergence from below.

With D's score v, the output activation g_f and the convex conjugate f* of f, D raises and G lowers

    E_p[g_f(v)] - E_q[f*(g_f(v))],

which is at most the divergence of the data p from the model q, the integral of q f(p / q). The code has the
composition of conjugate and activation, simplified on paper, so that no intermediate value overflows and no
digits are lost at the ends of the conjugate's domain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Annotated, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gansweep.errors import UserError, unknown
from gansweep.fields import OneOf
from gansweep.space import uniform
from gansweep.variants.base import ScoreGAN, Terms, Within
from gansweep.variants.published import NARROW, WIDE, Published

OBJECTIVES = ("saddle", "trick")
FAR = 40.0  # exp(-FAR) is below the rounding of 1 + exp(-FAR), in float64 too


class Divergence(NamedTuple):
    """A divergence as functions of the score v (and of the parameter of the divergence)."""

    activation: Callable[..., Tensor]  # g_f(v)
    conjugate: Callable[..., Tensor]  # f*(g_f(v))
    parameter: str | None = None  # field of `FGAN` that both functions take as second argument


def log_wright(s: Tensor) -> Tensor:
    """Returns the logarithm of Lambert's W at exp(s): the root l of l + exp(l) = s.

    Newton's method on this form neither overflows nor misses the root: the left side is convex and
    increasing, and the start lies to the right of the root. Four steps reach the precision of float64 from
    the worst start; the fifth does so for the first two derivatives, which are taken through the steps.
    """
    root = torch.minimum(s, s.clamp(min=1).log())
    for _ in range(5):
        root = root - (root + root.exp() - s) / (1 + root.exp())
    return root


def jeffreys_conjugate(v: Tensor) -> Tensor:
    """Returns w + 1/w + v - 2 with w = W(exp(1 - v)), which equals 1/w - log w - 1 by w + log w = 1 - v."""
    log_w = log_wright(1 - v)
    return torch.exp(-log_w) - log_w - 1


def log_tail(v: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
    """Returns log f(softplus(-v)) for an f with f(0) = 0 and f'(0) > 0.

    Beyond FAR, where softplus(-v) would underflow, it is a straight line of slope -1.
    """
    return f(softplus(-v.clamp(max=FAR))).log() - (v - FAR).clamp(min=0)


def js_weighted_activation(v: Tensor, pi: float | Tensor) -> Tensor:
    pi = v.new_zeros(()) + pi
    return -pi * pi.log() - softplus(-v)


def js_weighted_conjugate(v: Tensor, pi: float | Tensor) -> Tensor:
    """(1 - pi) log((1 - pi) / (1 - sigmoid(v)^(1/pi)))."""
    pi = v.new_zeros(()) + pi
    return (1 - pi) * (torch.log1p(-pi) - log_tail(v, lambda a: -torch.expm1(-a / pi)))


def alpha_activation(v: Tensor, alpha: float | Tensor) -> Tensor:
    return 1 / (1 - alpha) - softplus(-v)


def alpha_conjugate(v: Tensor, alpha: float | Tensor) -> Tensor:
    """(b^(alpha / (alpha - 1)) - 1) / alpha with b = (1 - alpha) softplus(-v)."""
    log_b = log_tail(v, lambda a: (1 - alpha) * a)
    return torch.expm1(alpha / (alpha - 1) * log_b) / alpha


DIVERGENCES: dict[str, Divergence] = {
    "kl": Divergence(lambda v: v, lambda v: torch.exp(v - 1)),
    "reverse_kl": Divergence(lambda v: -torch.exp(-v), lambda v: v - 1),
    "pearson": Divergence(lambda v: v, lambda v: 0.25 * v.square() + v),
    "neyman": Divergence(lambda v: 1 - torch.exp(-v), lambda v: 2 - 2 * torch.exp(-v / 2)),
    "hellinger": Divergence(lambda v: 1 - torch.exp(-v), lambda v: torch.exp(v) - 1),
    "jeffreys": Divergence(lambda v: v, jeffreys_conjugate),
    "js": Divergence(lambda v: log(2) - softplus(-v), lambda v: softplus(v) - log(2)),
    "js_weighted": Divergence(js_weighted_activation, js_weighted_conjugate, parameter="pi"),
    "gan": Divergence(lambda v: -softplus(-v), softplus),
    "tv": Divergence(lambda v: 0.5 * v.tanh(), lambda v: 0.5 * v.tanh()),
    "alpha": Divergence(alpha_activation, alpha_conjugate, parameter="alpha"),
}


@dataclass(frozen=True, kw_only=True)
class FGAN(ScoreGAN):
    """D estimates an f-divergence between data and model from below, G lowers it.

    `divergence` is a key of DIVERGENCES: kl, reverse_kl, pearson ((p - q)^2 / q), neyman ((p - q)^2 / p),
    hellinger (squared), jeffreys, js (twice the Jensen-Shannon divergence), js_weighted, gan (js less log 4),
    tv or alpha. `objective` "saddle": G minimises D's bound; "trick": G maximises E_q[g_f(v)], whose
    gradient does not vanish where D is sure of the fakes.

    Some bounds grow exponentially with the score in any form: as exp(v) for kl, jeffreys and hellinger, as
    exp(-v) for reverse_kl, neyman and hellinger, as (exp(v) / (1 - a))^(a / (1 - a)) for alpha = a. float32
    overflows where the value exceeds exp(88). All other bounds are finite at any score.

    Source: Nowozin et al., "f-GAN: Training Generative Neural Samplers using Variational Divergence
        Minimization", 2016, arXiv:1606.00709, eq. 6, section 3.2, tables 2 and 6.
    Deviations: none. (alpha lies in (0, 1), between the two Kullback-Leibler divergences; the paper's may be
        any number but 0 and 1.)

    Raises:
        UserError: an unknown divergence or objective; pi or alpha outside (0, 1).

    >>> import torch
    >>> FGAN(divergence="kl").discriminator_terms(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 1.0]))
    {'real': tensor(-3.), 'fake': tensor(1.)}
    """

    divergence: str = "gan"
    objective: Annotated[str, OneOf(OBJECTIVES)] = "saddle"
    # js_weighted: the weight of the data in the mixture.
    pi: Annotated[float, Within(0.01, 0.99)] = 0.5
    # alpha: reverse_kl near 0, twice the squared Hellinger distance at 1/2, kl near 1. Nearer to 1 than 0.9,
    # squared gradients of an untrained D leave float32.
    alpha: Annotated[float, Within(0.01, 0.9)] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divergence not in DIVERGENCES:
            raise unknown("divergence", self.divergence, DIVERGENCES)
        if self.objective not in OBJECTIVES:
            raise unknown("objective", self.objective, OBJECTIVES)
        for name in ("pi", "alpha"):
            value = getattr(self, name)
            if isinstance(value, float | int) and not 0 < value < 1:  # inside a pack it is a tensor
                raise UserError(f"0 < {name} < 1 must hold, but got {value}")

    @property
    def hyperparameters(self) -> frozenset[str]:
        parameters = {divergence.parameter for divergence in DIVERGENCES.values()}
        return super().hyperparameters - (parameters - {self._divergence.parameter}) - {"divergence"}

    def activation(self, score: Tensor) -> Tensor:
        """Returns g_f(score), D's estimate of f'(p / q)."""
        return self._divergence.activation(score, *self._parameters)

    def conjugate(self, score: Tensor) -> Tensor:
        """Returns f*(g_f(score))."""
        return self._divergence.conjugate(score, *self._parameters)

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        return {"real": -self.activation(real).mean(), "fake": self.conjugate(fake).mean()}

    def generator_terms(self, fake: Tensor) -> Terms:
        if self.objective == "trick":
            return {"fake": -self.activation(fake).mean()}
        return {"fake": -self.conjugate(fake).mean()}

    @property
    def _divergence(self) -> Divergence:
        return DIVERGENCES[self.divergence]

    @property
    def _parameters(self) -> tuple[float, ...]:
        name = self._divergence.parameter
        return () if name is None else (getattr(self, name),)


def _published(divergence: str, label: str, hue: str, marker: str, **parameters: float) -> Published:
    """Returns the entry of a divergence with the authors' settings for MNIST.

    The authors state no values for parameters of a divergence.
    """
    return Published(
        variant=FGAN(divergence=divergence),
        label=f"f-GAN {label}",
        family="f-divergence",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 1, **parameters},
        wide=WIDE | {name: uniform(0.05, 0.8) for name in parameters},
        narrow=NARROW | {name: uniform(0.25, 0.75) for name in parameters},
        hue=hue,
        marker=marker,
    )


KL = _published("kl", "KL", "sky", "diamond")
REVERSE_KL = _published("reverse_kl", "reverse KL", "sky", "square")
JEFFREYS = _published("jeffreys", "Jeffreys", "sky", "triangle")
JS = _published("js", "JS", "sky", "nabla")
JS_WEIGHTED = _published("js_weighted", "weighted JS", "sky", "pentagon", pi=0.5)
GAN = _published("gan", "GAN", "sky", "hexagon")
ALPHA = _published("alpha", "alpha", "sky", "plus", alpha=0.5)
PEARSON = _published("pearson", "Pearson", "verm", "square")
NEYMAN = _published("neyman", "Neyman", "verm", "triangle")
HELLINGER = _published("hellinger", "Hellinger", "verm", "nabla")
TV = _published("tv", "TV", "verm", "pentagon")
