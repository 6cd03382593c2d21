"""Gradient penalties of the discriminator: functions of D, real x, fake x and, if it has noise, u.

`torch.func.grad` works on plain modules and inside a pack.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.func import grad
from torch.nn.functional import relu

N_PASSES_OF_A_SLOPE = (
    4  # of D: what the gradient of a penalty keeps in memory, an upper bound measured on CPUs
)


class Penalty(NamedTuple):
    """A penalty and the shape of its noise (see `Variant.noise`); with "none" the function takes no u."""

    function: Callable[..., Tensor]
    noise: str


def squared_slope(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Returns the squared L2 norm of dD(x)/dx per sample, [B]."""
    slopes: Tensor = grad(lambda points: D(points).sum())(x)
    return slopes.flatten(1).square().sum(1)


def slope(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Returns the L2 norm of dD(x)/dx per sample, [B].

    1e-4 under the root, as in the released code of Lucic et al., makes the norm differentiable where the
    gradient is zero.
    """
    return (squared_slope(D, x) + 1e-4).sqrt()


def between(x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Returns a random point on the line from each real sample to a fake sample. u: [B]."""
    return x + u.view(-1, *[1] * (x.ndim - 1)) * (fake - x)


def gp(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Two-sided penalty on slopes other than 1, at random points between real and fake samples. u: [B].

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028, eq. 3.
    Deviations: 1. 1e-4 under the root of the norm (the released code of Lucic et al. has it too).
    """
    return (slope(D, between(x, fake, u)) - 1).square().mean()


def lp(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """One-sided penalty on slopes above 1, at random points between real and fake samples. u: [B].

    Source: Petzka et al., "On the Regularization of Wasserstein GANs", 2017, arXiv:1709.08894, WGAN-LP.
    Deviations: 1. 1e-4 under the root of the norm, as in `gp`.
    """
    return relu(slope(D, between(x, fake, u)) - 1).square().mean()


def dragan(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Two-sided penalty on slopes other than 1, at points near the data. u: the shape of x.

    Source: Kodali et al., "On Convergence and Stability of GANs", 2017, arXiv:1705.07215, DRAGAN's penalty.
    Deviations: 1. the noise is 0.5 std(x) U[0, 1) per element, as in the authors' released code (a Gaussian
        in the paper); 2. no second interpolation towards x; 3. the slope is that of the score (of the
        probability in the released code of Lucic et al.); 4. 1e-4 under the root of the norm.
    """
    return (slope(D, x + 0.5 * x.std() * u) - 1).square().mean()


def r1(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor) -> Tensor:
    """Half the mean squared slope at the real samples, so that its weight is the gamma of the paper.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, arXiv:1801.04406,
        section 4.1, R1.
    Deviations: none. (The authors' released code has no half: its reg_param of 10 is a weight of 20 here.)
    """
    return 0.5 * squared_slope(D, x).mean()


def r2(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor) -> Tensor:
    """Half the mean squared slope at the fake samples.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, arXiv:1801.04406,
        section 4.1, R2.
    Deviations: none. (The authors' released code has no half, as for `r1`.)
    """
    return 0.5 * squared_slope(D, fake).mean()


def r1_r2(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor) -> Tensor:
    """The sum of `r1` and `r2`.

    Source: Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, arXiv:2501.05441,
        section 2.
    Deviations: 1. the weight is constant; the authors lower it during training.
    """
    return r1(D, x, fake) + r2(D, x, fake)


PENALTIES: dict[str, Penalty] = {
    "gp": Penalty(gp, noise="sample"),
    "lp": Penalty(lp, noise="sample"),
    "dragan": Penalty(dragan, noise="data"),
    "r1": Penalty(r1, noise="none"),
    "r2": Penalty(r2, noise="none"),
    "r1_r2": Penalty(r1_r2, noise="none"),
}
