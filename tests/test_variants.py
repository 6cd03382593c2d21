"""The losses against numbers worked by hand, for batches of unequal samples; penalties on known critics."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.variants import VARIANTS, penalties
from gansweep.variants.began import BEGAN
from gansweep.variants.least_squares import LSGAN
from gansweep.variants.minimax import MinMax, NonSaturating
from gansweep.variants.vae import VAE
from gansweep.variants.wasserstein import Wasserstein

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])


def log_sigmoid(score: float) -> float:
    return -math.log1p(math.exp(-score))


def test_cross_entropy_of_the_discriminator():
    terms = MinMax().discriminator_terms(REAL, FAKE)
    assert_close(terms["real"].item(), -(log_sigmoid(2) + log_sigmoid(-1)) / 2, rtol=1e-6, atol=0)
    assert_close(terms["fake"].item(), -(log_sigmoid(-0.5) + log_sigmoid(3)) / 2, rtol=1e-6, atol=0)
    assert NonSaturating().discriminator_terms(REAL, FAKE) == terms


def test_generators_of_the_minimax_family():
    minimax = MinMax().generator_terms(FAKE)["fake"].item()
    assert_close(minimax, (log_sigmoid(-0.5) + log_sigmoid(3)) / 2, rtol=1e-6, atol=0)
    ns = NonSaturating().generator_terms(FAKE)["fake"].item()
    assert_close(ns, -(log_sigmoid(0.5) + log_sigmoid(-3)) / 2, rtol=1e-6, atol=0)


@pytest.mark.parametrize("variant", [MinMax(), NonSaturating()])
def test_cross_entropy_is_finite_for_extreme_scores(variant):
    far = torch.tensor([1e4, -1e4])
    terms = {**variant.discriminator_terms(far, far), "generator": variant.generator_terms(far)["fake"]}
    assert all(term.isfinite() for term in terms.values())


def test_minimax_saturates_where_the_non_saturating_cost_does_not():
    score = torch.tensor([-8.0], requires_grad=True)
    (minimax,) = torch.autograd.grad(MinMax().generator_terms(score)["fake"], score)
    (ns,) = torch.autograd.grad(NonSaturating().generator_terms(score)["fake"], score)
    assert_close(minimax.item(), -1 / (1 + math.exp(8)), rtol=1e-4, atol=0)
    assert_close(ns.item(), -1 / (1 + math.exp(-8)), rtol=1e-6, atol=0)


def test_least_squares():
    variant = LSGAN(a=-1.0, b=1.0, c=0.0)
    terms = variant.discriminator_terms(REAL, FAKE)
    assert_close(terms["real"].item(), 0.5 * (1 + 4) / 2)
    assert_close(terms["fake"].item(), 0.5 * (2.25 + 4) / 2)
    assert_close(variant.generator_terms(FAKE)["fake"].item(), 0.5 * (0.25 + 9) / 2)
    assert LSGAN() == LSGAN(a=0.0, b=1.0, c=1.0)


def test_wasserstein():
    terms = Wasserstein().discriminator_terms(REAL, FAKE)
    assert_close(terms, {"real": torch.tensor(-0.5), "fake": torch.tensor(-1.25)})
    assert_close(Wasserstein().generator_terms(FAKE), {"fake": torch.tensor(1.25)})


def test_clipping_bounds_the_critic_and_leaves_the_generator():
    params = {"w": torch.tensor([-5.0, 0.001, 5.0])}
    wgan = VARIANTS["wgan"].variant
    assert_close(wgan.project("discriminator", params)["w"], torch.tensor([-0.01, 0.001, 0.01]))
    assert_close(wgan.project("generator", params), params)
    assert_close(Wasserstein().project("discriminator", params), params)


def linear(*weights: float):
    """The critic a.x, whose slope is the norm of a everywhere."""
    return lambda x: x.flatten(1) @ torch.tensor(weights)


@pytest.mark.parametrize(("weights", "expected"), [((3.0, 4.0), 16.00008), ((0.6, 0.8), 2.49988e-9)])
def test_penalties_on_a_linear_critic(weights, expected):
    x, fake = torch.tensor([[0.0, 1.0], [2.0, -1.0]]), torch.tensor([[5.0, 5.0], [-1.0, 0.0]])
    gp = penalties.gp(linear(*weights), x, fake, torch.tensor([0.2, 0.9]))
    dragan = penalties.dragan(linear(*weights), x, fake, torch.rand(2, 2))
    for value in (gp, dragan):
        assert_close(value.item(), expected, rtol=1e-4, atol=2e-9)


def test_the_gradient_penalty_takes_one_slope_a_sample_at_its_own_point():
    x, fake, u = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [0.0]]), torch.tensor([0.25, 0.5])
    value = penalties.gp(lambda x: x.square().sum(1), x, fake, u)  # slope 2x at 1.5 and 1.0
    expected = sum((math.sqrt((2 * p) ** 2 + 1e-4) - 1) ** 2 for p in (1.5, 1.0)) / 2
    assert_close(value.item(), expected, rtol=1e-5, atol=0)


def test_dragan_looks_half_a_standard_deviation_ahead_of_the_data():
    x, u = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.5], [0.0]])  # std sqrt(2), unbiased
    value = penalties.dragan(lambda x: x.square().sum(1), x, x, u)
    points = (1 + 0.5 * math.sqrt(2) * 0.5, 3.0)
    expected = sum((math.sqrt((2 * p) ** 2 + 1e-4) - 1) ** 2 for p in points) / 2
    assert_close(value.item(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_the_weight_multiplies_the_penalty(name):
    variant = VARIANTS[name].variant
    nets = SimpleNamespace(G=lambda z: z, D=linear(3.0, 4.0))
    batch = SimpleNamespace(x=torch.eye(2), z=torch.zeros(2, 2), u=torch.rand(2, 2)[:, 0])
    batch.u = batch.u if variant.noise == "sample" else torch.rand(2, 2)
    assert_close(variant.discriminator_loss(nets, batch)["penalty"].item(), 160.0008, rtol=1e-4, atol=0)


def test_began_losses_and_controller():
    variant = BEGAN(gamma=0.75, k_lr=1e-3, k=0.1)
    nets = SimpleNamespace(G=lambda z: z + 1, D=lambda x: x / 2)
    batch = SimpleNamespace(
        x=torch.tensor([[1.0, 3.0], [0.0, 2.0]]), z=torch.tensor([[0.0, 1.0], [1.0, 3.0]])
    )
    terms = variant.discriminator_loss(nets, batch)
    assert_close(terms["real"].item(), (0.5 + 1.5 + 0 + 1) / 4)
    assert_close(terms["fake"].item(), -0.1 * (0.5 + 1 + 1 + 2) / 4)
    assert_close(variant.generator_loss(nets, batch)["fake"].item(), (0.5 + 1 + 1 + 2) / 4)


def test_began_moves_k_towards_the_wanted_ratio_and_keeps_it_in_bounds():
    def after(k, real, fake):
        terms = {"discriminator": {"real": torch.tensor(real)}, "generator": {"fake": torch.tensor(fake)}}
        return float(BEGAN(gamma=0.75, k_lr=1e-3, k=k).update(terms).k)

    assert_close(after(0.1, 0.4, 0.2), 0.1001)
    assert after(0.0, 0.1, 500.0) == 0.0
    assert after(1.0, 2000.0, 0.1) == 1.0


def test_vae_bound():
    mean, raw = torch.tensor([[0.5], [-1.0]]), torch.tensor([[0.0], [2.0]])
    scale = [1e-6 + math.log1p(math.exp(r)) for r in (0.0, 2.0)]
    z = torch.tensor([[1.0], [-0.5]])
    x, output = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.8, 0.3], [0.4, 0.9]])
    seen = {}

    def decode(latent):
        seen["latent"] = latent
        return output

    nets = SimpleNamespace(E=lambda x: torch.cat([mean, raw], 1), G=decode)
    terms = VAE().autoencoder_loss(nets, SimpleNamespace(x=x, z=z))
    assert_close(seen["latent"], torch.tensor([[0.5 + scale[0]], [-1.0 - 0.5 * scale[1]]]))
    nll = -(math.log(0.8) + math.log(0.7) + math.log(0.6) + math.log(0.9)) / 2
    kl = sum(0.5 * (m**2 + s**2 - 1 - 2 * math.log(s)) for m, s in zip((0.5, -1.0), scale, strict=True)) / 2
    assert_close(terms["reconstruction"].item(), nll, rtol=1e-5, atol=0)
    assert_close(terms["kl"].item(), kl, rtol=1e-5, atol=0)
    gaussian = VAE(likelihood="gaussian").autoencoder_loss(nets, SimpleNamespace(x=x, z=z))
    assert_close(gaussian["reconstruction"].item(), 0.5 * (0.04 + 0.09 + 0.16 + 0.01) / 2, rtol=1e-5, atol=0)


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(UserError, match="unknown likelihood 'gausian'; did you mean 'gaussian'"):
        VAE(likelihood="gausian")


def test_the_optimal_discriminator_attains_the_jensen_shannon_divergence():
    """V(D*) = 2 JSD - log 4 for N(0, 1) and N(1, 1), where D* has score 0.5 - x; by quadrature."""
    x = torch.linspace(-12, 13, 50_001, dtype=torch.float64)
    p, q = (torch.exp(-0.5 * (x - m) ** 2) / math.sqrt(2 * math.pi) for m in (0.0, 1.0))
    score = 0.5 - x

    def cost(score):
        step = x[1] - x[0]
        real = torch.stack([MinMax().discriminator_terms(s[None], s[None])["real"] for s in score[::50]])
        fake = torch.stack([MinMax().discriminator_terms(s[None], s[None])["fake"] for s in score[::50]])
        return float(((p[::50] * real + q[::50] * fake) * step * 50).sum())

    assert_close(cost(score), 1.1634513970, rtol=1e-6, atol=0)
    for other in (score + 0.2, 0.8 * score, 1.2 * score):
        assert cost(other) > cost(score)
