"""Ratios, effects, profiles, fronts and mean ranks against enumeration, scipy and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gansweep.report.statistics import (
    MeanRanks,
    compare_pairs,
    critical_difference,
    hodges_lehmann,
    improvement,
    improvement_interval,
    mean_of_shares,
    pareto,
    profile,
)

INF = math.inf


def draws(generator: np.random.Generator, n: int, scale: float = 1.0, fail: float = 0.0) -> np.ndarray:
    """Sorted log-normal scores, each of them failed with a probability."""
    values = scale * generator.lognormal(3, 0.4, n)
    return np.sort(np.where(generator.random(n) < fail, INF, values))


@pytest.mark.parametrize(("n", "m"), [(7, 9), (10, 10), (30, 25), (102, 101)])
def test_the_interval_of_the_ratio_inverts_the_rank_sum_test(n, m):
    """Just inside its ends scipy's test does not reject, just outside it does."""
    generator = np.random.default_rng(n)
    x, y = draws(generator, n, 0.7), draws(generator, m)
    estimate = hodges_lehmann(x, y)
    method = "exact" if n * m <= 10_000 else "asymptotic"

    def p(ratio: float) -> float:
        return stats.mannwhitneyu(x, ratio * y, method=method).pvalue

    assert estimate.value == pytest.approx(math.exp(np.median(np.subtract.outer(np.log(x), np.log(y)))))
    assert p(estimate.low * (1 - 1e-9)) <= 0.05 < p(estimate.low * (1 + 1e-9))
    assert p(estimate.high * (1 + 1e-9)) <= 0.05 < p(estimate.high * (1 - 1e-9))


@pytest.mark.parametrize(("n", "m"), [(3, 4), (4, 4), (5, 4), (5, 5)])
def test_the_interval_of_the_ratio_has_its_level_over_all_labellings(n, m):
    """Of all ways to call n of n + m runs x, at least 95 % give an interval that holds 1."""
    runs = np.exp(np.random.default_rng(0).normal(size=n + m))
    held = []
    for chosen in itertools.combinations(range(n + m), n):
        is_x = np.isin(np.arange(n + m), chosen)
        estimate = hodges_lehmann(np.sort(runs[is_x]), np.sort(runs[~is_x]))
        held.append(estimate.low <= 1 <= estimate.high)
    assert 0.95 <= np.mean(held) <= 1
    assert (n, m) != (5, 5) or np.mean(held) < 1  # with five runs each there is an interval at all


def test_few_runs_do_not_bound_the_ratio():
    estimate = hodges_lehmann(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    assert (estimate.low, estimate.high) == (0.0, INF)


def test_two_failures_tie_and_a_success_beats_a_failure_by_any_ratio():
    x, failed = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.full(5, INF)
    assert hodges_lehmann(x, failed).value == 0.0 and hodges_lehmann(x, failed).high == 0.0
    assert hodges_lehmann(failed, x).value == INF and hodges_lehmann(failed, x).low == INF
    nothing = hodges_lehmann(failed, failed)
    assert (nothing.value, nothing.low, nothing.high) == (1.0, 0.0, INF)


def test_failures_that_both_have_do_not_pull_the_ratio_to_one():
    x = np.array([10.0, 11.0, 12.0, INF, INF, INF])
    assert hodges_lehmann(x, 2 * x).value == pytest.approx(0.5)
    assert hodges_lehmann(2 * x, x).value == pytest.approx(2.0)


@pytest.mark.parametrize("fail", [0.0, 0.3])
def test_the_interval_of_the_ratio_covers_the_true_ratio(fail):
    """400 simulations of 12 against 10 runs; their standard error is 1.1 %."""
    generator, held = np.random.default_rng(1), []
    for _ in range(400):
        estimate = hodges_lehmann(draws(generator, 12, 0.8, fail), draws(generator, 10, 1.0, fail))
        held.append(estimate.low <= 0.8 <= estimate.high)
    assert 0.925 <= np.mean(held) <= 0.995


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_the_interval_of_the_improvement_covers_it(shift):
    """400 simulations of 12 against 10 normal scores; their standard error is 1.1 %."""
    generator, truth, held = np.random.default_rng(4), stats.norm.cdf(shift / math.sqrt(2)), []
    for _ in range(400):
        x, y = generator.normal(-shift, 1, 12), generator.normal(0, 1, 10)
        estimate = improvement_interval(np.sort(x), np.sort(y))
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        held.append(estimate.low <= truth <= estimate.high)
    assert 0.92 <= np.mean(held) <= 0.985


@pytest.mark.parametrize(("n", "m", "k"), [(6, 6, 1), (10, 14, 1), (20, 12, 3)])
def test_better_and_worse_are_one_test(n, m, k):
    """Else a verdict could separate what the figure beside it does not."""
    generator = np.random.default_rng(6)
    x, y = draws(generator, n, 0.6, 0.1), draws(generator, m, 1.0, 0.1)
    (share, p), (reverse, q) = improvement(x, y, k), improvement(y, x, k)
    assert p == q < 1 and share + reverse == pytest.approx(1)
    assert compare_pairs({"x": x, "y": y}, k).leading == (("x",) if p < 0.05 else ("x", "y"))


def test_the_interval_of_the_improvement_solves_its_equation():
    """At each end the estimate is 1.96 of that end's standard errors away (Newcombe's formula)."""
    generator = np.random.default_rng(5)
    x, y = draws(generator, 25, 0.8, 0.1), draws(generator, 20, 1.0, 0.1)
    estimate = improvement_interval(x, y)
    assert estimate.value == pytest.approx(improvement(x, y)[0], abs=1e-12)
    for end in (estimate.low, estimate.high):
        sizes = 1 + 21.5 * (1 - end) / (2 - end) + 21.5 * end / (1 + end)
        error = math.sqrt(end * (1 - end) * sizes / 500)
        assert abs(end - estimate.value) == pytest.approx(1.959964 * error, rel=1e-6)


def test_complete_separation_is_no_certainty():
    low, high = np.arange(1.0, 11.0), np.arange(11.0, 21.0)
    better, worse = improvement_interval(low, high), improvement_interval(high, low)
    assert better.value == better.high == 1.0 and 0.6 < better.low < 0.9
    assert worse.value == worse.low == 0.0 and worse.high == pytest.approx(1 - better.low)


@pytest.mark.parametrize(("x", "y"), [([1, 2, 5], [3, 4, 6, 7]), ([1, 2, INF], [2, 2, 3, INF, INF])])
def test_the_p_value_of_few_runs_counts_all_permutations(x, y):
    """Of all ways to call len(x) of the pooled scores x, the share with a rank sum as extreme, doubled."""
    pooled = np.array([*x, *y], float)
    ranks = stats.rankdata(pooled)
    sums = [ranks[list(chosen)].sum() for chosen in itertools.combinations(range(len(pooled)), len(x))]
    observed = ranks[: len(x)].sum()
    tails = np.mean(np.array(sums) <= observed + 1e-9), np.mean(np.array(sums) >= observed - 1e-9)
    found = improvement(np.array(x, float), np.array(y, float))[1]
    assert found == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)


@pytest.mark.parametrize("n", [10, 50])
def test_the_p_value_is_that_of_mann_and_whitney(n):
    generator = np.random.default_rng(n)
    x, y = np.sort(generator.normal(0, 1, n)), np.sort(generator.normal(0.6, 1, n))
    exact = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert improvement(x, y)[1] == pytest.approx(exact, rel=1e-9)


def test_permutations_of_many_trials_fit_into_memory_and_agree_with_mann_and_whitney():
    generator = np.random.default_rng(5)
    x, y = draws(generator, 500, 0.95, 0.1), draws(generator, 400, 1.0, 0.1)
    expected = stats.mannwhitneyu(x, y, method="asymptotic")
    share, p = improvement(x, y)
    assert share == pytest.approx(1 - expected.statistic / (500 * 400), rel=1e-12)
    assert p == pytest.approx(expected.pvalue, abs=0.02)


def test_the_profile_is_the_share_of_runs_near_the_best_averaged_over_data_sets():
    generator = np.random.default_rng(6)
    scores = {"a": draws(generator, 20, 1.0, 0.2), "b": draws(generator, 12, 5.0)}
    best = {"a": 10.0, "b": float(scores["b"][0])}
    ratios = np.array([1.0, 1.2, 1.5, 2.0, 4.0, INF])
    value, low, high = profile(scores, best, ratios)
    for index, ratio in enumerate(ratios[:-1]):
        expected = np.mean([np.mean(s <= ratio * best[d]) for d, s in scores.items()])
        assert value[index] == pytest.approx(expected)
    assert value[-1] == pytest.approx((np.isfinite(scores["a"]).mean() + 1) / 2)  # failures never arrive
    assert np.all(low <= value) and np.all(value <= high)
    assert low[2] < value[2] < high[2]


def test_data_sets_that_disagree_completely_leave_the_profile_uncertain():
    """All of ten runs and none of ten: by hand 0.5 -+ (1 - 0.025^(1/10)) / 2, from Clopper and Pearson."""
    scores = {"a": np.full(10, 1.0), "b": np.full(10, INF)}
    value, low, high = profile(scores, {"a": 1.0, "b": 1.0}, np.array([2.0]))
    half = (1 - 0.025 ** (1 / 10)) / 2
    assert (value[0], low[0], high[0]) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-12)


@pytest.mark.parametrize(("count", "n"), [(0, 5), (3, 10), (10, 10), (29, 30)])
def test_on_one_data_set_the_interval_is_that_of_clopper_and_pearson(count, n):
    expected = stats.binomtest(count, n).proportion_ci(method="exact")
    value, low, high = mean_of_shares(np.array([count]), np.array([n]))
    assert (value, low, high) == pytest.approx((count / n, expected.low, expected.high), abs=1e-10)


def test_distances_of_ends_are_added_as_variances_are():
    """By hand for 3 of 5 and 8 of 20: each end is the root of the sum of squares of halved distances away."""
    ends = [stats.binomtest(x, n).proportion_ci(method="exact") for x, n in ((3, 5), (8, 20))]
    value, low, high = mean_of_shares(np.array([3, 8]), np.array([5, 20]))
    assert value == pytest.approx(0.5)
    assert value - low == pytest.approx(math.hypot(0.6 - ends[0].low, 0.4 - ends[1].low) / 2, abs=1e-10)
    assert high - value == pytest.approx(math.hypot(ends[0].high - 0.6, ends[1].high - 0.4) / 2, abs=1e-10)


def test_a_profile_to_a_best_score_that_is_not_above_zero():
    """Of -1, 0, 1, 2 and a failure two count as 0, the best; four did not fail."""
    scores = {"a": np.array([-1.0, 0.0, 1.0, 2.0, INF])}
    for best in (-1.0, 0.0):
        value, low, high = profile(scores, {"a": best}, np.array([1.0, 100.0, INF]))
        assert value.tolist() == [0.4, 0.4, 0.8]
        assert np.all(low < value) and np.all(value < high)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([0.0, 1.0], [1.0, 2.0], 0.0),  # ratios 0, 0, 1/2, 1: the root of 0 times 1/2
        ([-1e-9, 1.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [0.0, 1.0], INF),  # inf, inf, 1, 2
        ([0.0, 4.0, 6.0], [2.0], 2.0),  # 0, 2, 3
        ([0.0, 0.0], [0.0, -0.5], 1.0),  # ties alone
        ([0.0, INF], [3.0, 3.0], 1.0),  # as many at 0 as at infinity
        ([0.0, INF], [INF, INF], 0.0),  # two pairs of 0, the others tie
    ],
)
def test_the_ratio_of_scores_that_are_not_above_zero(x, y, expected):
    assert hodges_lehmann(np.array(x), np.array(y)).value == expected


def test_zeros_keep_the_interval_of_the_ratio_where_the_rank_sum_test_puts_it():
    """Just inside its ends scipy's exact test accepts x = r y, just outside not; the zeros are x's own."""
    generator = np.random.default_rng(11)
    x, y = np.sort(np.append(draws(generator, 9, 0.7), 0.0)), draws(generator, 12)
    estimate = hodges_lehmann(x, y)
    for end, outward in ((estimate.low, -1), (estimate.high, 1)):
        inside, outside = (
            stats.mannwhitneyu(x, end * (1 + side * outward * 1e-9) * y, method="exact").pvalue
            for side in (-1, 1)
        )
        assert outside <= 0.05 < inside


def test_the_front_holds_what_no_other_point_beats():
    generator = np.random.default_rng(8)
    cost, value = generator.integers(0, 8, 40).astype(float), generator.integers(0, 8, 40).astype(float)
    value[:5] = INF
    beaten = [
        any((a <= c) and (b <= v) and ((a < c) or (b < v)) for a, b in zip(cost, value, strict=True))
        for c, v in zip(cost, value, strict=True)
    ]
    np.testing.assert_array_equal(pareto(cost, value), ~np.array(beaten) & np.isfinite(value))


def test_mean_ranks_are_refused_for_few_data_sets_with_the_numbers_that_say_why():
    """For 12 variants and 2 data sets Demšar's difference is 11.78 ranks."""
    generator = np.random.default_rng(9)
    one = {f"v{i}": draws(generator, 5) for i in range(12)}
    sentence = critical_difference({"a": one, "b": one})
    assert isinstance(sentence, str)
    assert "12 variants on 2 data sets" in sentence and "11.78" in sentence and "11 at most" in sentence
    assert "fewer than two variants" in critical_difference({"a": {"x": one["v0"]}, "b": one})


@pytest.mark.parametrize("m", [2, 5, 12])
def test_the_critical_difference_is_that_of_nemenyi(m):
    generator = np.random.default_rng(m)
    study = {f"d{j}": {f"v{i}": draws(generator, 5, 1 + i / 5) for i in range(m)} for j in range(10)}
    found = critical_difference(study)
    assert isinstance(found, MeanRanks)
    q = stats.studentized_range.ppf(0.95, m, np.inf) / math.sqrt(2)
    assert found.difference == pytest.approx(q * math.sqrt(m * (m + 1) / 60), rel=1e-4)
    ranks = np.mean([stats.rankdata([np.median(s) for s in here.values()]) for here in study.values()], 0)
    np.testing.assert_allclose(found.ranks, np.sort(ranks))
    assert found.names[0] == f"v{np.argmin(ranks)}"
    medians = np.array([[np.median(s) for s in here.values()] for here in study.values()])
    if m > 2:
        assert found.p == pytest.approx(stats.friedmanchisquare(*medians.T).pvalue, abs=0.03)
