"""The report's statistics against enumeration, published numbers and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gansweep.report.statistics import (
    compare_pairs,
    holm,
    improvement,
    largest_budget,
    luck_band,
    mean_best,
    median_best,
    quantile,
    times,
    wilson,
)

INF = math.inf


def scores(n: int, seed: int = 0, failed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).lognormal(3, 0.5, n)
    values[:failed] = INF
    return np.sort(values)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_quantile_is_that_of_type_8(p):
    y = scores(17)
    assert quantile(y, p) == pytest.approx(np.quantile(y, p, method="median_unbiased"), rel=1e-12)


def test_the_quantile_keeps_failures_without_inventing_numbers():
    y = np.array([1.0, 2.0, INF, INF])
    assert quantile(y, 0.25) == pytest.approx(np.quantile([1, 2, 9, 9], 0.25, method="median_unbiased"))
    assert quantile(y, 0.5) == INF  # half way between 2 and a failure
    assert quantile(y, 0.9) == INF
    assert quantile(np.full(3, INF), 0.5) == INF


@pytest.mark.parametrize(("k", "expected"), [(1, 5.5), (2, 3.6666667), (3, 2.75), (5, 1.8333333), (10, 1.0)])
def test_the_mean_of_the_best_has_the_published_values(k, expected):
    assert mean_best(np.arange(1.0, 11.0), k, cap=100.0) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("k", "expected"), [(2, 20.0), (3, 15.0), (5, 10.0)])
def test_the_mean_of_the_best_has_the_published_values_for_uneven_scores(k, expected):
    assert mean_best(np.array([10.0, 20.0, 30.0, 40.0, 100.0]), k, cap=1e3) == pytest.approx(expected)


def test_the_mean_of_the_best_is_the_average_over_all_subsets():
    y = scores(7, failed=2)
    for k in range(1, 8):
        subsets = [min(min(subset), 60.0) for subset in itertools.combinations(y, k)]
        assert mean_best(y, k, cap=60.0) == pytest.approx(np.mean(subsets), rel=1e-12)


def test_the_mean_of_the_best_is_stable_for_many_trials():
    assert mean_best(np.ones(2000), 1000, cap=2.0) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("k", [1, 5, 700, 10_000])
def test_ten_thousand_trials_are_exact(k):
    """The best of k of 1, ..., N is (N + 1) / (k + 1) on average; scipy has the ranks of the bounds."""
    n, p = 10_000, 1 - 0.5 ** (1 / k)
    y = np.arange(1.0, n + 1)
    assert mean_best(y, k, cap=2.0 * n) == pytest.approx((n + 1) / (k + 1), rel=1e-10)
    low, high = (int(stats.binom.ppf(tail, n, p)) for tail in (0.025, 0.975))
    assert (median_best(y, k).low, median_best(y, k).high) == (low or -INF, high + 1)


def test_the_mean_of_the_best_is_that_of_opda():
    """An independent implementation by the authors of the median curve."""
    opda = pytest.importorskip("opda.nonparametric")
    y, ks = scores(60), np.array([1, 2, 7, 20, 60])
    expected = opda.EmpiricalDistribution(y).u_tuning_curve(ks, minimize=True)
    np.testing.assert_allclose([mean_best(y, int(k), cap=INF) for k in ks], expected, rtol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 4.5, 11])
def test_quantiles_of_the_best_are_those_of_opda_up_to_interpolation(k):
    """opda takes a score itself, we interpolate: never further than to its neighbours."""
    opda = pytest.importorskip("opda.nonparametric")
    y = scores(60, failed=7)
    curve = opda.EmpiricalDistribution(y).quantile_tuning_curve
    low, high = luck_band(y, k)
    for ours, q in ((low, 0.1), (median_best(y, k).value, 0.5), (high, 0.9)):
        place = int(np.searchsorted(y, curve(k, q=q, minimize=True)))
        assert y[max(place - 1, 0)] <= ours <= y[min(place + 1, len(y) - 1)]


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_luck_band_holds_four_searches_in_five(k):
    """In 4,000 searches of k trials, drawn from the distribution that the trials are quantiles of."""
    y = np.linspace(0, 1, 2001)
    best = np.random.default_rng(0).uniform(size=(4000, k)).min(axis=1)
    low, high = luck_band(y, k)
    assert np.mean(best < low) == pytest.approx(0.1, abs=0.015)
    assert np.mean(best > high) == pytest.approx(0.1, abs=0.015)


def test_luck_reaches_failures_sooner_than_the_median_does():
    y = scores(40, failed=12)
    assert luck_band(y, 1)[1] == INF and math.isfinite(median_best(y, 1).value)
    assert math.isfinite(luck_band(y, 3)[1])  # three tries fail with probability 0.3^3


@pytest.mark.parametrize("k", [1, 2, 3.7, 5, 18])
def test_the_interval_takes_the_binomial_order_statistics(k):
    y = scores(100, failed=8)
    p = 1 - 0.5 ** (1 / k)
    low, high = (int(stats.binom.ppf(tail, 100, p)) for tail in (0.025, 0.975))
    estimate = median_best(y, k)
    assert (estimate.low, estimate.high) == (y[low - 1], y[high])
    assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize(("n", "k"), [(8, 1), (12, 2), (12, 1.4), (20, 3)])
def test_the_interval_covers_the_median_with_at_least_its_level(n, k):
    """Exactly: by summing over the number of scores below the true median of the best of k."""
    p = 1 - 0.5 ** (1 / k)
    estimate = median_best(np.arange(1.0, n + 1.0), k)  # scores that name their own rank
    low = 0 if estimate.low == -INF else int(estimate.low)
    high = n + 1 if estimate.high == INF else int(estimate.high)
    coverage = stats.binom.pmf(range(low, high), n, p).sum()
    assert 0.95 <= coverage < 1


def test_the_median_of_the_best_is_that_of_all_tuples():
    """With many trials it is, up to interpolation, the median over all draws with replacement."""
    y = np.arange(1.0, 41.0)
    best = [min(draw) for draw in itertools.product(y, repeat=3)]
    assert median_best(y, 3).value == pytest.approx(np.median(best), abs=0.6)


def test_the_interval_loses_its_lower_end_beyond_the_largest_budget():
    y = scores(50)
    k = largest_budget(50)
    assert k == pytest.approx(50 / 5.32, rel=1e-3)
    assert median_best(y, k * 0.999).low == y[0]
    assert median_best(y, k * 1.001).low == -INF


def test_failures_make_the_upper_end_unbounded():
    estimate = median_best(scores(20, failed=12), 1)
    assert estimate.high == INF and math.isfinite(estimate.low)


@pytest.mark.parametrize(("count", "n"), [(0, 8), (20, 100), (8, 8), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(count, n):
    expected = stats.binomtest(count, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(count, n), (expected.low, expected.high), atol=1e-7)


def test_the_probability_of_improvement_counts_pairs_and_halves_ties():
    x, y = np.array([1.0, 3.0, 5.0, INF]), np.array([3.0, 4.0, INF])
    pairs = [(a < b) + 0.5 * (a == b) for a in x for b in y]
    assert improvement(x, y)[0] == pytest.approx(np.mean(pairs))


def test_the_probability_of_improvement_at_a_budget_counts_all_draws():
    x, y, k = np.array([1.0, 3.0, 6.0, INF]), np.array([2.0, 3.0, INF]), 3
    draws = itertools.product(itertools.product(x, repeat=k), itertools.product(y, repeat=k))
    wins = [(min(a) < min(b)) + 0.5 * (min(a) == min(b)) for a, b in draws]
    assert improvement(x, y, k)[0] == pytest.approx(np.mean(wins), rel=1e-12)


@pytest.mark.parametrize(("shift", "failed"), [(0.0, 0), (8.0, 3), (25.0, 0)])
def test_with_budget_one_the_test_is_that_of_mann_and_whitney(shift, failed):
    x, y = scores(20, seed=1, failed=failed), scores(25, seed=2, failed=2 * failed) + shift
    share, p = improvement(x, y)
    expected = stats.mannwhitneyu(x, y, method="asymptotic")
    assert share == pytest.approx(1 - expected.statistic / (20 * 25), rel=1e-12)
    assert p == pytest.approx(expected.pvalue, abs=0.02)


def test_the_test_is_exact_for_few_trials():
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0, 7.0, 8.0])
    assert improvement(x, y)[1] == pytest.approx(2 / math.comb(8, 4), abs=0.005)


def test_the_test_keeps_its_level():
    """Under one distribution, one test in twenty is significant at 0.05."""
    p_values = [improvement(scores(12, 2 * s, 2), scores(12, 2 * s + 1, 2), 2)[1] for s in range(150)]
    assert 0.0 < np.mean(np.array(p_values) < 0.05) < 0.1


def test_holm_adjusts_step_down():
    """By hand: 4 x 0.001, 3 x 0.01, 2 x 0.02 and then no less than that."""
    assert holm([0.02, 0.001, 0.03, 0.01]) == pytest.approx([0.04, 0.004, 0.04, 0.03])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_leading_group_holds_what_cannot_be_told_apart():
    same, worse = scores(40, seed=4), scores(40, seed=5) * 3
    group = compare_pairs({"worse": worse, "a": same, "b": scores(40, seed=6)}, k=3).leading
    assert set(group) == {"a", "b"}
    assert median_best({"a": same, "b": scores(40, seed=6)}[group[0]], 3).value == min(
        median_best(same, 3).value, median_best(scores(40, seed=6), 3).value
    )


def test_the_leading_group_asks_for_the_budget_not_for_the_average():
    """Fragile but excellent beats safe but mediocre, given tries."""
    fragile = np.sort(np.concatenate([np.full(20, 5.0) + np.arange(20) / 100, np.full(20, INF)]))
    safe = 10 + np.arange(40) / 100
    assert compare_pairs({"safe": safe, "fragile": fragile}, k=7).leading == ("fragile",)
    assert compare_pairs({"safe": safe, "fragile": fragile[12:]}, k=1).leader == "safe"


def test_a_lone_variant_leads():
    alone = compare_pairs({"only": np.array([1.0, INF])})
    assert alone.leading == ("only",) and alone.effects == {} and alone.ahead == ()


def test_nobody_leads_where_all_runs_fail():
    assert compare_pairs({"a": np.full(6, INF), "b": np.full(6, INF)}).leading == ()


def test_how_many_times_a_score_is_another():
    assert (times(3.0, 2.0), times(0.0, 2.0), times(-1.0, 2.0)) == (1.5, 0.0, 0.0)
    assert (times(1.0, 0.0), times(1.0, -1.0), times(0.0, -1.0)) == (INF, INF, 1.0)
