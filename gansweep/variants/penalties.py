"""Penalties on the slope of the discriminator, each a function of D, real x, fake x and uniform u.

`slope` differentiates with `torch.func.grad`, which works alike on plain modules and inside a pack.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor
from torch.func import grad

Function: TypeAlias = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, Tensor], Tensor]


class Penalty(NamedTuple):
    """A penalty and the shape of the noise it needs (see `Variant.noise`)."""

    function: Function
    noise: str


def slope(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The L2 norm of dD(x)/dx, one per sample: [B].

    1e-4 is added under the root, as in the released code of Lucic et al., so that the norm can be
    differentiated where the slope is zero.
    """
    slopes: Tensor = grad(lambda points: D(points).sum())(x)
    return (slopes.flatten(1).square().sum(1) + 1e-4).sqrt()


def gp(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Two-sided penalty on slopes other than 1, at random points between real and fake samples. u: [B].

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028, eq. 3.
    Deviations: 1. 1e-4 under the root of the norm (the released code of Lucic et al. has it too).
    """
    between = x + u.view(-1, *[1] * (x.ndim - 1)) * (fake - x)
    return (slope(D, between) - 1).square().mean()


def dragan(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """Two-sided penalty on slopes other than 1, at points near the data. u: the shape of x.

    Source: Kodali et al., "On Convergence and Stability of GANs", 2017, arXiv:1705.07215, DRAGAN's penalty.
    Deviations: 1. the noise is 0.5 std(x) U[0, 1) per element, as in the authors' released code, where the
        paper has a Gaussian; 2. no second interpolation towards x; 3. the slope is that of the score, where
        the released code of Lucic et al. takes the probability; 4. 1e-4 under the root of the norm.
    """
    return (slope(D, x + 0.5 * x.std() * u) - 1).square().mean()


def none(D: Callable[[Tensor], Tensor], x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """No penalty."""
    return x.new_zeros(())


PENALTIES: dict[str, Penalty] = {
    "none": Penalty(none, noise="none"),
    "gp": Penalty(gp, noise="sample"),
    "dragan": Penalty(dragan, noise="data"),
}
