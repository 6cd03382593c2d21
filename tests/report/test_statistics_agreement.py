"""Variance components and rank agreement against hand computation, scipy, statsmodels and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from gansweep.report.statistics import kendall, rank_correlation, variance_split
from gansweep.report.statistics.scores import expanded_levels

INF = math.inf
BALANCED = ([10.2, 11.9, 9.8], [14.1, 13.0, 16.2], [8.3, 7.9, 8.8], [22.5, 19.1, 25.0], [11.0, 12.4, 10.1])


def test_the_variances_are_those_of_a_mixed_model():
    """The numbers: statsmodels 0.15.0, MixedLM of log score with a random intercept, REML; for groups of one
    size REML and the estimator from mean squares agree wherever the latter is positive."""
    split = variance_split([np.array(group) for group in BALANCED])
    assert split.seed == pytest.approx(0.010966821, rel=1e-4)
    assert split.configuration == pytest.approx(0.133441634, rel=1e-4)
    assert split.share.value == pytest.approx(0.924056932, rel=1e-4)
    assert (split.n_configurations, split.n_runs, split.n_failed) == (5, 15, 0)


def test_unequal_groups_have_the_unbiased_size():
    """By hand, logs (0, 2), (4, 6, 8), (1): means 1, 6, 1, grand mean 3.5; SSW 2 + 8 = 10 on 3 degrees,
    SSB 2 x 6.25 + 3 x 6.25 + 6.25 = 37.5 on 2; n0 = (6 - 14 / 6) / 2 = 11 / 6."""
    groups = [np.exp([0.0, 2.0, INF]), np.exp([4.0, 6.0, 8.0]), np.exp([1.0]), np.array([INF, INF])]
    split = variance_split(groups)
    assert split.seed == pytest.approx(10 / 3)
    assert split.configuration == pytest.approx((37.5 / 2 - 10 / 3) / (11 / 6))
    assert (split.n_configurations, split.n_runs, split.n_failed) == (3, 6, 3)


@pytest.mark.parametrize("n", [5, 8, 30, 200])
def test_expanded_levels_are_hesterbergs(n):
    low, high = expanded_levels(n)
    assert low == pytest.approx(stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1)), rel=0.05)
    assert low + high == pytest.approx(1)


def test_configurations_that_differ_less_than_seeds_have_no_variance():
    split = variance_split([np.exp([0.0, 4.0]), np.exp([4.0, 0.1])])
    assert split.configuration == 0.0 and split.share.value == 0.0 and split.seed > 0


def test_two_configurations_with_two_good_runs_are_needed():
    assert variance_split([]) is None
    assert variance_split([np.array([1.0, 2.0, 3.0])]) is None
    assert variance_split([np.array([1.0, 2.0]), np.array([3.0, INF]), np.array([4.0])]) is None
    assert variance_split([np.array([1.0, 2.0]), np.array([3.0, 4.0])]) is not None


def test_equal_runs_have_no_share():
    split = variance_split([np.array([2.0, 2.0]), np.array([2.0, 2.0])])
    assert (split.seed, split.configuration) == (0.0, 0.0)
    assert math.isnan(split.share.value) and math.isnan(split.share.low)


def test_the_share_recovers_a_known_one():
    """100 simulated studies of 25 configurations with 2 to 4 seeds, true share 0.8. The mean is a little low,
    as ratios of estimates are, and somewhat fewer intervals than 95 % hold the truth."""
    generator, values, held = np.random.default_rng(0), [], []
    for _ in range(100):
        sizes = generator.integers(2, 5, 25)
        groups = [np.exp(generator.normal(0, 0.4) + generator.normal(0, 0.2, n)) for n in sizes]
        share = variance_split(groups).share
        values.append(share.value)
        held.append(share.low <= 0.8 <= share.high)
    assert np.mean(values) == pytest.approx(0.785, abs=0.025)
    assert np.mean(held) >= 0.87


def tied_pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(n)
    x = generator.integers(0, n // 2, n).astype(float)
    y = np.round(x + generator.normal(0, n / 5, n))
    x[:2], y[1:4] = INF, INF
    return x, y


@pytest.mark.parametrize("n", [8, 30, 90])
def test_the_correlations_are_those_of_scipy(n):
    x, y = tied_pairs(n)
    a, b = stats.rankdata(x), stats.rankdata(y)
    assert rank_correlation(x, y).value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(x, y).value == pytest.approx(stats.kendalltau(a, b).statistic)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(rank_correlation, stats.spearmanr), (kendall, stats.kendalltau)],
    ids=["spearman", "kendall"],
)
def test_the_intervals_are_those_of_a_plain_bootstrap(ours, theirs):
    x, y = (stats.rankdata(values) for values in tied_pairs(40))
    generator = np.random.default_rng(1)
    indices = generator.integers(0, 40, (800, 40))
    expected = np.quantile([theirs(x[i], y[i]).statistic for i in indices], [0.025, 0.975])
    np.testing.assert_allclose((ours(x, y).low, ours(x, y).high), expected, atol=0.04)


@pytest.mark.parametrize("statistic", [rank_correlation, kendall])
def test_a_constant_has_no_order(statistic):
    estimate = statistic(np.full(6, INF), np.arange(6.0))
    assert all(math.isnan(number) for number in (estimate.value, estimate.low, estimate.high))


def test_full_agreement_of_few_is_no_certainty():
    """Tau = 2 P(a pair agrees) - 1, and four disjoint pairs of eight agree with probability P^4."""
    x = np.arange(8.0)
    tau, rho = kendall(x, x**3), rank_correlation(x, -x)
    assert tau.value == tau.high == pytest.approx(1.0) and ((tau.low + 1) / 2) ** 4 == pytest.approx(0.025)
    assert rho.value == rho.low == pytest.approx(-1.0) and -1 < rho.high < 1


@pytest.mark.parametrize(
    ("n", "bound"), [(200, lambda tau: 1.5 * tau - 0.5), (4, lambda tau: (tau**2 + 2 * tau - 1) / 2)]
)
def test_the_bound_of_spearman_follows_from_that_of_kendall(n, bound):
    """Durbin and Stuart: the lower line for tau >= 0, the lower parabola for tau < 0."""
    x = np.arange(n * 1.0)
    tau = kendall(x, x).low
    assert (tau > 0) == (n == 200)
    assert rank_correlation(x, x).low == pytest.approx(bound(tau))


def test_kendall_of_very_many_pairs_uses_a_fixed_part_of_them():
    generator = np.random.default_rng(2)
    x = generator.normal(size=3000)
    y = x + generator.normal(size=3000)
    estimate = kendall(x, y)
    assert estimate == kendall(x, y)
    assert estimate.value == pytest.approx(0.5, abs=0.05)  # tau of a correlation of 1/sqrt(2) is 1/2
