"""The deep architectures: equal to the same networks written with torch.nn, fit for packs and penalties."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import avg_pool2d, interpolate
from torch.testing import assert_close

from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.layers.batchnorm import BatchNorm
from gansweep.networks.layers.weighted import Conv, Conv3x3, Deconv, Linear, MatrixLayer
from gansweep.networks.options import Binding, NetworkOptions

DEEP = ("dcgan", "sndcgan", "resnet")
# Trainable parameters of the generator and the discriminator for three channels.
COUNTS = {
    ("dcgan", 32): (1_073_219, 662_977),
    ("dcgan", 64): (3_585_347, 2_764_737),
    ("sndcgan", 32): (3_813_379, 2_935_873),
    ("sndcgan", 64): (6_983_683, 2_960_449),
    ("resnet", 32): (368_771, 264_769),
    ("resnet", 64): (447_043, 342_785),
}


class ToImage(nn.Module):
    """[B, side * side * C] -> [B, C, side, side], channels varying fastest."""

    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        return x.view(len(x), self.side, self.side, -1).permute(0, 3, 1, 2)


class ToVector(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def grown(n_inputs, side, widths):
    """A dense layer and transposed convolutions, each with batch norm and ReLU."""
    layers = [nn.Linear(n_inputs, side**2 * widths[0]), ToImage(side), *normed(widths[0])]
    for i, o in pairwise(widths):
        layers += [nn.ConvTranspose2d(i, o, 4, 2, 1), *normed(o)]
    return layers


def normed(channels):
    return nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU()


def dcgan(c, z_dim, channels, side):
    widths = [c, 2 * c, 4 * c, 8 * c][: 3 if side == 32 else 4]
    last = nn.ConvTranspose2d(c, channels, 4, 2, 1)
    G = nn.Sequential(*grown(z_dim, 4, widths[::-1]), last, nn.Sigmoid())
    layers = []
    for i, o in zip([channels, *widths], widths, strict=False):
        layers += [nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.2)]
    return G, nn.Sequential(*layers, ToVector(), nn.Linear(16 * widths[-1], 1))


def sndcgan(c, z_dim, channels, side):
    last = nn.Conv2d(c, channels, 3, 1, 1)
    G = nn.Sequential(*grown(z_dim, side // 8, [8 * c, 4 * c, 2 * c, c]), last, nn.Sigmoid())
    layers, i = [], channels
    for width in (c, 2 * c, 4 * c):
        layers += [nn.Conv2d(i, width, 3, 1, 1), nn.LeakyReLU(0.1)]
        layers += [nn.Conv2d(width, width, 4, 2, 1), nn.LeakyReLU(0.1)]
        i = width
    layers += [nn.Conv2d(i, 8 * c, 3, 1, 1), nn.LeakyReLU(0.1), ToVector()]
    return G, nn.Sequential(*layers, nn.Linear((side // 8) ** 2 * 8 * c, 1))


class UpBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(c, eps=1e-3), nn.Conv2d(c, c, 3, 1, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(c, eps=1e-3), nn.Conv2d(c, c, 3, 1, 1)
        self.shortcut = nn.Conv2d(c, c, 1)

    def forward(self, x):
        y = self.conv1(interpolate(self.norm1(x).relu(), scale_factor=2))
        return self.conv2(self.norm2(y).relu()) + self.shortcut(interpolate(x, scale_factor=2))


class DownBlock(nn.Module):
    def __init__(self, i, c, first=False, down=True):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(i, c, 3, 1, 1), nn.Conv2d(c, c, 3, 1, 1)
        self.shortcut = nn.Conv2d(i, c, 1) if down else nn.Identity()
        self.first, self.down = first, down

    def forward(self, x):
        y = self.conv2(self.conv1(x if self.first else x.relu()).relu()) + self.shortcut(x)
        return avg_pool2d(y, 2) if self.down else y


class SumOfPixels(nn.Module):
    def forward(self, x):
        return x.relu().sum((2, 3))


def resnet(c, z_dim, channels, side):
    ups, downs = (3, 2) if side == 32 else (4, 3)
    dense = [nn.Linear(z_dim, 16 * c), ToImage(4)]
    end = [*normed(c), nn.Conv2d(c, channels, 3, 1, 1), nn.Sigmoid()]
    G = nn.Sequential(*dense, *(UpBlock(c) for _ in range(ups)), *end)
    blocks = [DownBlock(channels, c, first=True), *(DownBlock(c, c) for _ in range(downs - 1))]
    blocks += [DownBlock(c, c, down=False) for _ in range(2)]
    return G, nn.Sequential(*blocks, SumOfPixels(), nn.Linear(c, 1))


TWINS = {"dcgan": dcgan, "sndcgan": sndcgan, "resnet": resnet}


def as_torch(layer, weight):
    """A weight in the layout of torch.nn; 1x1 convolutions as a matrix."""
    o = weight.shape[1] // 16 if isinstance(layer, Deconv) else weight.shape[1]
    if isinstance(layer, Conv):
        return weight.view(2, 2, 2, 2, -1, o).permute(5, 4, 0, 2, 1, 3).reshape(o, -1, 4, 4)
    if isinstance(layer, Conv3x3):
        return weight.view(3, 3, -1, o).permute(3, 2, 0, 1)
    if isinstance(layer, Deconv):
        return weight.view(-1, 2, 2, 2, 2, o).permute(0, 5, 1, 3, 2, 4).reshape(-1, o, 4, 4)
    return weight.T


def pairs(net, twin):
    """The layers with weights, ours beside the twin's."""
    ours = [m for m in net.modules() if isinstance(m, MatrixLayer | BatchNorm)]
    theirs = [m for m in twin.modules() if hasattr(m, "weight")]
    return list(zip(ours, theirs, strict=True))


@pytest.fixture(params=DEEP)
def small(request, monkeypatch):
    """The name of an architecture with few features, in float64."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    changed = replace(ARCHITECTURES[request.param], features=(4,), z_dim=6)
    monkeypatch.setitem(ARCHITECTURES, request.param, changed)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("name", "side"), COUNTS)
def test_parameter_counts_are_those_stated(name, side):
    roles = {"G": "generator", "D": "discriminator"}
    nets = build(roles, name, (3, side, side), NetworkOptions(), seed=0)
    with torch.device("meta"):
        twins = TWINS[name](64, ARCHITECTURES[name].z_dim, 3, side)
    for net, twin, count in zip((nets["G"], nets["D"]), twins, COUNTS[name, side], strict=True):
        assert sum(p.numel() for p in net.parameters()) == count
        assert sum(p.numel() for p in twin.parameters()) == count


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_networks_are_those_of_torch_nn_with_the_same_weights(small, side, role):
    net = build({"N": role}, small, (3, side, side), NetworkOptions(), seed=0)["N"]
    twin = TWINS[small](4, 6, 3, side)[role == "discriminator"]
    for ours, theirs in pairs(net, twin):
        if isinstance(ours, MatrixLayer):
            theirs.weight.data = as_torch(ours, ours.weight.detach()).reshape(theirs.weight.shape)
            theirs.bias.data = ours.bias.detach().normal_().clone()
    x = (torch.rand(3, 6) if role == "generator" else torch.rand(3, 3, side, side)).requires_grad_()
    outputs = net(x), twin(x).squeeze(1)
    assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    for ours, theirs in pairs(net, twin):
        gradient = ours.weight.grad
        if isinstance(ours, MatrixLayer):
            gradient = as_torch(ours, gradient).reshape(theirs.weight.shape)
        assert_close(gradient, theirs.weight.grad)
        assert_close(ours.bias.grad, theirs.bias.grad, atol=1e-8, rtol=1e-6)


def penalty(net, x, binding):
    """The square of the slope of a function of the outputs at each sample."""
    return grad(lambda x: net(x, binding).square().sum())(x).square().sum()


@pytest.mark.parametrize("role", ["discriminator", "auxiliary", "autoencoder", "encoder", "generator"])
@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(
            d_norm="layer", d_dropout=0.5, d_noise=0.1, d_extra_layers=1, output="tanh", n_classes=3
        ),
        NetworkOptions(d_norm="spectral", conditional="concat", n_classes=3),
    ],
    ids=["layer", "spectral"],
)
def test_slopes_and_their_gradients_of_a_pack_are_those_of_its_members(small, role, options):
    nets = [build({"N": role}, small, (1, 32, 32), options, seed)["N"] for seed in (1, 2)]
    x = torch.rand(2, 2, 6) if role in ("generator", "decoder") else torch.rand(2, 2, 1, 32, 32)
    binding = Binding(
        torch.tensor([[0, 2], [1, 1]]), torch.tensor([5, 6]), *torch.tensor([[0.1, 0.4], [0.2, 0.3]])
    )
    states = [net.state_dict() for net in nets]
    state = {name: torch.stack([s[name] for s in states]) for name in states[0]}
    params = {name: state.pop(name).requires_grad_() for name, _ in nets[0].named_parameters()}

    def member(params, state, x, binding):
        return penalty(lambda x, b: functional_call(nets[0], {**params, **state}, (x, b)), x, binding)

    slopes = vmap(member)(params, state, x, binding)
    gradients = torch.autograd.grad(slopes.sum(), list(params.values()), materialize_grads=True)
    for i, net in enumerate(nets):
        slope = penalty(net, x[i], Binding(*(part[i] for part in binding)))
        assert_close(slopes[i], slope)
        alone = torch.autograd.grad(slope, list(net.parameters()), materialize_grads=True)
        assert_close([g[i] for g in gradients], list(alone), rtol=1e-6, atol=1e-9 * slope.item())


def test_extra_layers_are_3x3_convolutions_at_the_last_resolution(small):
    nets = [
        build({"D": "discriminator"}, small, (1, 32, 32), NetworkOptions(d_extra_layers=n), 0)["D"]
        for n in (0, 2)
    ]
    fewer, more = ([type(m) for m in net.modules() if isinstance(m, MatrixLayer)] for net in nets)
    assert more == [*fewer[:-1], Conv3x3, Conv3x3, Linear]
    width = {"dcgan": 16, "sndcgan": 32, "resnet": 4}[small]
    counts = [sum(p.numel() for p in net.parameters()) for net in nets]
    assert counts[1] - counts[0] == 2 * (9 * width * width + width)
