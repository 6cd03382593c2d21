"""Labels in networks: concatenated, projected, predicted; bound by the caller."""

import pytest
import torch
from torch.func import functional_call, vmap
from torch.testing import assert_close

from gansweep.networks import build
from gansweep.networks.layers.weighted import MatrixLayer
from gansweep.networks.options import Binding, NetworkOptions

SHAPES = {"conv8": (1, 8, 8), "mlp": (2,)}
LABELS = torch.tensor([0, 2, 1, 2])


def network(role, architecture, conditional="concat", **options):
    options = NetworkOptions(conditional=conditional, n_classes=3, **options)
    return build({"N": role}, architecture, SHAPES[architecture], options, seed=0)["N"]


def inputs(role, architecture):
    z_dim = {"conv8": 16, "mlp": 2}[architecture]
    shape = (z_dim,) if role in ("generator", "decoder") else SHAPES[architecture]
    return torch.rand(1, *shape).expand(4, *shape)


def weighted(net):
    return [layer for layer in net.modules() if isinstance(layer, MatrixLayer)]


@pytest.mark.parametrize("architecture", SHAPES)
@pytest.mark.parametrize("role", ["generator", "decoder", "discriminator", "autoencoder", "encoder"])
def test_labels_make_a_difference(role, architecture):
    outputs = network(role, architecture)(inputs(role, architecture), Binding(y=LABELS))
    if architecture == "mlp":  # no batch norm, so a sample does not depend on the others
        assert_close(outputs[1], outputs[3])
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_a_dense_critic_sees_the_one_hot_label_beside_the_vector():
    net, x = network("discriminator", "mlp"), torch.rand(4, 2)
    first = weighted(net)[0]
    assert first.weight.shape == (2 + 3, 128)
    with torch.no_grad():
        first.weight[2:] = torch.tensor([[10.0], [20.0], [30.0]])
    seen = []
    first.register_forward_hook(lambda layer, args, output: seen.append(output))
    net(x, Binding(y=LABELS))
    added = torch.tensor([10.0, 30.0, 20.0, 30.0])[:, None]
    assert_close(seen[0], x @ first.weight[:2] + added)


def test_a_convolutional_critic_sees_a_plane_for_each_class():
    net, x = network("discriminator", "conv8", output="tanh"), torch.rand(4, 1, 8, 8)
    seen = []
    weighted(net)[0].register_forward_pre_hook(lambda layer, args: seen.append(args[0]))
    net(x, Binding(y=LABELS))
    assert_close(seen[0][..., 0], 2 * x[:, 0] - 1)
    planes = torch.zeros(4, 8, 8, 3)
    planes[torch.arange(4), :, :, LABELS] = 1
    assert_close(seen[0][..., 1:], planes)


@pytest.mark.parametrize("architecture", SHAPES)
def test_projection_adds_the_product_of_features_and_label(architecture):
    net = network("discriminator", architecture, "projection")
    x = torch.rand(4, *SHAPES[architecture])
    *_, head, labels = weighted(net)
    features = []
    head.register_forward_pre_hook(lambda layer, args: features.append(args[0]))
    scores = net(x, Binding(y=LABELS))
    phi = features[0]
    assert labels.weight.shape == (3, phi.shape[1])
    assert_close(scores, phi @ head.weight[:, 0] + head.bias + (labels.weight[LABELS] * phi).sum(1))


@pytest.mark.parametrize("conditional", ["none", "concat", "projection"])
def test_an_auxiliary_classifier_gives_a_score_and_a_logit_for_each_class_and_sees_no_label(conditional):
    net = network("auxiliary", "conv8", conditional)
    x = torch.rand(4, 1, 8, 8)
    assert net(x).shape == (4, 1 + 3)
    assert torch.equal(net(x, Binding(y=LABELS)), net(x))


def test_a_critic_without_labels_is_the_same_beside_a_conditional_generator():
    roles, x = {"D": "discriminator", "G": "generator"}, torch.rand(4, 1, 8, 8)
    plain, aware = (build(roles, "conv8", (1, 8, 8), NetworkOptions(n_classes=n), 0) for n in (0, 3))
    assert torch.equal(aware["D"](x, Binding(y=LABELS)), plain["D"](x))
    assert not torch.allclose(*(aware["G"](torch.zeros(4, 16), Binding(y=LABELS))[:2]))


@pytest.mark.parametrize("conditional", ["concat", "projection"])
@pytest.mark.parametrize("architecture", SHAPES)
def test_labels_of_a_pack_are_those_of_its_members(architecture, conditional):
    options = NetworkOptions(conditional=conditional, n_classes=3)
    roles, shape = {"D": "discriminator"}, SHAPES[architecture]
    nets = [build(roles, architecture, shape, options, seed)["D"].double() for seed in (1, 2)]
    x, y = torch.rand(2, 4, *shape, dtype=torch.float64), torch.stack([LABELS, LABELS.flip(0)])
    states = [net.state_dict() for net in nets]
    params = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    packed = vmap(lambda p, x, y: functional_call(nets[0], p, (x, Binding(y=y))))(params, x, y)
    for i, net in enumerate(nets):
        assert_close(packed[i], net(x[i], Binding(y=y[i])))
