"""The table: every variant's losses under vmap, what may be searched, what is said of its source."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.func import grad_and_value, vmap
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.training.member import make_member, searchable
from gansweep.variants import VARIANTS
from gansweep.variants.base import float_fields

P, B, D, Z, N_CLASSES = 3, 4, 5, 2, 3
SIZES = {
    "generator": (Z, D),
    "decoder": (Z, D),
    "discriminator": (D, 6),
    "autoencoder": (D, 3),
    "encoder": (D, 2 * Z),
    "auxiliary": (D, 1 + N_CLASSES),
}
NETWORKS = {
    "generator": lambda w, z: (z @ w).sigmoid(),
    "decoder": lambda w, z: (z @ w).sigmoid(),
    "discriminator": lambda w, x: (x @ w).tanh().sum(1),
    "autoencoder": lambda w, x: (x @ w).tanh() @ w.mT,
    "encoder": lambda w, x: x @ w,
    "auxiliary": lambda w, x: x @ w,
}


@pytest.fixture(params=list(VARIANTS))
def variant(request):
    return VARIANTS[request.param].variant


def losses(variant, player, floats, weights, batch):
    """The terms of one player and the gradient of their sum with respect to its own networks' weights."""
    own = {name: weights[name] for name in variant.players[player]}
    variant = replace(variant, **floats)

    def loss(own):
        nets = {
            name: partial(NETWORKS[role], {**weights, **own}[name]) for name, role in variant.networks.items()
        }
        terms = getattr(variant, f"{player}_loss")(SimpleNamespace(**nets), SimpleNamespace(**batch))
        return sum(terms.values()), terms

    gradients, (_, terms) = grad_and_value(loss, has_aux=True)(own)
    return terms, gradients


def test_losses_and_gradients_under_vmap_are_those_of_each_member(variant):
    """With every float different, so none may be branched on or turned into a number."""
    torch.manual_seed(0)
    weights = {name: torch.randn(P, *SIZES[role]) for name, role in variant.networks.items()}
    batch = {"x": torch.rand(P, B, D), "z": torch.randn(P, B, Z)}
    if variant.noise != "none":
        batch["u"] = torch.rand(P, B, *{"sample": (), "data": (D,)}[variant.noise])
    if variant.labels:
        batch["y"] = torch.randint(N_CLASSES, (P, B))
    floats = {
        name: torch.tensor([getattr(variant, name) * (1 - 0.1 * i) for i in range(P)])
        for name in float_fields(variant)
    }
    for player in variant.players:
        packed = vmap(partial(losses, variant, player))(floats, weights, batch)
        for i in range(P):
            own = {name: value[i].item() for name, value in floats.items()}
            member = ({name: value[i] for name, value in part.items()} for part in (weights, batch))
            alone = losses(variant, player, own, *member)
            for together, single in zip(packed, alone, strict=True):
                assert_close({name: value[i] for name, value in together.items()}, single)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("ns", {"real_label"}),
        ("ns_r1", {"real_label", "penalty_weight"}),
        ("wgan", {"clip"}),
        ("wgan_gp", {"penalty_weight"}),
        ("rasgan", set()),
        ("r3gan", {"penalty_weight"}),
        ("acgan", {"class_weight"}),
        ("ebgan", {"margin"}),
        ("fgan_kl", {"objective"}),
        ("fgan_js_weighted", {"objective", "pi"}),
        ("fgan_alpha", {"objective", "alpha"}),
    ],
)
def test_a_configuration_may_set_what_has_an_effect_and_leaves_the_variant_what_it_is(name, own):
    assert VARIANTS[name].variant.hyperparameters == own
    assert own <= searchable(VARIANTS[name])


def test_a_parameter_of_another_divergence_is_refused():
    common = {"trial_id": "0", "dataset": "ring", "architecture": "mlp", "seed": 0, "batch_size": 8}
    member = make_member(VARIANTS["fgan_alpha"], {"alpha": 0.25}, **common)
    assert member.variant == replace(VARIANTS["fgan_alpha"].variant, alpha=0.25)
    with pytest.raises(UserError, match="unknown hyperparameter of f-GAN KL 'alpha'"):
        make_member(VARIANTS["fgan_kl"], {"alpha": 0.25}, **common)


def test_the_source_names_the_objective_and_the_penalty():
    assert "arXiv:1807.00734" in VARIANTS["r3gan"].source and "arXiv:2501.05441" in VARIANTS["r3gan"].source
    assert "arXiv:1705.02894" in VARIANTS["sngan"].source and "arXiv:1802.05957" in VARIANTS["sngan"].source


def test_a_name_that_the_package_has_not_is_an_import_error():
    with pytest.raises(ImportError, match="VARIANTZ"):
        from gansweep.variants import VARIANTZ  # noqa: F401
