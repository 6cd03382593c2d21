"""The losses against numbers worked by hand, for batches of unequal samples; penalties on known critics."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.variants import VARIANTS
from gansweep.variants.acgan import ACGAN
from gansweep.variants.began import BEGAN
from gansweep.variants.ebgan import EBGAN
from gansweep.variants.hinge import Hinge
from gansweep.variants.least_squares import LSGAN
from gansweep.variants.minimax import MaximumLikelihood, MinMax, NonSaturating
from gansweep.variants.relativistic import LOSSES, RelativisticAverage, RelativisticPairing
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
    assert MaximumLikelihood().discriminator_terms(REAL, FAKE) == terms


def test_generators_of_the_minimax_family():
    minimax = MinMax().generator_terms(FAKE)["fake"].item()
    assert_close(minimax, (log_sigmoid(-0.5) + log_sigmoid(3)) / 2, rtol=1e-6, atol=0)
    ns = NonSaturating().generator_terms(FAKE)["fake"].item()
    assert_close(ns, -(log_sigmoid(0.5) + log_sigmoid(-3)) / 2, rtol=1e-6, atol=0)
    ml = MaximumLikelihood().generator_terms(FAKE)["fake"].item()
    assert_close(ml, -(math.exp(0.5) + math.exp(-3)) / 2, rtol=1e-6, atol=0)


def test_smoothing_mixes_the_labels_of_the_reals_only():
    terms = NonSaturating(real_label=0.9).discriminator_terms(REAL, FAKE)
    right, wrong = log_sigmoid(2) + log_sigmoid(-1), log_sigmoid(-2) + log_sigmoid(1)
    assert_close(terms["real"].item(), -(0.9 * right + 0.1 * wrong) / 2, rtol=1e-6, atol=0)
    assert_close(terms["fake"], NonSaturating().discriminator_terms(REAL, FAKE)["fake"])


def test_smoothing_bounds_the_probability_that_d_gives_to_reals():
    """The optimum a p / (p + q) is the label where there are no fakes, and half of it where p = q."""
    variant = NonSaturating(real_label=0.8)
    for fakes, probability in ((0.0, 0.8), (1.0, 0.4)):
        score = torch.tensor([math.log(probability / (1 - probability))], requires_grad=True)
        terms = variant.discriminator_terms(score, score)
        (gradient,) = torch.autograd.grad(terms["real"] + fakes * terms["fake"], score)
        assert_close(gradient, torch.zeros(1), rtol=0, atol=1e-6)


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


def test_hinge():
    terms = Hinge().discriminator_terms(REAL, FAKE)
    assert_close(terms, {"real": torch.tensor((0 + 2) / 2), "fake": torch.tensor((1.5 + 0) / 2)})
    assert_close(Hinge().generator_terms(FAKE), {"fake": torch.tensor(1.25)})


def test_relativistic_pairing():
    """The leads of the reals over their fakes are 1.5 and 2."""
    terms = RelativisticPairing().discriminator_terms(REAL, FAKE)
    assert_close(terms["pair"].item(), -(log_sigmoid(1.5) + log_sigmoid(2)) / 2, rtol=1e-6, atol=0)
    terms = RelativisticPairing().generator_terms(REAL, FAKE)
    assert_close(terms["pair"].item(), -(log_sigmoid(-1.5) + log_sigmoid(-2)) / 2, rtol=1e-6, atol=0)


COSTS = {
    "standard": lambda lead: -log_sigmoid(lead),
    "least_squares": lambda lead: (lead - 1) ** 2,
    "hinge": lambda lead: max(0, 1 - lead),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_relativistic_average(loss):
    """The means are 0.5 and -1.25: the reals lead by 3.25 and 0.25, and over the fakes by 0 and 3.5."""
    cost, variant = COSTS[loss], RelativisticAverage(loss=loss)
    terms = variant.discriminator_terms(REAL, FAKE)
    assert_close(terms["real"].item(), (cost(3.25) + cost(0.25)) / 2)
    assert_close(terms["fake"].item(), (cost(0) + cost(3.5)) / 2)
    terms = variant.generator_terms(REAL, FAKE)
    assert_close(terms["real"].item(), (cost(-3.25) + cost(-0.25)) / 2)
    assert_close(terms["fake"].item(), (cost(0) + cost(-3.5)) / 2)


@pytest.mark.parametrize("kind", [RelativisticPairing, RelativisticAverage])
@pytest.mark.parametrize("loss", LOSSES)
def test_only_differences_of_scores_count_and_the_players_differ_by_an_exchange(kind, loss):
    variant = kind(loss=loss)
    terms = variant.discriminator_terms(REAL, FAKE)
    assert_close(variant.discriminator_terms(REAL + 3, FAKE + 3), terms)
    exchanged = variant.generator_terms(FAKE, REAL)
    assert_close(sum(exchanged.values()), sum(terms.values()))


def test_the_relativistic_generator_is_shown_the_reals_too():
    nets = SimpleNamespace(G=lambda z: z, D=lambda x: x[:, 0])
    batch = SimpleNamespace(x=REAL[:, None], z=FAKE[:, None])
    expected = RelativisticAverage().generator_terms(REAL, FAKE)
    assert_close(RelativisticAverage().generator_loss(nets, batch), expected)


def test_an_unknown_relativistic_loss_is_refused():
    with pytest.raises(UserError, match="unknown relativistic loss 'hing'; did you mean 'hinge'"):
        RelativisticAverage(loss="hing")


def test_wasserstein():
    terms = Wasserstein().discriminator_terms(REAL, FAKE)
    assert_close(terms, {"real": torch.tensor(-0.5), "fake": torch.tensor(-1.25)})
    assert_close(Wasserstein().generator_terms(FAKE), {"fake": torch.tensor(1.25)})


def test_clipping_bounds_the_critic_and_leaves_the_generator():
    params = {"w": torch.tensor([-5.0, 0.001, 5.0])}
    wgan = VARIANTS["wgan"].variant
    assert_close(wgan.project("discriminator", params)["w"], torch.tensor([-0.01, 0.001, 0.01]))
    assert_close(wgan.project("generator", params), params)
    params["v"] = torch.full((64, 4), 9.0)  # a layer of 64 inputs: twenty times fewer than those of DCGAN
    bound = 0.01 * ((48 * 1024 * 2048 * 4096 * 8192) ** 0.2 / 64) ** 0.5
    assert_close(wgan.project("discriminator", params)["v"], torch.full((64, 4), bound))
    assert 0.0445 < bound < 0.0447


@pytest.mark.parametrize("side", [8, 28, 64])
def test_a_margin_of_ebgan_means_the_same_at_any_size(side):
    nets = SimpleNamespace(G=lambda z: z, D=lambda x: x + 0.25)  # off by a quarter everywhere
    batch = SimpleNamespace(x=torch.zeros(2, 1, side, side), z=torch.zeros(2, 1, side, side))
    terms = EBGAN(margin=10.0).discriminator_loss(nets, batch)
    assert_close(terms, {"real": torch.tensor(7.0), "fake": torch.tensor(3.0)})


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


def test_ebgan_pushes_fakes_up_to_the_margin_and_no_further():
    """G adds 1 and D halves, so the errors are half the norms: of reals 2.5 and 6, of fakes 1 and 5."""
    nets = SimpleNamespace(G=lambda z: z + 1, D=lambda x: x / 2)
    batch = SimpleNamespace(
        x=torch.tensor([[3.0, 4.0], [0.0, 12.0]]), z=torch.tensor([[1.0, -1.0], [5.0, 7.0]])
    )
    unit = (784 / 2) ** 0.5  # samples of two values are measured as images of 784
    terms = EBGAN(margin=4.0 * unit).discriminator_loss(nets, batch)
    assert_close(terms, {"real": torch.tensor(4.25 * unit), "fake": torch.tensor(1.5 * unit)})
    assert_close(EBGAN(margin=4.0 * unit).generator_loss(nets, batch), {"fake": torch.tensor(3.0 * unit)})


def test_the_energy_can_be_differentiated_where_it_is_zero():
    scale = torch.ones((), requires_grad=True)
    nets = SimpleNamespace(G=lambda z: z, D=lambda x: scale * x)
    terms = EBGAN().discriminator_loss(nets, SimpleNamespace(x=torch.ones(2, 3), z=torch.ones(2, 3)))
    (gradient,) = torch.autograd.grad(sum(terms.values()), scale)
    assert gradient.isfinite()


def test_acgan_tells_real_from_fake_and_classifies_both():
    """D's output is its input: the score, then the logits of three classes."""
    nets = SimpleNamespace(G=lambda z: z, D=lambda x: x)
    real, fake = [[2.0, 1.0, 0.0, -1.0], [-1.0, 0.0, 2.0, 0.5]], [[0.5, 0.0, 0.0, 3.0], [-3.0, 1.0, 2.0, 0.0]]
    batch = SimpleNamespace(x=torch.tensor(real), z=torch.tensor(fake), y=torch.tensor([0, 2]))

    def cross_entropy(rows):
        logs = [
            math.log(sum(map(math.exp, row[1:]))) - row[1 + y] for row, y in zip(rows, (0, 2), strict=True)
        ]
        return sum(logs) / 2

    terms = ACGAN(class_weight=0.5).discriminator_loss(nets, batch)
    assert_close(terms["real"], NonSaturating().discriminator_terms(REAL, FAKE)["real"])
    assert_close(terms["fake"], NonSaturating().discriminator_terms(REAL, FAKE)["fake"])
    assert_close(terms["real_class"].item(), 0.5 * cross_entropy(real), rtol=1e-6, atol=0)
    assert_close(terms["fake_class"].item(), 0.5 * cross_entropy(fake), rtol=1e-6, atol=0)
    terms = ACGAN(class_weight=0.5).generator_loss(nets, batch)
    assert_close(terms["fake"], NonSaturating().generator_terms(FAKE)["fake"])
    assert_close(terms["fake_class"].item(), 0.5 * cross_entropy(fake), rtol=1e-6, atol=0)


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
