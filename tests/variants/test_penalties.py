"""The penalties on D's slope, on critics whose slope is known."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.variants import VARIANTS, penalties
from gansweep.variants.minimax import NonSaturating

X, FAKE = torch.tensor([[0.0, 1.0], [2.0, -1.0]]), torch.tensor([[5.0, 5.0], [-1.0, 0.0]])


def linear(*weights: float):
    """The critic a.x, whose slope is the norm of a everywhere."""
    return lambda x: x.flatten(1) @ torch.tensor(weights)


@pytest.mark.parametrize(("weights", "expected"), [((3.0, 4.0), 16.00008), ((0.6, 0.8), 2.49988e-9)])
def test_penalties_towards_slope_one_on_a_linear_critic(weights, expected):
    gp = penalties.gp(linear(*weights), X, FAKE, torch.tensor([0.2, 0.9]))
    lp = penalties.lp(linear(*weights), X, FAKE, torch.tensor([0.2, 0.9]))
    dragan = penalties.dragan(linear(*weights), X, FAKE, torch.rand(2, 2))
    for value in (gp, lp, dragan):
        assert_close(value.item(), expected, rtol=1e-4, atol=2e-9)


def test_the_gradient_penalty_takes_one_slope_a_sample_at_its_own_point():
    x, fake, u = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [0.0]]), torch.tensor([0.25, 0.5])
    value = penalties.gp(lambda x: x.square().sum(1), x, fake, u)  # slope 2x at 1.5 and 1.0
    expected = sum((math.sqrt((2 * p) ** 2 + 1e-4) - 1) ** 2 for p in (1.5, 1.0)) / 2
    assert_close(value.item(), expected, rtol=1e-5, atol=0)


def test_dragan_looks_half_a_standard_deviation_ahead_of_the_data():
    x, u = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.5], [0.0]])  # std sqrt(2), unbiased
    value = penalties.dragan(lambda x: x.square().sum(1), x, x, u)
    points = (1 + 0.5 * math.sqrt(2) * 0.5, 3.0)
    expected = sum((math.sqrt((2 * p) ** 2 + 1e-4) - 1) ** 2 for p in points) / 2
    assert_close(value.item(), expected, rtol=1e-5, atol=0)


def test_only_the_one_sided_penalty_leaves_small_slopes_alone():
    u = torch.tensor([0.2, 0.9])
    assert_close(penalties.gp(linear(0.0, 0.5), X, FAKE, u).item(), (math.sqrt(0.2501) - 1) ** 2)
    assert penalties.lp(linear(0.0, 0.5), X, FAKE, u) == 0


def test_penalties_towards_slope_zero_on_a_linear_critic():
    for penalty in (penalties.r1, penalties.r2):
        assert_close(penalty(linear(3.0, 4.0), X, FAKE).item(), 12.5)
    assert_close(penalties.r1_r2(linear(3.0, 4.0), X, FAKE).item(), 25.0)


def test_r1_is_taken_at_the_data_and_r2_at_the_samples():
    def quadratic(x):
        return x.square().sum(1)  # slope 2x: squared 4 |x|^2

    assert_close(penalties.r1(quadratic, X, FAKE).item(), 0.5 * 4 * (1 + 5) / 2)
    assert_close(penalties.r2(quadratic, X, FAKE).item(), 0.5 * 4 * (50 + 1) / 2)
    assert_close(penalties.r1_r2(quadratic, X, FAKE).item(), 6.0 + 51.0)


def test_zero_centred_penalties_can_be_differentiated_where_the_slope_is_zero():
    weight = torch.zeros(2, requires_grad=True)
    value = penalties.r1(lambda x: x @ weight, X, FAKE)
    (gradient,) = torch.autograd.grad(value, weight)
    assert_close(gradient, torch.zeros(2))


@pytest.mark.parametrize("name", ["wgan_gp", "wgan_lp", "dragan"])
def test_the_weight_multiplies_the_penalty(name):
    variant = VARIANTS[name].variant
    nets = SimpleNamespace(G=lambda z: z, D=linear(3.0, 4.0))
    batch = SimpleNamespace(x=torch.eye(2), z=torch.zeros(2, 2), u=torch.rand(2, 2)[:, 0])
    batch.u = batch.u if variant.noise == "sample" else torch.rand(2, 2)
    assert_close(variant.discriminator_loss(nets, batch)["penalty"].item(), 160.0008, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("name", "expected"), [("ns_r1", 125.0), ("ns_r2", 125.0), ("r3gan", 1.25)])
def test_gamma_is_the_weight_of_half_the_squared_slope(name, expected):
    nets = SimpleNamespace(G=lambda z: z, D=linear(3.0, 4.0))
    batch = SimpleNamespace(x=X, z=FAKE)
    terms = VARIANTS[name].variant.discriminator_loss(nets, batch)
    assert_close(terms["penalty"].item(), expected)
    assert VARIANTS[name].variant.noise == "none"


def test_an_unknown_penalty_is_refused():
    with pytest.raises(UserError, match="unknown penalty 'dragon'; did you mean 'dragan'"):
        NonSaturating(penalty="dragon")
