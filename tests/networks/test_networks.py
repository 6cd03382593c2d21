"""The networks: parameter counts as published, seeds, shapes for every role, options, what does not fit."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.networks import ARCHITECTURES, architecture_for, build, check_fits
from gansweep.networks.layers.weighted import MatrixLayer
from gansweep.networks.options import NORMS, Binding, NetworkOptions

SHAPES = {28: (1, 28, 28), 32: (3, 32, 32), 64: (3, 64, 64)}
# Trainable parameters for sides 28, 32 and 64: those of the layer list in the released code of Lucic et al.
GENERATOR = {28: 6_642_241, 32: 8_616_131, 64: 33_855_683}
OTHERS = {
    ("discriminator", "none"): {28: 6_556_865, 32: 8_524_993, 64: 33_690_817},
    ("discriminator", "batch"): {28: 6_559_169, 32: 8_527_297, 64: 33_693_121},
    ("autoencoder", "none"): {28: 1_073_601, 32: 1_325_379, 64: 4_495_683},
    ("autoencoder", "batch"): {28: 1_086_401, 32: 1_342_019, 64: 4_561_475},
    ("encoder", "none"): {28: 6_687_040, 32: 8_655_168, 64: 33_820_992},
    ("encoder", "batch"): {28: 6_689_344, 32: 8_657_472, 64: 33_823_296},
}
PLAIN = NetworkOptions()
ROLES = ("generator", "decoder", "discriminator", "auxiliary", "autoencoder", "encoder")
SMALL = {"conv8": (1, 8, 8), "mlp": (2,), "gaussian": (1,)}


def network(role, architecture, shape, options=PLAIN, seed=0):
    return build({"N": role}, architecture, shape, options, seed)["N"]


def n_parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("side", SHAPES)
@pytest.mark.parametrize(("role", "d_norm"), OTHERS)
def test_parameter_counts_are_those_of_the_paper(side, role, d_norm):
    net = network(role, "infogan", SHAPES[side], NetworkOptions(d_norm=d_norm))
    assert n_parameters(net) == OTHERS[role, d_norm][side]


@pytest.mark.parametrize("side", SHAPES)
def test_all_generators_have_the_size_of_the_papers(side):
    for role in ("generator", "decoder"):
        assert n_parameters(network(role, "infogan", SHAPES[side])) == GENERATOR[side]


def test_initial_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    a, again, other = (network("generator", "conv8", (1, 8, 8), seed=seed).state_dict() for seed in (3, 3, 4))
    assert_close(a, again, rtol=0, atol=0)
    weights = [name for name, value in a.items() if name.endswith("weight") and value.dim() == 2]
    assert weights
    assert not any(torch.equal(a[name], other[name]) for name in weights)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("d_norm", NORMS)
@pytest.mark.parametrize("role", ["discriminator", "autoencoder"])
def test_initial_weights_do_not_depend_on_the_norm(role, d_norm):
    def weights(d_norm):
        net = network(role, "conv8", (1, 8, 8), NetworkOptions(d_norm=d_norm))
        return [layer.weight for layer in net.modules() if isinstance(layer, MatrixLayer)]

    assert_close(weights(d_norm), weights("none"), rtol=0, atol=0)


def test_published_initialisation():
    G, D = (network(role, "infogan", (1, 28, 28)) for role in ("generator", "discriminator"))
    for net in (G, D):
        weights = torch.cat([p.flatten() for p in net.parameters() if p.dim() == 2])
        assert_close(weights.std().item(), 0.02, rtol=0.01, atol=0)
        assert all(not p.any() for name, p in net.named_parameters() if name.endswith("bias"))
    conv2 = next(p for p in D.parameters() if p.shape == (16 * 64, 128))
    assert conv2.abs().max() <= 0.04


@pytest.mark.parametrize("d_norm", NORMS)
@pytest.mark.parametrize(
    ("architecture", "role"),
    [(a, r) for a in SMALL for r in ROLES if (a, r) != ("gaussian", "auxiliary")],
)
def test_shapes_of_every_network(architecture, role, d_norm):
    shape, n_classes = SMALL[architecture], 0 if architecture == "gaussian" else 3
    options = NetworkOptions(d_norm=d_norm, n_classes=n_classes, d_extra_layers=1)
    binding = Binding(y=torch.tensor([0, 1, 2, 0]))
    z_dim = ARCHITECTURES[architecture].z_dim
    expected = {"discriminator": (4,), "auxiliary": (4, 4), "encoder": (4, 2 * z_dim)}
    net = network(role, architecture, shape, options)
    inputs = torch.rand(4, z_dim) if role in ("generator", "decoder") else torch.rand(4, *shape)
    assert net(inputs, binding).shape == expected.get(role, (4, *shape))


@pytest.mark.parametrize(("architecture", "unit"), [("conv8", 128), ("mlp", 128)])
def test_extra_layers_are_dense_layers_before_the_last(architecture, unit):
    counts = [
        n_parameters(
            network("discriminator", architecture, SMALL[architecture], NetworkOptions(d_extra_layers=n))
        )
        for n in range(3)
    ]
    assert counts[1] - counts[0] == counts[2] - counts[1] == unit * unit + unit


def test_the_tanh_output_is_seen_by_its_networks_alone():
    # tanh(a) mapped to [0, 1] is sigmoid(2 a), and D sees its images in [-1, 1].
    z, x = torch.rand(4, 16), torch.rand(4, 1, 8, 8)
    nets = {
        o: [network(r, "conv8", (1, 8, 8), NetworkOptions(output=o)) for r in ROLES[1:3]]
        for o in ("tanh", "sigmoid")
    }
    raw = nets["sigmoid"][0](z).logit()
    assert_close(nets["tanh"][0](z), (2 * raw).sigmoid())
    assert_close(nets["tanh"][1](x), nets["sigmoid"][1](2 * x - 1))


def test_vectors_have_no_bounded_output():
    x, z = torch.rand(4, 2), torch.rand(4, 2)
    for role, inputs in (("generator", z), ("discriminator", x), ("autoencoder", x)):
        a, b = (network(role, "mlp", (2,), NetworkOptions(output=output)) for output in ("tanh", "sigmoid"))
        assert torch.equal(a(inputs), b(inputs))


def test_the_gaussian_generator_starts_standard_normal_and_has_two_parameters():
    net = network("generator", "gaussian", (1,))
    z = torch.randn(8, 1)
    assert n_parameters(net) == 2
    assert torch.equal(net(z), z)
    with torch.no_grad():
        net.body.mean.fill_(3.0)
        net.body.sd.fill_(2.0)
    assert_close(net(z), 3 + 2 * z)


def test_the_gaussian_critic_is_that_of_f_gan():
    # Nowozin et al. (2016): two hidden layers of 64 units and tanh.
    net = network("discriminator", "gaussian", (1,))
    (w1, b1), (w2, b2), (w3, b3) = ((m.weight, m.bias) for m in net.modules() if isinstance(m, MatrixLayer))
    assert (w1.shape, w2.shape, w3.shape) == ((1, 64), (64, 64), (64, 1))
    x = torch.randn(8, 1)
    assert_close(net(x), (((x @ w1 + b1).tanh() @ w2 + b2).tanh() @ w3 + b3).squeeze(1))


@pytest.mark.parametrize(
    ("shape", "name"), [((1, 8, 8), "conv8"), ((3, 64, 64), "infogan"), ((5,), "mlp"), ((1,), "mlp")]
)
def test_every_kind_of_data_has_an_architecture(shape, name):
    assert architecture_for(shape) == name


def test_an_architecture_that_does_not_fit_is_refused():
    with pytest.raises(
        UserError, match=r"no architecture is made for data of shape .* sides \[8, 28, 32, 64\]"
    ):
        architecture_for((3, 48, 48))
    with pytest.raises(UserError, match="use 'conv8'"):
        check_fits("infogan", (1, 8, 8))
    with pytest.raises(UserError, match="use 'mlp'"):
        check_fits("gaussian", (2,))
    with pytest.raises(UserError, match="did you mean 'infogan'"):
        check_fits("infogna", (1, 28, 28))
    check_fits("resnet", (3, 32, 32))
