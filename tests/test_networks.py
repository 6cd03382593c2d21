"""The networks: parameter counts as published, layers equal to PyTorch's, seeds, shapes."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.networks import architecture_for, build, check_fits
from gansweep.networks.layers import BatchNorm, Conv, Deconv
from gansweep.variants import VARIANTS

SHAPES = {28: (1, 28, 28), 32: (3, 32, 32), 64: (3, 64, 64)}
# Trainable parameters for sides 28, 32 and 64: those of the layer list in the released code of Lucic et al.
GENERATOR = {28: 6_642_241, 32: 8_616_131, 64: 33_855_683}
OTHERS = {
    ("ns", "D", False): {28: 6_556_865, 32: 8_524_993, 64: 33_690_817},
    ("ns", "D", True): {28: 6_559_169, 32: 8_527_297, 64: 33_693_121},
    ("began", "D", False): {28: 1_073_601, 32: 1_325_379, 64: 4_495_683},
    ("began", "D", True): {28: 1_086_401, 32: 1_342_019, 64: 4_561_475},
    ("vae", "E", False): {28: 6_687_040, 32: 8_655_168, 64: 33_820_992},
    ("vae", "E", True): {28: 6_689_344, 32: 8_657_472, 64: 33_823_296},
}


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("side", SHAPES)
@pytest.mark.parametrize(("name", "net", "batchnorm"), OTHERS)
def test_parameter_counts_are_those_of_the_paper(side, name, net, batchnorm):
    nets = build(VARIANTS[name].variant, "infogan", SHAPES[side], batchnorm, seed=0)
    assert n_parameters(nets["G"]) == GENERATOR[side]
    assert n_parameters(nets[net]) == OTHERS[name, net, batchnorm][side]


def test_conv_is_pytorchs_convolution_to_the_second_derivative():
    conv, plain = Conv(3, 5, std=0.1).double(), nn.Conv2d(3, 5, 4, 2, 1).double()
    # Rows of the weight: which half and which pixel of it, in y and in x, then the channel.
    kernel = conv.weight.detach().view(2, 2, 2, 2, 3, 5).permute(5, 4, 0, 2, 1, 3).reshape(5, 3, 4, 4)
    plain.load_state_dict({"weight": kernel, "bias": conv.bias.detach()})
    x = torch.randn(2, 3, 8, 12, dtype=torch.float64, requires_grad=True)
    outputs = conv(x.movedim(1, -1)).movedim(-1, 1), plain(x)
    assert_close(*outputs)
    slopes = [torch.autograd.grad(y.square().sum(), x, create_graph=True)[0] for y in outputs]
    assert_close(*slopes)
    biases = [
        torch.autograd.grad(slope.pow(3).sum(), bias)[0]
        for slope, bias in zip(slopes, (conv.bias, plain.bias), strict=True)
    ]
    assert_close(*biases)


def test_deconv_is_pytorchs_transposed_convolution():
    deconv, plain = Deconv(3, 5, std=0.1).double(), nn.ConvTranspose2d(3, 5, 4, 2, 1).double()
    kernel = deconv.weight.detach().view(3, 2, 2, 2, 2, 5).permute(0, 5, 1, 3, 2, 4).reshape(3, 5, 4, 4)
    plain.load_state_dict({"weight": kernel, "bias": deconv.bias.detach()})
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    outputs = deconv(x.movedim(1, -1)).movedim(-1, 1), plain(x)
    assert_close(*outputs)
    assert_close(*(torch.autograd.grad(y.pow(3).sum(), x)[0] for y in outputs))


def test_batch_norm_is_pytorchs_in_training_and_frozen_in_evaluation():
    norm, plain = BatchNorm(4), nn.BatchNorm1d(4, eps=1e-3)
    x = torch.randn(16, 4) * 3 + 1
    assert_close(norm(x), plain(x))
    norm.measuring = True
    expected = norm(x)
    norm.measuring = False
    assert_close(norm.eval()(x), expected)
    assert_close(norm(x[:3]), expected[:3])


def test_initial_weights_depend_on_the_seed_alone():
    def weights(seed):
        return build(VARIANTS["ns"].variant, "conv8", (1, 8, 8), True, seed)["G"].state_dict()

    state = torch.get_rng_state()
    assert_close(weights(3), weights(3))
    assert not torch.equal(weights(3)["dense1.weight"], weights(4)["dense1.weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_published_initialisation():
    nets = build(VARIANTS["ns"].variant, "infogan", (1, 28, 28), False, seed=0)
    assert_close(nets["G"].dense2.weight.std().item(), 0.02, rtol=0.01, atol=0)
    assert nets["D"].conv2.weight.abs().max() <= 0.04
    assert all(not p.any() for name, p in nets["D"].named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("batchnorm", [False, True])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1,), (2,)])
def test_shapes_of_every_network(name, batchnorm, shape):
    variant = VARIANTS[name].variant
    nets = build(variant, architecture_for(shape), shape, batchnorm, seed=0)
    z_dim = 16 if len(shape) == 3 else 2
    x = nets["G"](torch.rand(4, z_dim))
    assert x.shape == (4, *shape)
    expected = {"discriminator": (4,), "autoencoder": (4, *shape), "encoder": (4, 2 * z_dim)}
    for net, role in variant.networks.items():
        if net != "G":
            assert nets[net](x).shape == expected[role]


@pytest.mark.parametrize(("shape", "name"), [((1, 8, 8), "conv8"), ((3, 64, 64), "infogan"), ((5,), "mlp")])
def test_every_kind_of_data_has_an_architecture(shape, name):
    assert architecture_for(shape) == name


def test_an_architecture_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="no architecture is made for data of shape"):
        architecture_for((3, 48, 48))
    with pytest.raises(UserError, match="use 'conv8'"):
        check_fits("infogan", (1, 8, 8))
    with pytest.raises(UserError, match="did you mean 'infogan'"):
        check_fits("infogna", (1, 28, 28))
