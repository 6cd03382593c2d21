"""The exact results against published and hand-worked numbers, against each other, and against simulation."""

import subprocess
import sys
from math import inf, log, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from gansweep.data.mixtures import MIXTURES
from gansweep.errors import UserError
from gansweep.theory import (
    CLOSED_FORMS,
    DIVERGENCES,
    FGAN_MIXTURE,
    OPTIMAL_SCORES,
    Gaussian,
    Mixture1D,
    alpha,
    alpha_divergence,
    bound,
    closed_form,
    cross_divergences,
    divergence,
    fid_bias,
    fit_gaussian,
    frechet_distance,
    generator_gradients,
    hinge_optimum,
    inception_score,
    js_weighted,
    jsd,
    least_squares_optimum,
    minimax_value,
    optimal_probability,
    optimal_score,
    optimal_score_alpha,
    optimal_score_js_weighted,
    sample_wasserstein,
    wasserstein_1,
    wasserstein_2_squared,
)

P = Gaussian(0.0, 1.0)
QS = (Gaussian(1.0, 1.0), Gaussian(2.0, 1.0), Gaussian(1.0, 2.0), Gaussian(0.5, 1.5))
TABLE = {  # of P and each of QS
    "kl": (0.5, 2.0, 0.4431471806, 0.1832428859),
    "reverse_kl": (0.5, 2.0, 1.3068528194, 0.3445348919),
    "jeffreys": (1.0, 4.0, 1.75, 0.5277777778),
    "pearson": (1.7182818285, 53.5981500331, 0.7440263415, 0.2917234099),
    "neyman": (1.7182818285, 53.5981500331, inf, inf),
    "hellinger": (0.2350061948, 0.7869386806, 0.2983890757, 0.1150617580),
    "js": (0.2228429644, 0.6736616406, 0.2563499462, 0.1058097776),
    "gan": (-1.1634513970, -0.7126327204, -1.1299444150, -1.2804845840),
    "js_weighted": (0.1114214822, 0.3368308203, 0.1281749731, 0.0529048888),
    "tv": (0.3829249225, 0.6826894921, 0.3900656601, 0.2377806358),
    "alpha": (0.4700123897, 1.573877361, 0.5967781514, 0.230123516),
}
U = np.array([0.03, 0.2, 0.7, 1.0, 1.4, 5.0, 40.0])
GENERATORS = {
    **DIVERGENCES,
    "js_weighted(0.2)": js_weighted(0.2),
    "alpha(-1)": alpha(-1.0),
    "alpha(2)": alpha(2.0),
    "alpha(3)": alpha(3.0),
}
generators = pytest.mark.parametrize("f", GENERATORS.values(), ids=GENERATORS)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_gaussian_pairs_by_quadrature(name):
    assert set(TABLE) == set(DIVERGENCES)
    values = [divergence(name, P, q) for q in QS]
    assert_allclose(values, TABLE[name], rtol=1e-8 if name == "alpha" else 1e-9)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_table_of_gaussian_pairs_in_closed_form(name):
    assert_allclose([closed_form(name, P, q) for q in QS], TABLE[name], rtol=1e-9)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("q", [Gaussian(-3.0, 0.8), Gaussian(0.3, 0.4), P])
def test_quadrature_and_closed_form_agree(name, q):
    assert_allclose(divergence(name, P, q), closed_form(name, P, q), rtol=1e-11, atol=1e-13)


def test_alpha_divergences_join_the_others():
    q = QS[0]
    assert_allclose([alpha_divergence(2, P, q), alpha(2.0)(P, q)], 0.8591409142, rtol=1e-9)
    assert_allclose([alpha_divergence(2, P, QS[2]), alpha(2.0)(P, QS[2])], 0.3720131708, rtol=1e-9)
    assert_allclose(alpha(2.0)(P, QS[3]), divergence("pearson", P, QS[3]) / 2, rtol=1e-12)
    assert_allclose(alpha(-1.0)(P, q), divergence("neyman", P, q) / 2, rtol=1e-12)
    assert_allclose(alpha(0.5)(P, QS[3]), 2 * divergence("hellinger", P, QS[3]), rtol=1e-12)
    assert_allclose([alpha(1 - 1e-5)(P, q), alpha(1e-5)(P, q)], [0.5, 0.5], rtol=1e-4)  # KL and reverse KL


def test_weighted_jensen_shannon_is_a_mean_of_two_kl_divergences():
    p, q, share = P, Gaussian(2.0, 1.0), 0.2
    mixture = Mixture1D((share, 1 - share), (p.mean, q.mean), (p.sd, q.sd))
    expected = share * divergence("kl", p, mixture) + (1 - share) * divergence("kl", q, mixture)
    assert_allclose(js_weighted(share)(p, q), expected, rtol=1e-11)


def test_infinite_divergences_are_infinite():
    assert divergence("pearson", Gaussian(0.0, 1.0), Gaussian(0.0, sqrt(0.5))) == inf
    assert divergence("pearson", Gaussian(0.0, 1.0), Gaussian(0.0, sqrt(0.5) + 0.01)) < inf
    assert alpha_divergence(3, Gaussian(0.0, 1.0), Gaussian(1.0, 0.8)) == inf
    assert alpha(3.0)(Gaussian(0.0, 1.0), Gaussian(1.0, 0.8)) == inf


def test_distant_and_narrow_densities_do_not_overflow():
    assert_allclose(divergence("kl", P, Gaussian(40.0, 0.2)), closed_form("kl", P, Gaussian(40.0, 0.2)))
    assert_allclose(jsd(P, Gaussian(60.0, 1.0)), log(2), rtol=1e-12)
    assert_allclose(divergence("tv", P, Gaussian(60.0, 1.0)), 1, rtol=1e-12)


def test_jensen_shannon_saturates_where_kl_does_not():
    values = [jsd(P, Gaussian(shift, 1.0)) for shift in (0.5, 3.0, 5.0)]
    assert_allclose(values, [0.0303113005, 0.5267773065, 0.6759425774], rtol=1e-9)


@generators
def test_a_divergence_is_zero_only_between_equals(f):
    p, at_1 = Gaussian(0.3, 0.7), float(f.f(np.ones(1))[0])
    assert_allclose(f(p, p), at_1, atol=1e-14)
    assert f(p, Gaussian(0.31, 0.71)) > at_1 + 1e-5


@generators
def test_the_conjugate_of_each_generator(f):
    """Fenchel and Young: f(u) + f*(t) >= u t, with equality where t = f'(u); and f' is the slope of f."""
    t = f.slope(np.log(U))
    kinked = 0.0 if f.smooth else 0.5  # every t in [-1/2, 1/2] is a slope of |u - 1| / 2 at u = 1
    assert_allclose(f.f(U) + f.conjugate(t), U * t, rtol=1e-10, atol=1e-12)
    off_kink = U[U != 1] if kinked else U
    h = 1e-5 * off_kink
    slopes = (f.f(off_kink + h) - f.f(off_kink - h)) / (2 * h)
    assert_allclose(f.slope(np.log(off_kink)), slopes, rtol=1e-6, atol=1e-7)
    gap = f.f(U)[:, None] + f.conjugate(t)[None, :] - U[:, None] * t[None, :]
    assert gap.min() > -1e-10
    assert np.all(gap[np.sign(U - 1)[:, None] != np.sign(U - 1)[None, :]] > (1e-3 if not kinked else -1e-15))


@generators
def test_conjugates_are_defined_on_their_domains(f):
    low, high = f.domain
    t = np.linspace(max(low, -6.0), min(high, 3.0), 50)[1:-1]
    assert np.all(np.isfinite(f.conjugate(t)))
    u = np.append(np.geomspace(1e-9, 1e6, 4000), 1.0)
    assert_allclose(f.conjugate(t), (u[:, None] * t - f.f(u)[:, None]).max(axis=0), rtol=1e-3, atol=1e-3)


@generators
def test_slopes_stay_in_the_domain_of_the_conjugate(f):
    t = f.slope(np.linspace(-12, 12, 101))
    assert np.all((t >= f.domain[0]) & (t <= f.domain[1]))


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="unknown divergence 'kl_reverse'"):
        divergence("kl_reverse", P, P)
    with pytest.raises(UserError, match="unknown closed form 'js'"):
        closed_form("js", P, P)
    with pytest.raises(UserError, match="unknown optimal score 'tv'"):
        optimal_score("tv", np.zeros(1))


def test_the_optimal_discriminator_and_its_value():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    expected = [0.8175744762, 0.6224593312, 0.5, 0.3775406688, 0.1824255238]
    assert_allclose(optimal_probability(P, QS[0], x), expected, rtol=1e-9)
    for q in QS:
        assert_allclose(minimax_value(P, q), 2 * jsd(P, q) - log(4), rtol=1e-12)

        def gain(x, q=q):
            probability = optimal_probability(P, q, np.array([x]))[0]
            return norm.pdf(x, *P) * log(probability) + norm.pdf(x, *q) * log(1 - probability)

        assert_allclose(quad(gain, -9, 12, epsabs=1e-12)[0], minimax_value(P, q), rtol=1e-9)


def test_the_optimum_of_least_squares():
    expected = (0.1989864336, 0.1123998773, 0.1956293615, 0.2262945422)
    assert_allclose([least_squares_optimum(P, q) for q in QS], expected, rtol=1e-9)
    assert_allclose(least_squares_optimum(P, P), 0.25, rtol=1e-12)


def test_the_hinge_optimum_is_twice_the_shared_mass():
    shared = quad(lambda x: min(norm.pdf(x, *P), norm.pdf(x, *QS[3])), -9, 9, points=(-1, 1), limit=200)[0]
    assert_allclose(hinge_optimum(P, QS[3]), 2 * shared, rtol=1e-7)


@pytest.mark.parametrize("name", sorted(set(DIVERGENCES) - {"tv"}))
def test_the_bound_is_tight_at_the_slope_and_lower_elsewhere(name):
    q = QS[0]
    f = DIVERGENCES[name]
    assert_allclose(bound(name, lambda x: f.slope(0.5 - x), P, q), TABLE[name][0], rtol=1e-8)
    for wrong in (lambda x: f.slope(0.4 - x), lambda x: f.slope(0.9 * (0.5 - x))):
        assert bound(name, wrong, P, q) < TABLE[name][0] - 1e-5


def activation(name: str, v):
    """The last layers of Nowozin et al., table 2, as printed."""
    return {
        "kl": lambda: v,
        "reverse_kl": lambda: -np.exp(-v),
        "pearson": lambda: v,
        "neyman": lambda: 1 - np.exp(-v),
        "hellinger": lambda: 1 - np.exp(-v),
        "jeffreys": lambda: v,
        "js": lambda: log(2) - np.log1p(np.exp(-v)),
        "gan": lambda: -np.log1p(np.exp(-v)),
    }[name]()


@pytest.mark.parametrize("name", OPTIMAL_SCORES)
def test_optimal_scores_reach_the_optimal_slope(name):
    r = np.linspace(-5, 5, 41)
    reached = activation(name, optimal_score(name, r))
    assert_allclose(reached, DIVERGENCES[name].slope(r), rtol=1e-12, atol=1e-13)


def test_optimal_scores_of_the_families_reach_the_optimal_slope():
    r = np.linspace(-5, 5, 41)
    for share in (0.2, 0.5, 0.9):
        reached = -share * log(share) - np.log1p(np.exp(-optimal_score_js_weighted(share, r)))
        assert_allclose(reached, js_weighted(share).slope(r), rtol=1e-11, atol=1e-13)
    for a in (-1.0, 0.5):
        reached = 1 / (1 - a) - np.logaddexp(0, -optimal_score_alpha(a, r))
        assert_allclose(reached, alpha(a).slope(r), rtol=1e-11, atol=1e-13)


def test_generator_gradients_at_the_optimal_discriminator():
    expected = {
        0.5: (0.235263506, 0.264736494, 0.5),
        1.0: (0.397972867, 0.602027133, 1.0),
        2.0: (0.449599509, 1.55040049, 2.0),
        3.0: (0.295863753, 2.70413625, 3.0),
        5.0: (0.0473796172, 4.95262038, 5.0),
    }
    for theta, row in expected.items():
        assert_allclose(list(generator_gradients(theta).values()), row, rtol=5e-9)


def test_generator_gradients_are_derivatives_of_divergences():
    h, theta = 1e-4, 1.3
    low, high = Gaussian(theta - h, 1.0), Gaussian(theta + h, 1.0)
    gradients = generator_gradients(theta)
    minimax = (2 * jsd(P, high) - 2 * jsd(P, low)) / (2 * h)
    reverse = (closed_form("kl", high, P) - closed_form("kl", low, P)) / (2 * h)
    assert_allclose(gradients["mm"], minimax, rtol=1e-6)
    assert_allclose(gradients["ns"], reverse - minimax, rtol=1e-6)
    assert_allclose(gradients["mm"] + gradients["ns"], theta, rtol=1e-12)


def test_wasserstein_distances_of_gaussians():
    assert_allclose([wasserstein_1(P, q) for q in QS], (1, 2, 1.1666309410, 0.5833154706), rtol=1e-9)
    assert_allclose([wasserstein_2_squared(P, q) for q in QS], (1, 4, 2, 0.5), rtol=1e-12)
    levels = (np.arange(20_000) + 0.5) / 20_000
    x, y = norm.ppf(levels), norm.ppf(levels, *QS[3])
    shuffled = np.random.default_rng(0).permutation(y)
    assert_allclose(sample_wasserstein(x, shuffled), wasserstein_1(P, QS[3]), rtol=1e-4)
    assert_allclose(sample_wasserstein(x, shuffled, order=2), wasserstein_2_squared(P, QS[3]), rtol=1e-4)


def test_the_frechet_distance_adds_over_independent_dimensions():
    means, sds = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    value = frechet_distance(means, sds, np.array([2.0, 1.5]), np.array([0.5, 3.0]))
    first = wasserstein_2_squared(P, Gaussian(2.0, 0.5))
    assert_allclose(value, first + wasserstein_2_squared(Gaussian(1.0, 2.0), Gaussian(1.5, 3.0)), rtol=1e-12)


def test_the_bias_of_fid_is_what_simulations_show():
    n, d, random = 1000, 8, np.random.default_rng(0)

    def fid() -> float:
        x, y = random.standard_normal((2, n, d))
        a, b = np.cov(x.T), np.cov(y.T)
        roots = np.sqrt(np.linalg.eigvals(a @ b).real)
        return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b) - 2 * roots.sum())

    simulated = np.array([fid() for _ in range(200)])
    assert simulated.min() > 0
    assert_allclose(simulated.mean(), fid_bias(n, d), rtol=0.06)
    assert_allclose([fid_bias(2000, 8), fid_bias(4000, 32)], [0.0260, 0.1480], atol=5e-5)


def test_the_inception_score_of_given_rows():
    assert_allclose(inception_score(np.eye(10)), 10, rtol=1e-12)
    assert_allclose(inception_score(np.full((5, 4), 0.25)), 1, rtol=1e-12)
    assert_allclose(inception_score(np.array([[0.9, 0.1], [0.1, 0.9]])), 1.4449348, rtol=1e-7)


def test_the_density_of_a_mixture():
    mixture = Mixture1D((0.25, 0.75), (-2.0, 1.0), (0.5, 2.0))
    x = np.array([-3.0, 0.0, 4.0])
    assert_allclose(
        np.exp(mixture.log_density(x)), 0.25 * norm.pdf(x, -2, 0.5) + 0.75 * norm.pdf(x, 1, 2), rtol=1e-12
    )
    assert_allclose(mixture.mean, 0.25, rtol=1e-12)
    assert_allclose(mixture.sd**2, 0.25 * (4 + 0.25) + 0.75 * (1 + 4) - 0.25**2, rtol=1e-12)


PUBLISHED_FITS = {  # of Nowozin et al. (2016): divergence, mean and sd of the best Gaussian
    "kl": (0.2831, 1.0100, 1.8308),
    "reverse_kl": (0.2480, 1.5782, 1.6319),
    "js": (0.1280, 1.3070, 1.7542),
    "jeffreys": (0.5705, 1.3218, 1.7034),
    "pearson": (0.6457, 0.5737, 1.9274),
}


@pytest.mark.parametrize("name", PUBLISHED_FITS)
def test_the_best_gaussians_for_the_mixture_are_the_published_ones(name):
    fit = fit_gaussian(name, FGAN_MIXTURE)
    assert_allclose((divergence(name, FGAN_MIXTURE, fit), *fit), PUBLISHED_FITS[name], atol=4e-4)


def test_maximum_likelihood_matches_moments():
    fit = fit_gaussian("kl", FGAN_MIXTURE)
    assert_allclose(fit, (FGAN_MIXTURE.mean, FGAN_MIXTURE.sd), rtol=1e-6)


def test_reverse_kl_takes_the_deeper_of_two_distant_modes():
    far = Mixture1D((0.3, 0.7), (-8.0, 8.0), (1.0, 1.0))
    fit = fit_gaussian("reverse_kl", far)
    assert_allclose(fit, (8.0, 1.0), atol=1e-4)
    assert_allclose(divergence("reverse_kl", far, fit), -log(0.7), atol=1e-6)


def test_each_divergence_prefers_its_own_fit():
    names = [name for name in DIVERGENCES if name != "tv"]  # searched in a second of its own
    table = cross_divergences(FGAN_MIXTURE, {name: fit_gaussian(name, FGAN_MIXTURE) for name in names})
    assert list(table.index) == list(DIVERGENCES)
    assert np.isfinite(table.to_numpy()).all()
    for name in names:
        assert table.loc[name].min() >= table.loc[name, name] - 1e-9


@pytest.mark.slow
def test_total_variation_has_a_best_gaussian():
    fit = fit_gaussian("tv", FGAN_MIXTURE)
    best = divergence("tv", FGAN_MIXTURE, fit)
    for shift, stretch in ((0.01, 1), (-0.01, 1), (0, 1.01), (0, 0.99)):
        assert divergence("tv", FGAN_MIXTURE, Gaussian(fit.mean + shift, fit.sd * stretch)) > best


def test_the_data_set_is_the_mixture():
    mixture = MIXTURES["mixture_1d"]
    assert_allclose(mixture.means.flatten(), FGAN_MIXTURE.means)
    assert_allclose(mixture.sds, FGAN_MIXTURE.sds, rtol=1e-6)
    assert mixture.weights == FGAN_MIXTURE.weights


def test_the_theory_needs_neither_torch_nor_ray():
    code = "import sys, gansweep.theory; sys.exit(bool({'torch', 'ray', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
