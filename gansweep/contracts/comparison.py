"""Rules for when two trainings of a member count as equal."""

import math

import torch

from gansweep.contracts.breach import ContractBroken
from gansweep.contracts.eager import PlainTrainer
from gansweep.contracts.specimen import Terms, Trained, Weights

TOLERANCE = 1e-5  # in float64, of the way that the weights have gone
ROUNDING = 1e-3  # in float32, of the way of one round; about 5e-6 is usual


def require_same_way(what: str, got: Weights, expected: Weights, start: Weights, tolerance: float) -> None:
    """Check that two trainings of a member end at the same point, relative to the distance from their start.

    Both optimisers divide by the size of the gradient. Where a gradient is near zero, rounding decides the
    direction of a whole step, so single weights cannot be compared with a fixed bound. Biases are left out: a
    norm after a bias subtracts it, so that its gradient is rounding error only.

    Raises:
        ContractBroken: the end points differ, or training moved no weight.
    """
    require_rounding(what, part_off(got, expected, start), tolerance)


def require_rounding(what: str, part: float, tolerance: float) -> None:
    if not part <= tolerance:
        raise ContractBroken(f"{what} ends {part:.2g} of its way off; at most {tolerance:g} is rounding")


def part_off(got: Weights, expected: Weights, start: Weights) -> float:
    """How far off the expected end a training ends, as a part of the expected way.

    Raises:
        ContractBroken: training moved nothing.
    """
    way = distance(expected, start)
    if way == 0:
        raise ContractBroken("training moves no weight: every loss must depend on its player's networks")
    return distance(got, expected) / way


def distance(a: Weights, b: Weights) -> float:
    """Returns the Euclidean distance of two sets of weights, without biases."""
    names = [name for name in a if not name.endswith(".bias")]
    return math.sqrt(sum(float((a[name] - b[name]).square().sum()) for name in names))


def require_same_member(what: str, trained: Trained, i: int, eager: PlainTrainer, expected: Terms) -> None:
    """Check that weights, terms and floats of a member equal those of plain PyTorch."""
    what = f"{what}, against plain PyTorch,"
    require_same_way(what, trained.end[i], eager.parameters(), trained.start[i], TOLERANCE)
    require_same_terms(trained.terms, i, expected, "in plain PyTorch", rtol=1e-5, atol=1e-7)
    for name, value in trained.pack.scalars.items():
        plain = torch.as_tensor(getattr(eager.variant, name))
        if not torch.allclose(value[i], plain, rtol=1e-7, atol=1e-9):
            raise ContractBroken(f"{what} has {name} = {value[i]:.6g} instead of {plain:.6g}: see `update`")


def require_same_terms(got: Terms, i: int, expected: Terms, where: str, rtol: float, atol: float) -> None:
    """The terms of member i of a pack are those expected; where: how those were computed."""
    for player, losses in expected.items():
        for name, value in losses.items():
            if not torch.allclose(got[player][name][i].to(value), value, rtol=rtol, atol=atol):
                pair = f"{got[player][name][i]:.6g} in a pack and {value:.6g} {where}"
                raise ContractBroken(f"{player}'s term {name!r} is {pair}")


def require_bits(how: str, got: Weights, expected: Weights) -> None:
    different = [name for name in expected if not torch.equal(got[name], expected[name])]
    if different:
        raise ContractBroken(
            f"{how}, a member ends with other weights: {different[0]} and {len(different) - 1} more"
        )
