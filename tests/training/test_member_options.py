"""Options of training: each does what it says, for one member at a time, packed as in plain PyTorch."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from gansweep.contracts.eager import PlainTrainer
from gansweep.training.member import make_member, pack_key
from gansweep.training.pack import Pack
from gansweep.variants import VARIANTS

CPU = torch.device("cpu")
OPTIONS = [
    {"d_norm": "layer"},
    {"d_norm": "instance"},
    {"d_norm": "spectral"},
    {"d_dropout": 0.3},
    {"d_noise": 0.1},
    {"d_extra_layers": 2},
    {"output": "tanh"},
    {"g_ema": 0.5},
    {"conditional": "concat"},
    {"conditional": "projection"},
    {"d_norm": "spectral", "d_dropout": 0.2, "d_noise": 0.1, "conditional": "projection", "g_ema": 0.9},
]


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def images(images):
    labels = torch.arange(len(images.train)) % 4
    return replace(images, train_labels=labels, test_labels=labels)


def members(n=2, name="ns", **options):
    common = {"dataset": "random", "architecture": "conv8", "batch_size": 8}
    first = make_member(
        VARIANTS[name], {"lr": 1e-3, "beta1": 0.5, "d_norm": "none"}, trial_id="0", seed=0, **common
    )
    return [replace(first, trial_id=str(i), seed=i, d_lr=1e-3 * (i + 1), **options) for i in range(n)]


def trained(some, images, rounds=4):
    pack = Pack(some, images, CPU)
    for _ in range(rounds):
        terms = pack.round()
    return pack, terms


def samples(pack, labels=None):
    z = torch.rand(16, pack.z_dim, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return torch.cat(list(pack.samples(z, labels)), 1)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_pack_with_options_trains_like_plain_pytorch(options, images, double):
    some = members(**options)
    pack, terms = trained(some, images)
    for i, member in enumerate(some):
        eager = PlainTrainer(member, images, torch.float64)
        for _ in range(4):
            expected = eager.round()
        for player, losses in expected.items():
            for term, value in losses.items():
                assert_close(terms[player][term][i], value, rtol=1e-5, atol=1e-7)
        for key, value in eager.average.items():
            assert_close(pack._generators()[key][i], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_option_changes_what_is_learnt(options, images, double):
    labels = torch.arange(16) % 4
    plain, _ = trained(members(), images)
    other, _ = trained(members(**options), images)
    mine = samples(other, labels if "conditional" in options else None)
    assert (mine - samples(plain)).abs().max() > 1e-4


@pytest.mark.parametrize("options", [{"d_dropout": 0.3}, {"d_noise": 0.1}, {"g_ema": 0.5}], ids=str)
def test_a_float_option_is_each_members_own(options, images, double):
    """Members with and without it train in one pack, each as it would alone."""
    without, with_it = members()[0], members(**options)[1]
    assert pack_key(without) == pack_key(with_it)
    together, _ = trained([without, with_it], images)
    alone = [trained([member], images)[0] for member in (without, with_it)]
    for i in range(2):
        assert_close(samples(together)[i], samples(alone[i])[0], rtol=1e-6, atol=1e-8)


def test_a_float_option_does_not_depend_on_what_its_neighbours_have(images, double):
    """One with dropout trains beside one with noise and one with an average as it would alone."""
    some = [
        members(n=3, **options)[i]
        for i, options in enumerate(({"d_dropout": 0.3}, {"d_noise": 0.1}, {"g_ema": 0.5}))
    ]
    together, _ = trained(some, images)
    for i, member in enumerate(some):
        alone, _ = trained([member], images)
        assert_close(samples(together)[i], samples(alone)[0], rtol=1e-6, atol=1e-8)


def test_a_pack_is_formed_of_members_that_come_from_different_ones(images, double):
    plain, averaged = members()[0], members(g_ema=0.5)[1]
    states = [trained([member], images, rounds=2)[0].state(0) for member in (plain, averaged)]
    pack = Pack([plain, averaged], images, CPU)
    pack.restore(states)
    for _ in range(2):
        pack.round()
    for i, member in enumerate((plain, averaged)):
        whole, _ = trained([member], images)
        assert_close(samples(pack)[i], samples(whole)[0], rtol=1e-6, atol=1e-8)


def test_a_member_whose_optimiser_has_overflowed_has_diverged(images):
    pack, _ = trained(members(), images, rounds=1)
    pack.players["discriminator"].optimizer.state["exp_avg_sq"][1, 3] = torch.inf
    pack.round()
    assert pack.diverged.tolist() == [False, False] and pack.diverged_members() == [False, True]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_resumed_pack_goes_on_exactly(options, images):
    some = members(**options)
    whole, _ = trained(some, images)
    stopped, _ = trained(some, images, rounds=2)
    resumed = Pack(some, images, CPU)
    resumed.restore([stopped.state(i) for i in range(len(stopped))])
    for _ in range(2):
        resumed.round()
    labels = torch.arange(16) % 4 if "conditional" in options else None
    assert torch.equal(samples(resumed, labels), samples(whole, labels))


def test_the_average_is_that_of_the_weights_after_each_round(images, double):
    (member,) = members(n=1, g_ema=0.8)
    pack, averages = Pack([member], images, CPU), []
    expected = pack.players["generator"].params_PN.clone()
    for _ in range(5):
        pack.round()
        expected = 0.8 * expected + 0.2 * pack.players["generator"].params_PN
        averages.append(pack.players["generator"].average.params_PN)
    assert_close(averages[-1], expected)
    trained_without, _ = trained(members(n=1), images, rounds=5)
    assert_close(pack.players["generator"].params_PN, trained_without.players["generator"].params_PN)


def test_two_time_scales_move_each_player_at_its_own_rate(images, double):
    """Adam's first step is the learning rate, whatever the gradient."""
    (member,) = members(n=1)
    pack = Pack([replace(member, g_lr=1e-4, d_lr=4e-4)], images, CPU)
    before = {name: player.params_PN.clone() for name, player in pack.players.items()}
    pack.round()
    for name, rate in (("generator", 1e-4), ("discriminator", 4e-4)):
        moved = (pack.players[name].params_PN - before[name]).abs()
        assert_close(moved.median().item(), rate, rtol=1e-3, atol=0)


def test_k_discriminator_steps_are_k_updates_of_d_and_one_of_g(images):
    pack, _ = trained([replace(member, n_critic=3) for member in members()], images, rounds=2)
    assert pack.players["discriminator"].optimizer.state["step"].tolist() == [6, 6]
    assert pack.players["generator"].optimizer.state["step"].tolist() == [2, 2]


def test_a_spectrally_normalised_d_is_normalised_by_iterations_while_it_trains(images, double):
    """One iteration for each update finds the norm of weights that have gone far and now go slowly."""
    pack, _ = trained(
        [replace(member, d_lr=1e-3) for member in members(d_norm="spectral")], images, rounds=20
    )
    pack.players["discriminator"].optimizer.lr = [1e-7, 1e-7]
    for _ in range(80):
        pack.round()
    views, vectors = pack.players["discriminator"].views["D"], pack.singular.buffers["D"]
    for key in [key for key in vectors if key.endswith(".u")]:
        layer = key.removesuffix(".u")
        weight = views[f"{layer}.weight"]
        sigma = torch.einsum("pi,pio,po->p", vectors[key], weight, vectors[f"{layer}.v"])
        assert_close(sigma, torch.linalg.matrix_norm(weight, 2), rtol=0.02, atol=0)


@pytest.mark.parametrize("conditional", ["concat", "projection"])
def test_a_conditional_generator_learns_its_labels(conditional, images):
    """Classes lie apart on a line, so samples must follow the label asked for."""
    noise = torch.randn(64, 1, generator=torch.Generator().manual_seed(1))
    line = images.train_labels.unsqueeze(1) - 1.5 + 0.1 * noise
    data = replace(images, kind="vector", train=line, test=line)
    (member,) = members(n=1, conditional=conditional)
    pack, _ = trained(
        [replace(member, architecture="mlp", g_lr=2e-3, d_lr=2e-3, batch_size=32, g_ema=0.98)],
        data,
        rounds=300,
    )
    labels = torch.arange(16) % 4
    made = samples(pack, labels)[0].squeeze(1)
    means = torch.stack([made[labels == label].mean() for label in range(4)])
    assert_close(means, torch.arange(4) - 1.5, rtol=0, atol=0.3)
