"""f-GAN: the composed forms against f* of g_f as tabulated, at moderate and at extreme scores."""

import math

import pytest
import torch
from scipy.special import lambertw
from torch.func import grad, vmap
from torch.testing import assert_close

from gansweep.errors import UserError
from gansweep.variants.fgan import DIVERGENCES, FGAN, log_wright
from gansweep.variants.minimax import MinMax, NonSaturating

REAL, FAKE = (2.0, -1.0), (0.5, -3.0)
PI, ALPHA = 0.3, 0.7


def log_sigmoid(v: float) -> float:
    return -math.log1p(math.exp(-v))


def jeffreys(t: float) -> float:
    w = lambertw(math.exp(1 - t)).real
    return w + 1 / w + t - 2


NAIVE = {  # g_f(v), f*(t)
    "kl": (lambda v: v, lambda t: math.exp(t - 1)),
    "reverse_kl": (lambda v: -math.exp(-v), lambda t: -1 - math.log(-t)),
    "pearson": (lambda v: v, lambda t: t**2 / 4 + t),
    "neyman": (lambda v: 1 - math.exp(-v), lambda t: 2 - 2 * math.sqrt(1 - t)),
    "hellinger": (lambda v: 1 - math.exp(-v), lambda t: t / (1 - t)),
    "jeffreys": (lambda v: v, jeffreys),
    "js": (lambda v: math.log(2) + log_sigmoid(v), lambda t: -math.log(2 - math.exp(t))),
    "js_weighted": (
        lambda v: -PI * math.log(PI) + log_sigmoid(v),
        lambda t: (1 - PI) * math.log((1 - PI) / (1 - PI * math.exp(t / PI))),
    ),
    "gan": (log_sigmoid, lambda t: -math.log(1 - math.exp(t))),
    "tv": (lambda v: 0.5 * math.tanh(v), lambda t: t),
    "alpha": (
        lambda v: 1 / (1 - ALPHA) + log_sigmoid(v),
        lambda t: ((t * (ALPHA - 1) + 1) ** (ALPHA / (ALPHA - 1)) - 1) / ALPHA,
    ),
}


@pytest.fixture(params=list(DIVERGENCES))
def name(request) -> str:
    return request.param


def game(name, objective="saddle"):
    return FGAN(divergence=name, objective=objective, pi=PI, alpha=ALPHA)


def test_both_players_and_both_objectives(name):
    activation, conjugate = NAIVE[name]
    real, fake = torch.tensor(REAL, dtype=torch.float64), torch.tensor(FAKE, dtype=torch.float64)
    terms = game(name).discriminator_terms(real, fake)
    assert_close(terms["real"].item(), -sum(map(activation, REAL)) / 2, rtol=1e-12, atol=0)
    bound = sum(conjugate(activation(v)) for v in FAKE) / 2
    assert_close(terms["fake"].item(), bound, rtol=1e-12, atol=1e-14)
    assert_close(game(name).generator_terms(fake)["fake"].item(), -bound, rtol=1e-12, atol=1e-14)
    trick = game(name, "trick").generator_terms(fake)["fake"].item()
    assert_close(trick, -sum(map(activation, FAKE)) / 2, rtol=1e-12, atol=0)


def test_the_composed_form_is_the_conjugate_of_the_activation(name):
    activation, conjugate = NAIVE[name]
    scores = [-4 + 0.125 * i for i in range(65)]
    expected = torch.tensor([conjugate(activation(v)) for v in scores], dtype=torch.float64)
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 5e-6)):
        composed = game(name).conjugate(torch.tensor(scores, dtype=dtype))
        assert composed.dtype == dtype
        assert_close(composed.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("objective", ["saddle", "trick"])
def test_values_and_gradients_are_finite_in_single_precision(name, objective):
    variant = FGAN(divergence=name, objective=objective)

    def losses(score):
        terms = variant.discriminator_terms(score[None], score[None])
        return terms["real"] + terms["fake"] + 2 * variant.generator_terms(score[None])["fake"]

    for score in (-80.0, -60.0, 60.0, 80.0):
        value, slope = losses(torch.tensor(score)), grad(losses)(torch.tensor(score))
        assert value.isfinite() and slope.isfinite(), score


@pytest.mark.parametrize(
    ("name", "extremes"),
    [
        ("kl", [-1e4]),
        ("reverse_kl", [1e4]),
        ("pearson", [-1e4, 1e4]),
        ("jeffreys", [-1e4]),
        ("js", [-1e4, 1e4]),
        ("js_weighted", [-1e4, 1e4]),
        ("gan", [-1e4, 1e4]),
        ("tv", [-1e4, 1e4]),
        ("alpha", [-1e4]),
    ],
)
def test_what_need_not_overflow_does_not(name, extremes):
    for score in map(torch.tensor, extremes):
        for function in (game(name).activation, game(name).conjugate):
            assert function(score).isfinite() and grad(function)(score).isfinite()


def test_far_scores_continue_as_straight_lines():
    """Where softplus(-v) underflows, its logarithm is -v all the same."""
    scores = torch.tensor([39.0, 41.0, 200.0])
    rise = (1 - PI) * (scores + math.log(PI) + math.log(1 - PI))
    assert_close(game("js_weighted").conjugate(scores), rise, rtol=1e-6, atol=0)
    assert_close(vmap(grad(game("js_weighted").conjugate))(scores), torch.full((3,), 1 - PI))
    small = FGAN(divergence="alpha", alpha=0.1)  # exp(v / 9) (1 - alpha)^(-1/9) / alpha
    expected = 10 * (scores.double() / 9 - math.log(0.9) / 9).exp() - 10
    assert_close(small.conjugate(scores.double()), expected, rtol=1e-9, atol=0)


def test_the_game_of_the_original_gan_is_one_of_them():
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    assert_close(FGAN().discriminator_terms(real, fake), MinMax().discriminator_terms(real, fake))
    assert_close(FGAN().generator_terms(fake), MinMax().generator_terms(fake))
    trick = FGAN(objective="trick").generator_terms(fake)
    assert_close(trick, NonSaturating().generator_terms(fake))


def test_lambert_w_by_newton_has_two_exact_derivatives():
    s = torch.cat([torch.linspace(-60, 60, 241), torch.tensor([-1e-3, 1e-3, 0.5, 1.0])]).double()
    root = log_wright(s)
    assert_close(root + root.exp(), s, rtol=1e-15, atol=1e-14)
    w = root.exp()
    first, second = vmap(grad(log_wright))(s), vmap(grad(grad(log_wright)))(s)
    assert_close(first, 1 / (1 + w), rtol=1e-13, atol=0)
    assert_close(second, -w / (1 + w) ** 3, rtol=1e-12, atol=1e-14)


def test_the_slope_of_the_conjugate_is_the_density_ratio_it_stands_for():
    """(f*)'(T) = u where f'(u) = T; for Jeffreys, f'(u) = 1 + log u - 1/u."""
    u = torch.logspace(-2, 2, 33, dtype=torch.float64)
    slope = vmap(grad(game("jeffreys").conjugate))(1 + u.log() - 1 / u)
    assert_close(slope, u, rtol=1e-10, atol=0)


def test_members_of_a_pack_may_differ_in_pi_and_alpha():
    scores, values = torch.tensor([[0.5, -3.0], [2.0, 1.0]]), (0.2, 0.6)
    for field in ("pi", "alpha"):
        divergence = {"pi": "js_weighted", "alpha": "alpha"}[field]

        def terms(value, score, field=field, divergence=divergence):
            return FGAN(divergence=divergence, **{field: value}).discriminator_terms(score, score)

        packed = vmap(terms)(torch.tensor(values), scores)
        for i, value in enumerate(values):
            alone = terms(value, scores[i])
            assert_close({key: term[i] for key, term in packed.items()}, alone)


def test_a_divergence_has_the_parameters_that_it_uses():
    assert FGAN(divergence="kl").hyperparameters == {"objective"}
    assert FGAN(divergence="js_weighted").hyperparameters == {"objective", "pi"}
    assert FGAN(divergence="alpha").hyperparameters == {"objective", "alpha"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"divergence": "reverse"}, "unknown divergence 'reverse'; did you mean 'reverse_kl'"),
        ({"objective": "tricks"}, "unknown objective 'tricks'; did you mean 'trick'"),
        ({"alpha": 2.0}, "0 < alpha < 1 must hold, but got 2.0"),
        ({"pi": 0}, "0 < pi < 1 must hold, but got 0"),
    ],
)
def test_mistakes_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        FGAN(**fields)
