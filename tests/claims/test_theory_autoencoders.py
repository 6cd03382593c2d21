"""The variants with autoencoders do what the theory says: energies fall, the evidence is bounded."""

from math import log
from types import SimpleNamespace

import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from gansweep.theory import Gaussian
from gansweep.variants.began import BEGAN
from gansweep.variants.ebgan import EBGAN
from gansweep.variants.vae import VAE

W, B = 1.5, -0.5  # the decoder is G(z) = W z + B, so x has the density N(B, 1 + W^2)


@pytest.mark.parametrize("variant", [EBGAN(), BEGAN()], ids=["ebgan", "began"])
def test_the_generator_moves_fakes_to_where_the_autoencoder_rebuilds_them(variant):
    """D rebuilds 0 alone, so all fakes must go there."""
    fake = torch.tensor([[2.0], [-3.0]], requires_grad=True)
    nets = SimpleNamespace(D=lambda x: 0 * x, G=lambda z: z)
    (slope,) = torch.autograd.grad(variant.generator_loss(nets, SimpleNamespace(z=fake))["fake"], fake)
    assert torch.equal(slope.sign(), fake.sign())


def loss(variant: VAE, x: float, mean: float, scale: float, G=lambda z: W * z + B) -> float:
    """The expected loss at x, of an encoder that gives this normal distribution.

    It is quadratic in z, so its mean over N(0, 1) is that over -1 and 1.
    """
    raw_scale = log(torch.expm1(torch.tensor(scale - 1e-6, dtype=torch.float64)))
    code = torch.tensor([[mean, raw_scale]] * 2, dtype=torch.float64)
    nets = SimpleNamespace(E=lambda _: code, G=G)
    batch = SimpleNamespace(
        x=torch.full((2, 1), x, dtype=torch.float64), z=torch.tensor([[-1.0], [1.0]]).double()
    )
    terms: dict[str, Tensor] = variant.autoencoder_loss(nets, batch)
    return sum(terms.values()).item()


@pytest.mark.parametrize("x", [-2.0, 0.3, 1.0])
def test_the_loss_of_a_vae_bounds_the_evidence_and_attains_it_at_the_posterior(x):
    variant = VAE(likelihood="gaussian")
    mean, scale = W * (x - B) / (1 + W**2), (1 + W**2) ** -0.5
    surprise = -Gaussian(B, (1 + W**2) ** 0.5).log_density(x)
    constant = 0.5 * log(2 * torch.pi)  # of the likelihood, which the loss leaves out
    assert_allclose(loss(variant, x, mean, scale) + constant, surprise, rtol=1e-10)
    for m, s in ((mean + 0.1, scale), (mean - 0.1, scale), (mean, 1.1 * scale), (mean, 0.9 * scale)):
        assert loss(variant, x, m, s) + constant > surprise + 1e-3


@pytest.mark.parametrize("x", [0.0, 1.0])
def test_without_use_of_its_code_a_bernoulli_vae_pays_the_surprise_of_a_pixel(x):
    """The posterior is the prior, and G(z) = 0.8 is the probability of 1."""
    paid = loss(VAE(), x, 0.0, 1.0, G=lambda z: 0 * z + 0.8)
    assert_allclose(paid, -log(0.8 if x else 0.2), rtol=1e-10)
    assert loss(VAE(), x, 0.2, 1.0, G=lambda z: 0 * z + 0.8) > paid
