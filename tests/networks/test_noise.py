"""Randomness inside networks: numbers that depend on a key alone, dropout and noise made of them."""

import pytest
import scipy.stats
import torch
from torch.func import functional_call, vmap
from torch.testing import assert_close

from gansweep.networks import build
from gansweep.networks.layers.blocks import Dropout
from gansweep.networks.layers.keyed_random import fold_in, normal, uniform
from gansweep.networks.options import Binding, NetworkOptions
from gansweep.networks.roles import Noise

KEYS = torch.tensor([3, 4, 2**61 + 5, 0])
SHAPE = torch.Size([40_000])


def key(number):
    return torch.tensor(number)


@pytest.mark.parametrize("number", KEYS.tolist())
def test_numbers_have_their_distribution(number):
    u, n = uniform(key(number), SHAPE, torch.float64), normal(key(number), SHAPE, torch.float64)
    assert scipy.stats.kstest(u.numpy(), "uniform").pvalue > 0.001
    assert scipy.stats.kstest(n.numpy(), "norm").pvalue > 0.001
    assert u.min() >= 0 and u.max() < 1
    assert n.isfinite().all()


def test_neighbouring_numbers_are_independent():
    u = uniform(key(7), SHAPE, torch.float64)
    counts = torch.histogramdd(torch.stack([u[:-1:2], u[1::2]], 1), bins=[10, 10], range=[0.0, 1, 0, 1])[0]
    assert scipy.stats.chisquare(counts.flatten().numpy()).pvalue > 0.001


def test_keys_and_streams_give_independent_numbers():
    # Consecutive keys are those of consecutive calls; streams those of the layers of a network.
    rows = [uniform(fold_in(key(k), s), SHAPE, torch.float64) for k in (10, 11, 12) for s in (0, 1, 2)]
    correlations = torch.corrcoef(torch.stack(rows)) - torch.eye(9, dtype=torch.float64)
    assert correlations.abs().max() < 4.5 / SHAPE.numel() ** 0.5
    words = torch.stack([fold_in(key(k), s) for k in range(100) for s in range(100)])
    assert len(words.unique()) == 10_000


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_of_a_pack_are_bitwise_those_of_its_members(draw, dtype):
    shape = torch.Size([5, 7, 3])
    packed = vmap(lambda k: draw(fold_in(k, 2), shape, dtype))(KEYS)
    for i, k in enumerate(KEYS):
        assert torch.equal(packed[i], draw(fold_in(k, 2), shape, dtype))


def test_both_precisions_draw_the_same():
    assert torch.equal(uniform(key(1), SHAPE, torch.float32).double(), uniform(key(1), SHAPE, torch.float64))


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = torch.full((200, 500), 3.0)
    y = Dropout()(x, Binding(key=key(5), dropout=torch.tensor(0.3)))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert y.mean().item() == pytest.approx(3.0, abs=0.03)
    assert_close(y[y != 0], torch.full_like(y[y != 0], 3 / 0.7))


def test_no_dropout_and_no_noise_are_exactly_the_identity():
    x = torch.randn(50, 60)
    zero = torch.tensor(0.0)
    for binding in (
        Binding(key=key(5), dropout=zero, noise=zero),
        Binding(dropout=zero + 0.5, noise=zero + 1),
    ):
        assert torch.equal(Dropout()(x, binding), x)
        assert torch.equal(Noise()(x, binding), x)


def test_noise_has_the_standard_deviation_of_its_member():
    x = torch.zeros(3, 100, 200)
    sds = torch.tensor([0.1, 0.5, 2.0])
    y = vmap(lambda x, k, sd: Noise()(x, Binding(key=k, noise=sd)))(x, KEYS[:3], sds)
    assert_close(y.flatten(1).std(1), sds, rtol=0.02, atol=0)
    assert_close(y.flatten(1).mean(1), torch.zeros(3), rtol=0, atol=0.05)


OPTIONS = NetworkOptions(d_dropout=0.5, d_noise=0.2, d_extra_layers=1)


@pytest.mark.parametrize(("architecture", "shape"), [("conv8", (1, 8, 8)), ("mlp", (2,))])
def test_random_layers_change_no_weight_and_nothing_without_a_key(architecture, shape):
    roles = {"D": "discriminator"}
    plain = build(roles, architecture, shape, NetworkOptions(d_extra_layers=1), seed=1)["D"]
    random = build(roles, architecture, shape, OPTIONS, seed=1)["D"]
    assert_close(random.state_dict(), plain.state_dict(), rtol=0, atol=0)
    x = torch.rand(4, *shape)
    assert torch.equal(random(x), plain(x))
    bound = Binding(key=key(1), dropout=torch.tensor(0.5), noise=torch.tensor(0.2))
    assert not torch.equal(random(x, bound), plain(x))
    assert torch.equal(random(x, bound), random(x, bound))
    assert not torch.equal(random(x, bound), random(x, bound._replace(key=key(2))))


def test_every_random_layer_of_a_network_has_a_stream_of_its_own():
    net = build({"D": "autoencoder"}, "conv8", (1, 8, 8), OPTIONS, seed=1)["D"]
    streams = [layer.stream for layer in net.modules() if isinstance(layer, Dropout | Noise)]
    assert sorted(streams) == list(range(4))  # noise, the first convolution, the extra layer, the code


def test_random_networks_in_a_pack_are_those_of_its_members():
    torch.set_default_dtype(torch.float64)
    nets = [build({"D": "discriminator"}, "conv8", (1, 8, 8), OPTIONS, seed)["D"] for seed in (1, 2)]
    x, p, sd = torch.rand(2, 4, 1, 8, 8), torch.tensor([0.2, 0.6]), torch.tensor([0.0, 0.3])
    params = {
        name: torch.stack([dict(net.named_parameters())[name] for net in nets])
        for name in nets[0].state_dict()
    }

    def call(params, x, k, p, sd):
        return functional_call(nets[0], params, (x, Binding(key=k, dropout=p, noise=sd)))

    packed = vmap(call)(params, x, KEYS[:2], p, sd)
    torch.set_default_dtype(torch.float32)
    for i, net in enumerate(nets):
        assert_close(packed[i], net(x[i], Binding(key=KEYS[i], dropout=p[i], noise=sd[i])))
