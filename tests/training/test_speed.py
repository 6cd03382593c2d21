"""What makes rounds fast changes no result: traces, optimisers in one pass, compiled rounds, precisions."""

import random
import shutil
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import leaky_relu
from torch.testing import assert_close

from gansweep import data
from gansweep.errors import UserError
from gansweep.study.study import Study
from gansweep.training.member import make_member
from gansweep.training.optimizers import OPTIMIZERS
from gansweep.training.pack import Pack
from gansweep.training.precision import matmul_precision
from gansweep.training.speed.in_place import overwrite
from gansweep.training.speed.replay import WORTH_CALLS, Traced, traced
from gansweep.training.speed.trace import trace
from gansweep.variants import VARIANTS

CPU = torch.device("cpu")


def operations(graph):
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def test_a_trace_does_each_operation_once_and_constants_not_at_all():
    def function(x):
        table = torch.arange(3.0) * 2
        return (x + 1).sin() * table + (x + 1).sin() * (torch.arange(3.0) * 2)

    x = torch.randn(3)
    graph = trace(function, x)
    assert torch.equal(graph(x), function(x))
    assert operations(graph) == ["aten.add.Tensor", "aten.sin.default", "aten.mul.Tensor", "aten.add.Tensor"]


def test_a_trace_keeps_what_is_written_in_place_in_order():
    def function(x):
        first, second = torch.zeros(3), torch.zeros(3)
        before = first * 2
        first[1:] += x[1:]
        second += x
        return before, first * 2, second * 2, first + second

    x = torch.randn(3)
    graph = trace(function, x)
    for _ in range(2):  # nothing of the first call may be left in the second
        for got, expected in zip(graph(x), function(x), strict=True):
            assert torch.equal(got, expected)


def overwriting(function, *args):
    """The trace, in which results take the place of what is no longer needed; it must do the same."""
    graph = trace(function, *args)
    overwrite(graph)
    given = [x.clone() for x in args]
    for _ in range(2):
        for got, expected in zip(graph(*args), function(*given), strict=True):
            assert torch.equal(got, expected)
    assert all(map(torch.equal, args, given))
    return graph


def test_results_are_written_over_what_is_needed_no_more():
    def function(x):
        y = (x @ x).tanh() + 1
        return (y.where(x > 0, x).relu() * y,)

    assert operations(overwriting(function, torch.randn(3, 3))) == [
        *("aten.mm.default", "aten.tanh.out", "aten.add.out", "aten.gt.Scalar"),
        *("aten.where.self", "aten.relu_.default", "aten.mul.out"),
    ]


def test_parts_and_other_shapes_are_not_overwritten_while_the_whole_is_needed():
    def function(x):
        y, z = x * 2, x * 3
        return y.split(2)[0].relu(), y, torch.ops.aten._unsafe_view(z, [2, 8]).relu(), z

    overwriting(function, torch.randn(4, 4))


def test_leaky_relus_overwrite_their_arguments_though_gradients_are_taken():
    def function(x, w):
        return (torch.func.grad(lambda w: leaky_relu(leaky_relu(x @ w, 0.2) @ w, 0.1).sum())(w),)

    x, w = torch.randn(4, 3), torch.randn(3, 3)
    x[0] = torch.nan
    graph = trace(function, x, w)
    overwrite(graph)
    assert {"aten.leaky_relu.out", "aten.leaky_relu_backward.grad_input"} < set(operations(graph))
    assert "aten.leaky_relu.default" not in operations(graph)
    torch.testing.assert_close(graph(x, w), function(x, w), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("seed", range(25))
def test_any_program_with_views_and_writes_does_the_same_overwritten(seed):
    operations_ = {
        "add": lambda a, b: a + b,
        "divided": lambda a, b: a / (1 + b.abs()),
        "relu": lambda a, _: a.relu(),
        "leaky": lambda a, _: leaky_relu(a, 0.3),
        "turned": lambda a, _: a.T,
        "product": lambda a, b: (a @ b).tanh(),
        "reshaped": lambda a, _: (a * 2).T.reshape(2, 8).reshape(4, 4),
        "halves": lambda a, b: torch.cat([a.split(2)[1], b.split(2)[0]]),
        "half": lambda a, b: a.clone().index_copy(0, torch.tensor([1]), b[:1]),
        "moments": lambda a, b: torch.var_mean(a, 0)[0] + torch.var_mean(b, 1, keepdim=True)[1],
        "written": lambda a, b: (a + 0).mul_(b)[:2].add_(1).repeat(2, 1),
        "chosen": lambda a, b: torch.where(a > b, a, b.T),
    }
    generator = random.Random(seed)
    lines = [(generator.choice([*operations_]), generator.random(), generator.random()) for _ in range(30)]

    def function(x, y):
        values = [x, y]
        for name, i, j in lines:
            picked = (values[-1 - int(i * min(6, len(values)))], values[-1 - int(j * min(6, len(values)))])
            values.append(operations_[name](*picked))
        return values[-1], values[-2].T, values[len(values) // 2]

    graph = overwriting(function, torch.randn(4, 4), torch.randn(4, 4))
    assert any(name.endswith(("out", "_.Tensor", "_.default")) for name in operations(graph))


def test_a_trace_draws_new_random_numbers():
    graph = trace(lambda x: (x + torch.rand(3), x + torch.rand(3)), torch.zeros(3))
    first, second = graph(torch.zeros(3))
    assert not torch.equal(first, second) and not torch.equal(first, graph(torch.zeros(3))[0])


def test_a_function_is_traced_in_its_first_call_if_enough_are_left():
    for left, n_called in ((WORTH_CALLS, 2), (WORTH_CALLS - 1, 10)):
        calls = []
        doubled = traced(
            lambda x, calls=calls: calls.append(1) or x * 2,
            f"doubled {left}",
            "",
            calls_left=lambda n=left: n,
        )
        for i in range(10):
            assert torch.equal(doubled(torch.tensor([float(i)])), torch.tensor([2.0 * i]))
        assert len(calls) == n_called  # as it is, and the tracing


def test_a_function_that_depends_on_values_is_called_as_it_is(caplog):
    def function(x):
        return x * 2 if bool(x.sum() > 0) else x

    for is_compiled in (False, True):
        caplog.clear()
        eager = Traced(function, "branches", "", is_compiled)
        for value in (1.0, -1.0, 3.0):
            assert torch.equal(eager(torch.tensor([value])), function(torch.tensor([value])))
        (said,) = [record.getMessage() for record in caplog.records if "gansweep" in record.name]
        assert said.startswith("rounds cannot be traced, which makes them slower: ")
    with pytest.raises(RuntimeError):
        traced(function, "branches", "", at_once=True)(torch.ones(1))


def test_a_trace_that_gives_other_numbers_is_not_used(caplog):
    factors = iter([2.0, 3.0, 4.0, 5.0])
    changing = Traced(lambda x: x * next(factors), "changing", "")
    assert [changing(torch.ones(1)).item() for _ in range(3)] == [2.0, 4.0, 5.0]  # 3 was the tracing
    assert "a trace gives other numbers" in caplog.text


def test_a_trace_serves_functions_of_the_same_key_and_shapes():
    Traced(lambda x: x * 3, "tripled", "")(torch.ones(2))
    calls = []
    second = Traced(lambda x: calls.append(1) or x * 3, "tripled", "")
    assert torch.equal(second(torch.arange(2.0)), torch.tensor([0.0, 3.0])) and not calls
    for other in (torch.ones(3), torch.ones(2, dtype=torch.float64)):
        Traced(lambda x: calls.append(1) or x * 3, "tripled", "", calls_left=lambda: 1)(other)
    assert len(calls) == 2


def test_a_trace_of_one_pack_serves_the_next_which_has_other_rates_and_weights(digits):
    def trained(pack, rounds=2):
        for _ in range(rounds):
            pack.round()
        return [player.params_PN for player in pack.players.values()]

    trained(Pack(members(seed=7, d_dropout=0.5), digits, CPU, n_rounds=WORTH_CALLS))
    others = members(g_lr=1e-4, d_dropout=0.2)
    expected, served = (Pack(others, digits, CPU) for _ in range(2))
    for losses in expected._gradients.values():
        losses.key = "of its own"
    for got, wanted in zip(trained(served), trained(expected), strict=True):
        assert torch.equal(got, wanted)
    without = Pack(members(), digits, CPU)  # no dropout: other networks
    trained(without, 1)
    for pack, has_trace in ((served, True), (expected, False), (without, False)):
        assert all((losses.replay is not None) == has_trace for losses in pack._gradients.values())


def members(n=3, **changes):
    made = [
        make_member(
            VARIANTS["ns"],
            {"lr": 1e-3 * (i + 1), "beta1": 0.3 * i, "d_norm": "batch", "g_ema": 0.9},
            trial_id=str(i),
            dataset="digits",
            architecture="conv8",
            seed=i,
            batch_size=16,
        )
        for i in range(n)
    ]
    return [replace(member, **changes) for member in made]


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_a_pack_keeps_its_trace_until_half_of_its_members_have_left(digits):
    packs = [Pack(members(n=4), digits, CPU) for _ in range(2)]
    packs[0].trace()
    for keep, n_lanes in (([0, 2, 3], 4), ([2, 1], 2)):
        for pack in packs:
            for _ in range(2):
                terms = pack.round()
            before = pack._gradients
            pack.select(keep)
            assert (pack._gradients is before) == (n_lanes == 4) and len(pack.diverged) == n_lanes
            assert {len(value) for own in pack.round().values() for value in own.values()} == {len(keep)}
        assert [len(packs[0]), len(packs[0].generators()), len(packs[0].generator_weights())] == [
            len(keep)
        ] * 3
    assert {name: values.keys() for name, values in terms.items()} == {
        "discriminator": {"real", "fake"}, "generator": {"fake"}
    }  # fmt: skip
    assert [member.trial_id for member in packs[0].members] == ["3", "2"]
    for i in range(2):
        for name, player in packs[0].state(i)["players"].items():
            for key, value in player.items():
                assert torch.equal(value, packs[1].state(i)["players"][name][key])


@pytest.mark.parametrize("in_rows", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_moves_each_member_as_pytorchs_would(name, in_rows):
    torch.manual_seed(0)
    shapes, lr, beta1, beta2 = [(4, 3), (3,)], [1e-2, 1e-1], [0.0, 0.5], [0.999, 0.9]
    start = torch.randn(2, 15, dtype=torch.float64)
    ours = OPTIMIZERS[name](start.clone(), [12, 3], lr, beta1, beta2, in_rows=in_rows)
    plain = [[torch.nn.Parameter(part.clone()) for part in row.split([12, 3])] for row in start]
    make = {
        "adam": lambda i: torch.optim.Adam(plain[i], lr[i], (beta1[i], beta2[i])),
        "rmsprop": lambda i: torch.optim.RMSprop(plain[i], lr[i], alpha=0.9, eps=1e-10),
    }[name]
    optimizers = [make(0), make(1)]
    for _ in range(5):
        gradients = [torch.randn(2, *shape, dtype=torch.float64) for shape in shapes]
        ours.step([g.transpose(-1, -2).contiguous().transpose(-1, -2) for g in gradients])
        for i, optimizer in enumerate(optimizers):
            for parameter, gradient in zip(plain[i], gradients, strict=True):
                parameter.grad = gradient[i].flatten()
            optimizer.step()
    assert_close(ours.params_PN, torch.stack([torch.cat(list(row)).detach() for row in plain]))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch 2.11, of itself
def test_a_compiled_pack_does_the_same_but_for_rounding():
    ring = data.load("ring")
    some = [
        make_member(
            VARIANTS["wgan_gp"],
            {"lr": 1e-3, "beta1": 0.5, "d_norm": "none", "n_critic": 1, "penalty_weight": 1.0 + i},
            trial_id=str(i),
            dataset="ring",
            architecture="mlp",
            seed=i,
            batch_size=16,
        )
        for i in range(2)
    ]
    usual, compiled = (
        Pack([replace(member, compile=flag) for member in some], ring, CPU) for flag in (False, True)
    )
    for _ in range(3):
        expected, got = usual.round(), compiled.round()
        for player, terms in expected.items():
            for name, value in terms.items():
                assert_close(got[player][name], value, rtol=1e-3, atol=1e-5)
    assert torch.equal(expected["generator"]["fake"].isfinite(), torch.ones(2, dtype=torch.bool))


def test_a_precision_holds_for_the_rounds_of_a_pack_alone(digits):
    assert torch.get_float32_matmul_precision() == "highest"
    seen = []
    pack = Pack(members(precision="high"), digits, CPU)
    inner = pack._run_round
    pack._run_round = lambda draws: seen.append(torch.get_float32_matmul_precision()) or inner(draws)
    pack.round()
    assert seen == ["high"] and torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(ZeroDivisionError), matmul_precision("medium"):
        raise ZeroDivisionError
    assert torch.get_float32_matmul_precision() == "highest"


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match=r"unknown precision 'hihg'.*'high'"):
        Study(variants=("ns",), datasets=("digits",), trials=1, steps=10, precision="hihg")
