"""Layers of networks: equal to PyTorch's to the second derivative; spectral norms as linalg has them."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.functional import batch_norm
from torch.testing import assert_close

from gansweep.networks.layers.batchnorm import BatchNorm
from gansweep.networks.layers.norms import InstanceNorm, LayerNorm, norm
from gansweep.networks.layers.patches import fold_3x3, fold_4x4, patches_3x3, patches_4x4
from gansweep.networks.layers.weighted import (
    Conv,
    Conv3x3,
    Deconv,
    Linear,
    MeanPool2x,
    Upsample2x,
    power_iteration,
)


@pytest.fixture(autouse=True)
def double():
    """float64 and a fixed seed, so that only a mistake can make two ways of computing differ."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def conv_kernel(weight, channels, features):
    # Rows of the weight: which half and which pixel of it, in y and in x, then the channel.
    kernel = weight.view(2, 2, 2, 2, channels, features)
    return kernel.permute(5, 4, 0, 2, 1, 3).reshape(features, channels, 4, 4)


def conv3x3_kernel(weight, channels, features):
    return weight.view(3, 3, channels, features).permute(3, 2, 0, 1)


def deconv_kernel(weight, channels, features):
    kernel = weight.view(channels, 2, 2, 2, 2, features)
    return kernel.permute(0, 5, 1, 3, 2, 4).reshape(channels, features, 4, 4)


@pytest.mark.parametrize("batch", [2, 20])  # with many images, their patches are more than one matrix
@pytest.mark.parametrize(
    ("ours", "plain", "kernel"),
    [
        (Conv, lambda: nn.Conv2d(3, 5, 4, 2, 1), conv_kernel),
        (Conv3x3, lambda: nn.Conv2d(3, 5, 3, 1, 1), conv3x3_kernel),
        (Deconv, lambda: nn.ConvTranspose2d(3, 5, 4, 2, 1), deconv_kernel),
    ],
)
def test_convolutions_are_pytorchs_to_the_second_derivative(ours, plain, kernel, batch):
    conv, plain = ours(3, 5, std=0.1), plain()
    plain.load_state_dict({"weight": kernel(conv.weight.detach(), 3, 5), "bias": conv.bias.detach()})
    x = torch.randn(batch, 3, 4, 6, requires_grad=True)
    outputs = conv(x.movedim(1, -1)).movedim(-1, 1), plain(x)
    assert_close(*outputs)
    slopes = [torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)[0] for y in outputs]
    assert_close(*slopes)
    curves = [slope.pow(3).sum() for slope in slopes]
    (weight, bias), (expected, expected_bias) = (
        torch.autograd.grad(curve, [layer.weight, layer.bias])
        for curve, layer in zip(curves, (conv, plain), strict=True)
    )
    assert_close(kernel(weight, 3, 5), expected)
    assert_close(bias, expected_bias)


@pytest.mark.parametrize(
    ("patches", "fold", "shape"),
    [(patches_4x4, fold_4x4, (2, 4, 6, 3)), (patches_3x3, fold_3x3, (2, 5, 4, 3))],
)
def test_patches_and_folds_are_transposes_of_each_other(patches, fold, shape):
    x = torch.randn(3, *shape)
    y = torch.randn_like(patches(x))
    assert_close((patches(x) * y).sum(), (x * fold(y)).sum())
    assert_close(vmap(patches)(x), patches(x))
    assert_close(vmap(fold, in_dims=1)(y.movedim(0, 1)), fold(y))


def test_resampling_is_pytorchs():
    x = torch.randn(2, 3, 4, 6)
    up, down = nn.Upsample(scale_factor=2), nn.AvgPool2d(2)
    assert_close(Upsample2x()(x.movedim(1, -1)).movedim(-1, 1), up(x))
    assert_close(MeanPool2x()(x.movedim(1, -1)).movedim(-1, 1), down(x))


def test_batch_norm_is_pytorchs_in_training_and_frozen_in_evaluation():
    norm, plain = BatchNorm(4), nn.BatchNorm1d(4, eps=1e-3)
    x = torch.randn(16, 4) * 3 + 1
    assert_close(norm(x), plain(x))
    norm.measuring = True
    expected = norm(x)
    norm.measuring = False
    assert_close(norm.eval()(x), expected)
    assert_close(norm(x[:3]), expected[:3])


def test_batch_norm_is_pytorchs_to_the_second_derivative_also_in_a_pack():
    def plain(x, weight, bias):
        return batch_norm(x, None, None, weight, bias, training=True, eps=1e-3)

    def slopes_and_curves(function):
        inputs = [value.clone().requires_grad_() for value in values]
        slopes = torch.autograd.grad((vmap(function)(*inputs) ** 3).sum(), inputs, create_graph=True)
        curves = torch.autograd.grad(sum((slope**2).sum() for slope in slopes), inputs)
        return [*slopes, *curves]

    values = [torch.randn(3, 16, 4) * 3 + 1, torch.randn(3, 4), torch.randn(3, 4)]
    norm = BatchNorm(4)
    ours = slopes_and_curves(
        lambda x, weight, bias: functional_call(norm, {"weight": weight, "bias": bias}, x)
    )
    for got, expected in zip(ours, slopes_and_curves(plain), strict=True):
        assert_close(got, expected)


@pytest.mark.parametrize(
    ("ours", "plain"),
    [(LayerNorm, lambda: nn.GroupNorm(1, 4)), (InstanceNorm, lambda: nn.InstanceNorm2d(4, affine=True))],
)
def test_norms_of_samples_are_pytorchs_with_a_scale_and_shift_for_each_channel(ours, plain):
    norm, plain = ours(4), plain()
    for network in (norm, plain):
        network.load_state_dict({"weight": torch.arange(1.0, 5), "bias": torch.arange(4.0)})
    x = (torch.randn(2, 4, 3, 3) * 3 + 1).requires_grad_()
    outputs = norm(x.movedim(1, -1)).movedim(-1, 1), plain(x)
    assert_close(*outputs)
    assert_close(*(torch.autograd.grad(y.pow(3).sum(), x)[0] for y in outputs))


def test_layer_norm_of_dense_activations_is_pytorchs():
    x = torch.randn(3, 6)
    assert_close(norm("layer", 6, spatial=False)(x), nn.LayerNorm(6)(x))


def test_instance_norm_leaves_dense_activations_alone():
    x = torch.randn(3, 6)
    assert torch.equal(norm("instance", 6, spatial=False)(x), x)


def test_power_iteration_finds_the_largest_singular_value():
    weight, u = torch.randn(30, 20), torch.randn(30)
    for _ in range(400):
        u, v = power_iteration(weight, u)
    assert_close(u @ weight @ v, torch.linalg.matrix_norm(weight, 2))
    assert_close(u.norm(), torch.tensor(1.0))
    assert_close(v.norm(), torch.tensor(1.0))


def test_power_iterations_of_a_pack_are_those_of_its_members():
    weights, us = torch.randn(3, 6, 4), torch.randn(3, 6)
    packed = vmap(power_iteration)(weights, us)
    for i in range(3):
        assert_close(tuple(part[i] for part in packed), power_iteration(weights[i], us[i]))


@pytest.mark.parametrize("layer", [Linear(5, 3, 0.1), Conv(2, 3, 0.1), Conv3x3(2, 3, 0.1), Deconv(2, 3, 0.1)])
def test_a_spectral_layer_multiplies_by_a_matrix_of_norm_one(layer):
    layer = layer.double()
    layer.normalise()
    for _ in range(400):
        layer.u, layer.v = power_iteration(layer.weight.detach(), layer.u)
    assert_close(torch.linalg.matrix_norm(layer.matrix(), 2), torch.tensor(1.0))
    assert_close(layer.matrix() * torch.linalg.matrix_norm(layer.weight, 2), layer.weight)


def test_the_gradient_of_a_spectral_layer_knows_that_the_norm_depends_on_the_weight():
    # Miyato et al. (2018), eq. 12: the gradient of W / s by W, with s = u^T W v.
    layer = Linear(5, 3, std=1.0)
    layer.normalise()
    g = torch.randn(5, 3)
    (gradient,) = torch.autograd.grad((layer.matrix() * g).sum(), layer.weight)
    sigma = layer.u @ layer.weight @ layer.v
    expected = (g - (g * layer.weight / sigma).sum() * torch.outer(layer.u, layer.v)) / sigma
    assert_close(gradient, expected)


def test_a_linear_spectral_critic_is_1_lipschitz_and_attains_it():
    layer = Linear(6, 1, std=1.0)
    layer.normalise()
    a, b = torch.randn(2, 1000, 6)
    rise = (layer(a) - layer(b)).abs().squeeze(1) / (a - b).norm(dim=1)
    assert rise.max() <= 1 + 1e-9
    x = torch.zeros(1, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(layer(x).sum(), x)
    assert_close(slope.norm(), torch.tensor(1.0))
