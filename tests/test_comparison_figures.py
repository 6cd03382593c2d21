"""The figures that compare variants: what they draw and say follows from the results."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation
from msgspec import structs
from synthetic import make_study

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.costs import equal_cost, trial_costs
from gansweep.report.figures.base import Plot
from gansweep.report.figures.cost.cost import cost_data, cost_plot, plot_cost
from gansweep.report.figures.cost.pareto import pareto_data, pareto_plot
from gansweep.report.figures.fresh_seeds.effects import effects_data, effects_plot, plot_effects
from gansweep.report.figures.fresh_seeds.pairwise import improvement_data, improvement_plot, plot_improvement
from gansweep.report.figures.known_data.f1_budget import (
    _chances,
    _weighted_median,
    f1_budget_plot,
    f1_data,
    plot_f1,
)
from gansweep.report.figures.search.budget import budgets
from gansweep.report.figures.search.budget_each import budget_each_data, budget_each_plot, plot_budget_each
from gansweep.report.figures.search.profile import plot_profile, profile_data, profile_plot
from gansweep.report.figures.search.transfer import (
    _transfer_summary,
    plot_transfer,
    transfer_data,
    transfer_plot,
)
from gansweep.report.figures.search.variance import plot_variance, variance_data, variance_plot
from gansweep.report.style import style
from gansweep.report.style.style import Look

POLYGONS = ("polygon_f1", "polygon_precision", "polygon_recall")
PHASES = {
    "confirm": {"top": 2, "reruns": 2, "seeds": 10},
    "replicate": {"configurations": 6, "seeds": 3},
    "same_configurations": True,
    "metrics": POLYGONS,
    "samples": False,
}
A = Look("A", "blue", "circle")
PER_DATASET = (budget_each_plot, effects_plot, improvement_plot, cost_plot, f1_budget_plot)
PER_STUDY = (profile_plot, variance_plot, pareto_plot, transfer_plot)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Comparison:
    """A study with all phases; one of its variants always fails."""
    folder = tmp_path_factory.mktemp("whole")
    study = make_study(folder, ("ns", "wgan_gp", "vae", "began"), trials=30, fail=("began",), **PHASES)
    return read_comparison(study)


@pytest.fixture(scope="module")
def plots(whole) -> dict[str, Plot]:
    made = [make(whole) for make in PER_STUDY] + [make(whole, "digits") for make in PER_DATASET]
    return {plot.name: plot for plot in made}


def test_every_figure_is_drawn_with_whole_sentences(plots):
    assert len(plots) == len(PER_STUDY) + len(PER_DATASET)
    for plot in plots.values():
        assert plot.figure is not None and len(plot.data)
        for text in (plot.takeaway, plot.caption, plot.alt):
            assert text.endswith(".") and "  " not in text and "nan" not in text.lower().split(), text
        assert plot.question.endswith("?")
        assert plot.figure.get_size_inches()[0] <= style.WIDTH


def test_no_name_is_cut_off_or_covers_another(whole, plots):
    """The names beside points and curves, once everything is laid out."""
    for plot in (plots["pareto"], plots["cost-digits"], plots["profile"]):
        plot.figure.draw_without_rendering()
        names = {whole.label(variant) for variant in whole.variants}
        for ax in plot.figure.axes:
            boxes = [text.get_window_extent() for text in ax.texts if text.get_text() in names]
            assert all(plot.figure.bbox.containsx(x) for box in boxes for x in box.intervalx)
            pairs = combinations([box.shrunk(0.9, 0.6) for box in boxes], 2)
            assert not any(one.overlaps(other) for one, other in pairs)


@pytest.mark.parametrize("make", [budget_each_plot, cost_plot, f1_budget_plot])
def test_curves_of_the_best_of_k_are_refused_where_trials_depend_on_each_other(whole, make):
    learned = replace(whole, manifest=structs.replace(whole.manifest, sampler="tpe"))
    plot = make(learned, "digits")
    assert plot.figure is None and plot.data.empty and "depend on each other" in plot.takeaway


def test_a_search_that_learns_has_a_profile_of_its_fresh_seeds_only(whole):
    learned = replace(whole, manifest=structs.replace(whole.manifest, sampler="tpe"))
    assert set(profile_data(learned)["runs"]) == {"seeds"}
    unconfirmed = replace(learned, reruns=learned.reruns.iloc[:0])
    plot = profile_plot(unconfirmed)
    assert plot.figure is None and "tpe" in plot.takeaway and plot.takeaway.endswith(".")


def test_what_a_study_has_not_done_is_not_shown(tmp_path):
    study = make_study(tmp_path, variants=2, datasets=1, trials=4, samples=False)
    comparison = read_comparison(study)
    assert effects_plot(comparison, "digits") is improvement_plot(comparison, "digits") is None
    assert variance_plot(comparison) is transfer_plot(comparison) is None
    assert f1_budget_plot(comparison, "digits") is None
    plot = budget_each_plot(comparison, "digits")  # three trials besides the default
    assert plot.figure is None and "6 finished configurations" in plot.takeaway


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


def test_effects_are_of_the_fresh_seeds_and_relative_to_their_leader(whole):
    effects = effects_data(whole, "digits").set_index("variant")
    scores = whole.confirmed_scores("digits")
    leader = next(iter(scores))
    assert effects.index[0] == leader and math.isnan(effects.loc[leader, "ratio"])
    for variant in list(scores)[1:]:
        effect = statistics.effects(scores, leader)[variant]
        assert (effects.loc[variant, "ratio"], effects.loc[variant, "p"]) == (effect.ratio.value, effect.p)
        better = np.less.outer(scores[variant], scores[leader]).mean()
        ties = np.equal.outer(scores[variant], scores[leader]).mean()
        assert effects.loc[variant, "improvement"] == pytest.approx(better + ties / 2)


def test_an_effect_without_a_bound_ends_in_an_arrow():
    rows = [("lead", math.nan, math.nan, math.nan), ("a", 1.2, 1.1, 1.4), ("b", 1.5, 0.9, math.inf)]
    effects = pd.DataFrame(rows, columns=["variant", "ratio", "low", "high"])
    ax = plot_effects(effects, dict.fromkeys(("lead", "a", "b"), A))
    arrows = [text for text in ax.texts if isinstance(text, Annotation)]
    assert len(arrows) == 1 and arrows[0].xy[1] == 2
    assert "fail" in {text.get_text() for text in ax.texts}
    bounded = plot_effects(effects.iloc[:2], dict.fromkeys(("lead", "a"), A))
    assert not bounded.texts


def test_only_pairs_that_are_separable_are_coloured():
    rows = [("a", "b", 0.9, 0.001), ("a", "c", 0.6, 0.3), ("b", "c", 0.55, 1.0)]
    pairs = pd.DataFrame(rows + [(r, v, 1 - s, p) for v, r, s, p in rows])
    pairs.columns = ["variant", "rival", "share", "adjusted"]
    ax = plot_improvement(pairs, dict.fromkeys("abc", A))
    (cell,) = ax.patches
    assert (cell.get_x() + 0.48, cell.get_y() + 0.46) == (1, 0)
    texts = {text.get_text(): text.get_fontstyle() for text in ax.texts}
    assert texts == {"90": "normal", "60": "italic", "55": "italic"}


def test_without_confirmation_pairs_are_of_single_trials(tmp_path):
    comparison = read_comparison(make_study(tmp_path, variants=3, datasets=1, trials=30, samples=False))
    pairs = improvement_data(comparison, "digits").set_index(["variant", "rival"])["share"]
    expected, _ = statistics.improvement(
        comparison.scores["digits", "mm"], comparison.scores["digits", "lsgan"]
    )
    assert pairs["mm", "lsgan"] == pytest.approx(expected) == pytest.approx(1 - pairs["lsgan", "mm"])
    assert "random configuration" in improvement_plot(comparison, "digits").takeaway


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
    rows = [("a", 0.5, 0.2, 0.8), ("b", math.nan, math.nan, math.nan)]
    splits = pd.DataFrame(rows, columns=["variant", "share", "low", "high"])
    ax = plot_variance(splits, ["a", "b", "c"], dict.fromkeys("abc", A))
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [
        ("too few runs", 1),
        ("too few runs", 2),
    ]
    assert ax.patches[0].get_width() == 50


def test_cost_is_the_mean_of_all_trials_times_their_number(whole):
    curves = cost_data(whole, "digits")
    assert "began" not in set(curves["variant"])  # never succeeded
    trials = whole.finished[(whole.finished["dataset"] == "digits") & (whole.finished["variant"] == "ns")]
    point = curves[(curves["variant"] == "ns") & (curves["k"] == 5)].iloc[0]
    seconds = (trials["train_seconds"] + trials["eval_seconds"]).sum()
    assert point["seconds"] == pytest.approx(5 * seconds / len(trials))
    assert point["steps"] == pytest.approx(5 * trials["steps"].mean())
    assert point["median"] == statistics.median_best(whole.scores["digits", "ns"], 5).value
    ax = plot_cost(curves, "images", {"ns": A}, "images")
    assert ax.get_xlabel() == "images, millions (log)"


def test_equal_cost_buys_fewer_trials_of_a_dearer_variant(whole):
    slow = whole.trials["variant"] == "ns"
    dear = whole.trials.assign(train_seconds=whole.trials["train_seconds"] * np.where(slow, 3, 1))
    comparison = replace(whole, trials=dear)
    spent, medians = equal_cost(comparison, "digits")
    costs = trial_costs(comparison, "digits")["seconds"]
    for variant, estimate in medians.items():
        k = spent / costs[variant]
        assert estimate.value == pytest.approx(
            statistics.median_best(comparison.scores["digits", variant], k).value
        )
        assert math.isfinite(estimate.low)
    assert spent / costs["ns"] < 0.5 * spent / costs["vae"]


def test_time_of_a_gpu_counts_by_the_share_that_a_pack_held(whole):
    shared = replace(whole, trials=whole.trials.assign(device="cuda", gpus=0.25, gpu_kind="NVIDIA T4"))
    quarter, all_of_it = (trial_costs(comparison, "digits")["seconds"] for comparison in (shared, whole))
    assert quarter.to_dict() == pytest.approx((all_of_it / 4).to_dict())


def test_the_front_has_what_no_other_beats_for_its_price(whole):
    points = pareto_data(whole)
    for _, here in points.groupby("dataset"):
        for _, point in here.iterrows():
            beaten = (here["hours"] <= point["hours"]) & (here["median"] < point["median"])
            assert point["front"] == (not beaten.any())


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


def test_the_chance_to_be_the_best_of_k_is_that_of_all_subsets():
    values = np.array([0.3, 0.9, 0.5, 0.0, 0.0])
    for k in (1, 2, 3, 5):
        counts = np.zeros(5)
        for subset in combinations(range(5), k):
            best = [i for i in subset if values[i] == max(values[j] for j in subset)]
            counts[best] += 1 / len(best)
        np.testing.assert_allclose(_chances(values, k), counts / counts.sum())


def test_a_weighted_median_has_half_of_the_weight_below():
    assert _weighted_median(np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.3, 0.2])) == 2.0
    assert _weighted_median(np.array([3.0, 1.0]), np.array([0.6, 0.4])) == 3.0


def test_f1_rises_with_the_budget_and_ends_with_the_best_trial(whole):
    curves = f1_data(whole, "digits")
    mine = curves[curves["variant"] == "wgan_gp"]
    assert mine["f1"].is_monotonic_increasing
    last, whole_trials = mine.iloc[-1], whole.finished[whole.finished["outcome"] == "ok"]
    best = whole_trials[(whole_trials["dataset"] == "digits") & (whole_trials["variant"] == "wgan_gp")]
    rows = whole.evaluations[whole.evaluations["trial_id"].isin(best["trial_id"])]
    assert last["precision"] == pytest.approx(rows.loc[rows["polygon_f1"].idxmax(), "polygon_precision"])
    bounded = mine.dropna(subset=["low"])
    assert ((bounded["low"] <= bounded["f1"]) & (bounded["f1"] <= bounded["high"])).all()
    failed = curves[curves["variant"] == "began"]
    assert (failed[["f1", "precision", "recall"]].fillna(0) == 0).all(axis=None)
    ax = plot_f1(curves, "f1", {"wgan_gp": A})
    curve = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert {line.get_color() for line in curve} == {A.color, style.FAINT}


def test_a_data_set_that_is_a_path_gives_names_of_files(whole):
    path = "folder:/data/cats@64"
    known = {path: whole.manifest.datasets["digits"]}
    changes = {"sampler": "tpe", "collapse_above": {path: 200.0}, "datasets": known}
    manifest = structs.replace(whole.manifest, **changes, selection={path: "test"})
    trials = whole.trials[whole.trials["dataset"] == "digits"].assign(dataset=path)
    cats = replace(whole, manifest=manifest, trials=trials)
    assert cost_plot(cats, path).name == "cost-folder__data_cats@64"
    assert budget_each_plot(cats, path).name == "budget-each-folder__data_cats@64"
