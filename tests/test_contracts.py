"""What every variant in the table must keep: a new one gets all of these tests by being there."""

import math
from dataclasses import replace

import pytest
import torch
from eager import Eager
from torch.testing import assert_close

from gansweep.report.style import HUES
from gansweep.space import Uniform
from gansweep.training import pack as pack_module
from gansweep.training.member import make_member, pack_key, searchable
from gansweep.training.pack import Pack
from gansweep.variants import VARIANTS
from gansweep.variants.base import float_fields

CPU = torch.device("cpu")
N_ROUNDS = 4


@pytest.fixture(params=list(VARIANTS))
def name(request) -> str:
    return request.param


@pytest.fixture
def double(monkeypatch):
    """Train in float64, where only a mistake can make two ways of computing differ."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def own_floats(published):
    """The floats of the objective itself that a configuration may set."""
    return [field for field in float_fields(published.variant) if field in searchable(published)]


def members_of(name, n=3, n_critic=2, d_batchnorm=True, optimizer="adam"):
    """Members that differ in all that may differ."""
    published = VARIANTS[name]
    members = []
    for i in range(n):
        hp = {
            "g_lr": 1e-3 * (i + 1),
            "d_lr": 2e-3 * (i + 1),
            "beta1": 0.1 * (i + 1),
            "beta2": 0.99 + 0.001 * i,
        }
        hp |= {"d_batchnorm": d_batchnorm}
        if "n_critic" in searchable(published):
            hp["n_critic"] = n_critic
        for field in own_floats(published):
            space = published.wide.get(field, Uniform(0.2, 0.8))
            hp[field] = space.low + (space.high - space.low) * (i + n) / (2 * n)
        common = {"dataset": "random", "architecture": "conv8", "batch_size": 8, "optimizer": optimizer}
        members.append(make_member(published, hp, trial_id=str(i), seed=i, **common))
    return members


def trained(members, images, rounds=N_ROUNDS):
    pack = Pack(members, images, CPU)
    for _ in range(rounds):
        terms = pack.round()
    return pack, terms


def parameters(pack, i):
    """The parameters of member i by name, without those that `effective` leaves out."""
    return effective(
        {
            f"{net}.{key}": value[i]
            for player in pack.players.values()
            for net, views in player.views.items()
            for key, value in views.items()
        }
    )


def start(members, images, i):
    """The parameters of member i before its first step."""
    return parameters(Pack(members, images, CPU), i)


def assert_same_way(a, b, origin, tolerance):
    """Two trainings end at the same point, as measured by the way from where they began.

    Both optimisers divide by the size of the gradient: where that is near zero, rounding decides the way
    of a whole step, so single weights cannot be compared with a fixed bound.
    """

    def distance(a, b):
        assert list(a) == list(b)
        return math.sqrt(sum(float((a[name] - b[name]).square().sum()) for name in a))

    assert distance(a, origin) > 0
    assert distance(a, b) <= tolerance * distance(a, origin)


def effective(named):
    """Without the biases of layers that feed a batch norm: it subtracts them again, so their gradient is zero
    but for rounding, and an optimiser that divides by the size of the gradient makes moves of pure noise."""
    feeds = {"dense1": "norm", "dense2": "up.norm1", "up.deconv1": "up.norm2"}
    autoencoder = any(name.startswith("D.up") for name in named)
    kept = {}
    for name, value in named.items():
        net, layer = name.split(".", 1)
        layer = layer.removesuffix(".bias")
        if net == "G" or (net == "D" and autoencoder):
            norm = feeds.get(layer)
        else:
            norm = {"conv2": "norm1", "dense1": "norm2"}.get(layer)
        if not (name.endswith(".bias") and f"{net}.{norm}.weight" in named):
            kept[name] = value
    return kept


@pytest.mark.parametrize("d_batchnorm", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_pack_trains_like_plain_pytorch(name, images, double, d_batchnorm, optimizer):
    members = members_of(name, d_batchnorm=d_batchnorm, optimizer=optimizer)
    pack, terms = trained(members, images)
    for i, member in enumerate(members):
        eager = Eager(member, images, torch.float64)
        for _ in range(N_ROUNDS):
            expected = eager.round()
        assert_same_way(effective(eager.parameters()), parameters(pack, i), start(members, images, i), 1e-5)
        for player, losses in expected.items():
            for term, value in losses.items():
                assert_close(terms[player][term][i], value, rtol=1e-5, atol=1e-7)
        for field, value in pack.scalars.items():
            assert_close(value[i], torch.as_tensor(getattr(eager.variant, field)), rtol=1e-7, atol=1e-9)


def test_a_pack_trains_like_plain_pytorch_in_single_precision(name, images):
    members = members_of(name, d_batchnorm=False)
    pack, terms = trained(members, images, rounds=1)
    for i, member in enumerate(members):
        eager = Eager(member, images)
        expected = eager.round()
        assert_same_way(effective(eager.parameters()), parameters(pack, i), start(members, images, i), 0.02)
        for player, losses in expected.items():
            for term, value in losses.items():
                assert_close(terms[player][term][i], value, rtol=1e-3, atol=1e-4)


def test_a_member_does_not_depend_on_its_pack(name, images, double):
    members = members_of(name, n=4)
    alone, _ = trained(members[1:2], images)
    for others in (members, members[::-1], members[1:3]):
        pack, _ = trained(others, images)
        slot = others.index(members[1])
        assert_same_way(parameters(alone, 0), parameters(pack, slot), start(members, images, 1), 1e-5)
        z = torch.rand(16, pack_module.ARCHITECTURES["conv8"].z_dim)
        assert_close(next(pack.samples(z))[slot], next(alone.samples(z))[0], rtol=1e-5, atol=1e-7)


def test_every_float_acts_on_its_own_member_only(name, images, double):
    members = members_of(name, n=2)
    before, _ = trained(members, images)
    first, own = members[0], own_floats(VARIANTS[name])
    for field in ["g_lr", "beta1", "beta2", *own]:
        owner = first.variant if field in own else first
        owner = replace(owner, **{field: getattr(owner, field) / 2})
        changed = replace(first, variant=owner) if field in own else owner
        assert pack_key(changed) == pack_key(first)
        after, _ = trained([changed, members[1]], images)
        assert_close(parameters(after, 1), parameters(before, 1), rtol=0, atol=1e-12)
        moved = [
            not torch.equal(a, b)
            for a, b in zip(parameters(after, 0).values(), parameters(before, 0).values(), strict=True)
        ]
        assert any(moved), f"{field} has no effect"


def test_a_diverged_member_leaves_its_neighbours_as_they_were(name, images, double):
    members = members_of(name)
    healthy, _ = trained(members, images)
    pack = Pack(members, images, CPU)
    for player in pack.players.values():
        player.params_PN[1] = torch.nan
    for _ in range(N_ROUNDS):
        pack.round()
    assert pack.diverged.tolist() == [False, True, False]
    for i in (0, 2):
        assert_close(parameters(pack, i), parameters(healthy, i), rtol=0, atol=1e-12)


def test_a_pack_goes_on_without_a_member(name, images, double):
    members = members_of(name)
    pack, _ = trained(members, images, rounds=2)
    pack.select([0, 2])
    for _ in range(N_ROUNDS - 2):
        pack.round()
    undisturbed, _ = trained(members, images)
    for slot, i in enumerate((0, 2)):
        assert_same_way(parameters(undisturbed, i), parameters(pack, slot), start(members, images, i), 1e-5)


def test_a_pack_resumed_from_its_checkpoint_goes_on_as_if_never_stopped(name, images, tmp_path):
    members = members_of(name)
    pack, _ = trained(members, images, rounds=N_ROUNDS)
    stopped, _ = trained(members, images, rounds=2)
    torch.save([stopped.state(i) for i in range(len(stopped))], tmp_path / "state.pt")
    resumed = Pack(members, images, CPU)
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in range(N_ROUNDS - 2):
        resumed.round()
    for i in range(len(members)):
        assert_close(parameters(resumed, i), parameters(pack, i), rtol=0, atol=0)


def test_terms_are_named_finite_scalars(name, images):
    _, terms = trained(members_of(name), images, rounds=1)
    assert list(terms) == list(VARIANTS[name].variant.players)
    for losses in terms.values():
        assert losses
        for term, value in losses.items():
            assert term.isidentifier()
            assert value.shape == (3,) and value.isfinite().all()


def test_samples_do_not_depend_on_the_chunk(name, images, double, monkeypatch):
    pack, _ = trained(members_of(name), images)
    z = torch.rand(32, pack_module.ARCHITECTURES["conv8"].z_dim)
    whole = torch.cat(list(pack.samples(z)), 1)
    parts = torch.cat([torch.cat(list(pack.samples(part)), 1) for part in z.split(5)], 1)
    assert whole.shape == (3, 32, 1, 8, 8)
    assert_close(parts, whole, rtol=1e-9, atol=1e-12)
    assert whole.min() >= 0 and whole.max() <= 1


def test_source_and_deviations_are_stated(name):
    published = VARIANTS[name]
    assert "arXiv:" in published.source
    assert published.deviations and all(text.rstrip().endswith((".", ")")) for text in published.deviations)


def test_default_and_spaces_are_hyperparameters_of_the_variant(name):
    published = VARIANTS[name]
    for names in (published.default, published.wide, published.narrow):
        assert set(names) <= searchable(published)
    assert set(published.default) == set(published.wide) == set(published.narrow)


def test_looks_are_unique():
    looks = [(published.hue, published.filled) for published in VARIANTS.values()]
    assert len(set(looks)) == len(looks)
    assert {hue for hue, _ in looks} <= set(HUES)
    labels = [published.label for published in VARIANTS.values()]
    assert len(set(labels)) == len(labels)
