"""Products in bfloat16: which they are, how far off, and that a pack trains with them near float32's way."""

import pytest
import torch
from torch.func import vmap

from gansweep import data
from gansweep.networks.layers import bfloat16
from gansweep.networks.layers.bfloat16 import bfloat16_product
from gansweep.training.member import make_member
from gansweep.training.pack import Pack
from gansweep.training.precision import matmul_precision
from gansweep.variants import VARIANTS

EPS = 2**-8  # the largest relative error of rounding to bfloat16


def matrices(*sizes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*size, dtype=dtype, generator=generator) for size in sizes]


def test_a_product_is_that_of_the_rounded_matrices():
    x, y = matrices((7, 5), (5, 3))
    exact = x.bfloat16().double() @ y.bfloat16().double()
    got = bfloat16_product(x, y)
    assert got.dtype == torch.float32 and not torch.equal(got.double(), exact)
    assert ((got - exact).abs() <= EPS * exact.abs() + 1e-6).all()


def test_gradients_of_both_orders_are_those_of_a_product():
    x, y, g = (m.requires_grad_() for m in matrices((3, 8, 5), (3, 5, 4), (3, 8, 4)))

    def slopes(product):
        first = torch.autograd.grad((vmap(product)(x, y) * g).sum(), (x, y), create_graph=True)
        return [*first, *torch.autograd.grad(sum(one.square().sum() for one in first), (x, y, g))]

    for got, expected in zip(slopes(bfloat16_product), slopes(torch.matmul), strict=True):
        assert 0 < (got - expected).abs().max() <= 8 * EPS * expected.abs().max()


def trained(precision, n_rounds=3):
    member = make_member(
        VARIANTS["wgan_gp"],
        {"lr": 1e-3},
        trial_id="0",
        dataset="digits",
        architecture="conv8",
        seed=0,
        batch_size=16,
        precision=precision,
    )
    pack = Pack([member, member], data.load("digits"), torch.device("cpu"))
    begin = pack.players["discriminator"].params_PN.clone()
    for _ in range(n_rounds):
        terms = pack.round()
    return pack.players["discriminator"].params_PN - begin, terms["discriminator"]


@pytest.mark.parametrize("has_units", [True, False])
def test_a_pack_of_medium_precision_trains_near_float32_where_there_are_units(has_units, monkeypatch):
    monkeypatch.setattr(bfloat16, "_has_units", lambda: has_units)
    calls, product = [], bfloat16.bfloat16_product
    monkeypatch.setattr(
        "gansweep.networks.layers.weighted.bfloat16_product", lambda *xs: calls.append(1) or product(*xs)
    )
    exact, terms = trained("highest")
    assert not calls
    moved, others = trained("medium")
    assert bool(calls) == has_units
    for name, value in terms.items():
        torch.testing.assert_close(others[name], value, rtol=0.05, atol=0.02)
    off = (moved - exact).norm() / exact.norm()
    assert off < 0.3 and (off > 1e-3) == has_units


def test_the_units_are_used_for_float32_on_a_cpu_alone(monkeypatch):
    monkeypatch.setattr(bfloat16, "_has_units", lambda: True)
    x = torch.ones(2, 2)
    assert not bfloat16.uses_bfloat16(x)
    with matmul_precision("medium"):
        assert bfloat16.uses_bfloat16(x)
        assert not bfloat16.uses_bfloat16(x.double()) and not bfloat16.uses_bfloat16(x.to("meta"))
