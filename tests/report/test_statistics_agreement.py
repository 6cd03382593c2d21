"""Variance components and rank agreement against hand computation, scipy, statsmodels and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from gansweep.report.statistics import kendall, rank_correlation, variance_split

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


def test_seeds_that_all_agree_are_no_certainty():
    """Were a seed to change the outcome with chance q, n = 4 runs would show none with chance (1 - q)^4; two
    seeds of one configuration then have a correlation of (1 - q)^2: 0.025^(2/4)."""
    share = variance_split([np.array([3.0, 3.0]), np.array([5.0, 5.0])]).share
    assert (share.value, share.low, share.high) == (1.0, pytest.approx(0.025**0.5), 1.0)
    more = variance_split([np.full(3, 0.1 * i) for i in range(1, 11)] + [np.array([7.0])]).share
    assert (more.value, more.low) == (1.0, pytest.approx(0.025 ** (2 / 30)))  # one run alone agrees with none


def test_configurations_that_are_all_alike_are_no_certainty_of_none():
    share = variance_split([np.array([1.0, 3.0]), np.array([1.0, 3.0])]).share
    assert share.value == share.low == 0.0 and 0.9 < share.high < 1


def test_equal_numbers_of_seeds_have_the_interval_of_searle():
    """The F interval of the intraclass correlation by scipy, for means without excess kurtosis."""
    groups = np.exp(np.arange(6.0)[:, None] / 4 + np.array([-0.1, 0.0, 0.1]))
    logs = np.log(groups)
    f = 3 * logs.mean(1).var(ddof=1) / (logs.var(axis=1, ddof=1).mean())
    share = variance_split(list(groups)).share
    low = (f / stats.f.ppf(0.975, 5, 12) - 1) / 3
    high = (f / stats.f.ppf(0.025 * stats.f.cdf(f, 5, 12), 5, 12) - 1) / 3
    assert share.low == pytest.approx(low / (1 + low), rel=1e-9)
    assert share.high == pytest.approx(high / (1 + high), rel=1e-9)


@pytest.mark.parametrize("lowest", [0.0, -1e-9])
def test_where_a_score_has_no_logarithm_the_variances_are_of_the_score(lowest):
    """By hand: means 0.5 and 2.5, within 0.5 + 0.5 on 2 degrees; between 4, so (4 - 0.5) / 2."""
    split = variance_split([np.array([lowest, 1.0]), np.array([2.0, 3.0])])
    assert not split.is_log
    assert (split.seed, split.configuration) == pytest.approx((0.5, 1.75))
    assert split.share.low <= split.share.value == pytest.approx(1.75 / 2.25)
    positive = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    assert variance_split(positive).is_log and not variance_split(positive, log=False).is_log
    assert variance_split(positive, log=False).seed == pytest.approx(0.5)


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
