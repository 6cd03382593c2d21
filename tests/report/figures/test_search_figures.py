"""Figures of the search: budget, distribution, failures, profile, halving, variance, transfer."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from figure_cases import A
from msgspec import structs
from synthetic import make_study

from gansweep.report import statistics
from gansweep.report.comparison import read_comparison
from gansweep.report.figures.search.budget import budget_data, budget_plot, budgets, plot_budget
from gansweep.report.figures.search.budget_each import budget_each_data, plot_budget_each
from gansweep.report.figures.search.distribution import distribution_data, plot_distribution
from gansweep.report.figures.search.failures import plot_failures
from gansweep.report.figures.search.profile import plot_profile, profile_data, profile_plot
from gansweep.report.figures.search.transfer import (
    _transfer_summary,
    plot_transfer,
    transfer_data,
)
from gansweep.report.figures.search.variance import plot_variance, variance_data
from gansweep.report.statistics import largest_budget, median_best
from gansweep.report.style import style


def test_saving_twice_gives_the_same_bytes(comparison, tmp_path):
    for folder in ("a", "b"):
        plot = budget_plot(comparison, "digits")
        style.save(plot.figure, tmp_path / folder, plot.name, plot.data)
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*.*")}
    assert {path.suffix for path in first} == {".pdf", ".png", ".svg", ".csv"}
    for path, content in first.items():
        assert (tmp_path / "b" / path).read_bytes() == content, path


def test_the_saved_numbers_are_those_of_the_curve(comparison, tmp_path):
    plot = budget_plot(comparison, "digits")
    style.save(plot.figure, tmp_path, plot.name, plot.data)
    saved = pd.read_csv(tmp_path / "data" / "budget-digits.csv").set_index(["variant", "k"])
    assert saved.loc[("ns", 3.0), "median"] == median_best(comparison.scores["digits", "ns"], 3).value


def test_budget_curves_leave_out_the_defaults_and_end_with_the_trials(comparison):
    curves = budget_data(comparison)
    assert set(curves.groupby("variant")["k"].max()) == {29}  # 30 trials, the first is the default
    bounded = curves[curves["k"] <= largest_budget(29)]
    assert bounded["low"].map(math.isfinite).all()
    assert curves[curves["k"] > largest_budget(29)]["low"].isna().all()


def test_the_budget_axes_hold_a_line_for_each_variant_in_its_colour(comparison):
    looks = style.looks(comparison.manifest)
    ax = plot_budget(budget_data(comparison), looks)
    colours = {line.get_color() for line in ax.lines}
    assert {look.color for look in looks.values()} <= colours
    assert {text.get_text() for text in ax.texts} >= {look.label for look in looks.values()}


def test_variants_without_a_look_are_grey(comparison):
    looks = {"ns": style.looks(comparison.manifest)["ns"]}
    ax = plot_budget(budget_data(comparison), looks)
    assert sum(line.get_color() == style.FAINT for line in ax.lines) == 2


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_the_budget_curve_is_refused_where_trials_depend_on_each_other(tmp_path, sampler):
    study = make_study(tmp_path, variants=2, datasets=1, trials=6, samples=False, sampler=sampler)
    plot = budget_plot(read_comparison(study), "digits")
    assert plot.figure is None and plot.data.empty
    assert sampler in plot.takeaway and "depend on each other" in plot.takeaway


def test_the_distribution_shows_every_trial_and_marks_failed_defaults(comparison):
    points = distribution_data(comparison)
    assert len(points) == 3 * 30
    looks = style.looks(comparison.manifest)
    ax = plot_distribution(points, list(comparison.variants), looks)
    dots = sum(len(line.get_xdata()) for line in ax.lines if line.get_alpha() == 0.6)
    assert dots == np.isfinite(points.loc[~points["is_default"], "score"]).sum()
    stars = [line for line in ax.lines if line.get_marker() == "*"]
    assert len(stars) == 3
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        looks[v].label for v in comparison.variants
    ]


def test_the_bars_of_failures_add_up(comparison):
    points = distribution_data(comparison)
    ax = plot_failures(points, list(comparison.variants))
    for row, variant in enumerate(comparison.variants):
        mine = points[(points["variant"] == variant) & ~points["is_default"]]
        widths = [bar.get_width() for bar in ax.patches if abs(bar.get_y() + 0.31 - row) < 1e-9]
        assert sum(widths) == pytest.approx(100 * (mine["outcome"] != "ok").mean())


def test_a_search_that_learns_has_a_profile_of_its_fresh_seeds_only(whole):
    learned = replace(whole, manifest=structs.replace(whole.manifest, sampler="tpe"))
    assert set(profile_data(learned)["runs"]) == {"seeds"}
    unconfirmed = replace(learned, reruns=learned.reruns.iloc[:0])
    plot = profile_plot(unconfirmed)
    assert plot.figure is None and "tpe" in plot.takeaway and plot.takeaway.endswith(".")


def test_long_searches_are_drawn_with_few_points():
    assert budgets(5) == [1.0, 2.0, 3.0, 4.0, 5.0]
    for n in (100, 1_000, 10_000):
        points = budgets(n)
        assert len(points) <= 200 and max(points) == n and points == sorted(set(points))


def test_the_luck_of_a_search_is_wider_than_what_many_trials_leave_unknown(tmp_path):
    study = make_study(tmp_path, variants=1, datasets=1, trials=101, samples=False)
    comparison = read_comparison(study)
    curves = budget_each_data(comparison, "digits").set_index("k")
    assert curves.index.max() == pytest.approx(statistics.largest_budget(100))
    at = curves.loc[5.0]
    assert at["luck_low"] < at["low"] < at["median"] < at["high"] < at["luck_high"]
    below = comparison.scores["digits", "mm"] <= curves.loc[1.0, "luck_low"]
    assert np.mean(below) == pytest.approx(0.1, abs=0.01)


def test_each_panel_has_a_band_two_dashed_lines_and_the_leader_in_grey(whole):
    curves = budget_each_data(whole, "digits")
    mine, leader = (curves[curves["variant"] == name] for name in ("vae", "wgan_gp"))
    ax = plot_budget_each(mine, leader, A, 100.0)
    assert len(ax.collections) == 1
    assert sum(line.get_linestyle() == "--" and line.get_color() == A.color for line in ax.lines) == 2
    (grey,) = [line for line in ax.lines if line.get_color() == style.COLLAPSED]
    np.testing.assert_array_equal(grey.get_ydata(), leader["median"])


def test_a_profile_of_runs_that_are_nearly_equal_has_each_ratio_once(whole):
    alike = whole.trials.assign(score=10.0 + 0.01 * np.arange(len(whole.trials)))
    plot = profile_plot(replace(whole, trials=alike, reruns=whole.reruns.iloc[:0]))
    assert plot.table.rows and all(len(row) == len(plot.table.columns) for row in plot.table.rows)
    assert not plot.data.duplicated(["runs", "variant", "ratio"]).any()


def test_profiles_rise_to_the_share_of_runs_that_did_not_fail(whole):
    curves = profile_data(whole)
    mine = curves[(curves["runs"] == "configurations") & (curves["variant"] == "ns")]
    assert mine["share"].is_monotonic_increasing
    scores = [whole.scores[name, "ns"] for name in whole.datasets]
    assert mine["share"].iloc[-1] == pytest.approx(np.mean([np.isfinite(s).mean() for s in scores]))
    best = {name: whole.trials.loc[whole.trials["dataset"] == name, "score"].min() for name in whole.datasets}
    again = whole.reruns.groupby("dataset")["score"].min()
    within = [np.mean(whole.scores[n, "ns"] <= 2 * min(best[n], again[n])) for n in whole.datasets]
    assert mine.loc[mine["ratio"] == 2.0, "share"].item() == pytest.approx(np.mean(within))
    never = curves[(curves["runs"] == "configurations") & (curves["variant"] == "began")]
    assert (never["share"] == 0).all()
    ax = plot_profile(curves[curves["runs"] == "seeds"], {"ns": A})
    assert sum(line.get_color() == style.FAINT for line in ax.lines) == 2  # the two others with fresh seeds


def test_the_split_of_variance_counts_every_run(whole):
    splits = variance_data(whole).set_index(["dataset", "variant"])
    assert (splits["configurations"] == 6).all() and (splits["runs"] == 6 * 4).all()
    runs = whole.replicates
    failed = runs["outcome"].isin(["diverged", "timeout", "crashed"])
    assert splits["failed"].sum() == failed.sum() > 0
    known = splits.dropna(subset=["share"])
    seed, configuration = known["sd_seed"] ** 2, known["sd_configuration"] ** 2
    np.testing.assert_allclose(known["share"], configuration / (configuration + seed))


def test_a_variant_with_too_few_runs_is_named_so():
    nothing = (math.nan, math.nan, math.nan)
    rows = [("a", 0.5, 0.2, 0.8, 1.0), ("b", *nothing, math.nan), ("d", *nothing, 0.0)]
    splits = pd.DataFrame(rows, columns=["variant", "share", "low", "high", "sd_seed"])
    ax = plot_variance(splits, ["a", "b", "c", "d"], dict.fromkeys("abcd", A))
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [
        ("too few runs", 1),
        ("too few runs", 2),
        ("all runs are equal", 3),
    ]
    assert ax.patches[0].get_width() == 50


def test_configurations_are_paired_across_data_sets(whole):
    pairs = transfer_data(whole)
    assert len(pairs) == 4 * 29
    row = pairs[pairs["variant"] == "ns"].iloc[3]
    trials = whole.finished[whole.finished["config_id"] == row["config_id"]].set_index("dataset")["score"]
    assert (row["here"], row["there"]) == (trials["digits"], trials["fashion"])


def test_what_the_best_of_one_data_set_costs_on_another():
    pairs = pd.DataFrame(
        {
            "first": "x",
            "other": "y",
            "variant": ["a"] * 4 + ["b"] * 4,
            "config_id": list("1234") * 2,
            "here": [1.0, 2.0, 3.0, math.inf, *[math.inf] * 4],
            "there": [6.0, 4.0, 8.0, math.inf, 1.0, 2.0, 3.0, 4.0],
        }
    )
    a, b = (line for _, line in _transfer_summary(pairs).iterrows())
    assert (a["moved_there"], a["regret_there"], a["moved_here"], a["regret_here"]) == (6.0, 1.5, 2.0, 2.0)
    assert (a["best_here"], a["best_there"]) == ("1", "2")
    assert a["correlation"] == pytest.approx(0.8)
    assert math.isnan(b["correlation"]) and math.isnan(b["regret_there"])
    ax = plot_transfer(pairs, {"a": A})
    assert sum(len(line.get_xdata()) for line in ax.lines) == 8 + 1  # every dot, and the best of `a`
    dots = np.concatenate([line.get_xydata() for line in ax.lines])
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert ((dots > (left, low)) & (dots < (right, high))).all()  # failures too
