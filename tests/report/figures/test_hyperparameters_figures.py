"""Figures of hyperparameters: slices, importance, failure maps."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from figure_cases import deadly
from matplotlib.colors import to_rgb

from gansweep.report.figures.hyperparameters.failure_map import failure_plot, plot_failure_strips
from gansweep.report.figures.hyperparameters.failure_pair import MAX_DOTS, _pair_points, plot_failure_pair
from gansweep.report.figures.hyperparameters.failure_regions import (
    _epsilon_squared,
    binned,
    failure_data,
    most_predictive,
    shared,
    worst_region,
)
from gansweep.report.figures.hyperparameters.importance import importance_plot, plot_importance
from gansweep.report.figures.hyperparameters.slices import hyperparameter_data, plot_hyperparameter
from gansweep.report.style import style
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale, searched


def test_only_searched_hyperparameters_are_drawn(comparison):
    assert set(searched(comparison)) == {"lr", "beta1", "n_critic", "d_norm"}
    data = hyperparameter_data(comparison, "digits")
    assert len(data) == 3 * 30 * 4


def test_hyperparameter_panels_put_successes_below_and_failed_defaults_on_top():
    trials = [("ok", 10.0, 0.3, False), ("diverged", math.inf, 0.9, False), ("diverged", math.inf, 0.5, True)]
    points = pd.DataFrame(trials, columns=["outcome", "score", "value", "is_default"])
    ax = plot_hyperparameter(points, Scale("uniform", (0.0, 1.0)), style.Look("A", "blue", "circle"))
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots.get_xydata(), [[0.3, 10.0]])
    (star,) = [line for line in ax.lines if line.get_marker() == "*"]
    assert star.get_xdata()[0] == 0.5 and star.get_ydata()[0] > 1  # above the panel, in the strip


def test_the_strip_shows_the_share_of_bad_trials():
    outcomes = ["ok", "ok", "diverged", "collapsed"] * 2
    points = pd.DataFrame({"outcome": outcomes, "score": 5.0, "value": [False] * 4 + [True] * 4})
    ax = plot_hyperparameter(
        points.assign(is_default=False), Scale("choice", (False, True)), style.Look("A", "blue", "circle")
    )
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in ax.collections]
    lanes = [area for area in ax.collections if to_rgb(style.DIVERGED) == tuple(area.get_facecolor()[0][:3])]
    assert len(lanes) == 2
    assert min(tops) == pytest.approx(1.05 + 0.26 / 2)


def test_the_cells_of_a_failure_map_hold_every_trial_once(study):
    cells = failure_data(study, "mnist")
    assert set(cells["parameter"]) == {"lr", "beta1", "n_critic", "d_norm"}  # one variant alone has a penalty
    for variant, mine in study.finished.groupby("variant"):
        for _, there in cells[cells["variant"] == variant].groupby("parameter"):
            assert there["trials"].sum() == len(mine)
            assert there["bad"].sum() == (mine["outcome"] != "ok").sum()
    assert ((cells["low_95"] <= cells["share"]) | cells["share"].isna()).all()


def test_cells_of_few_trials_are_blank(study):
    order = list(study.variants)
    everything = failure_data(study, "mnist")
    for name, scale in shared(study).items():
        cells = everything[everything["parameter"] == name]
        ax = plot_failure_strips(cells, scale, order)
        assert len(ax.texts) == len(ax.patches) == (cells["trials"] >= MIN_TRIALS_PER_BIN).sum()


def test_a_number_is_bold_where_its_interval_lies_above_the_variants_share():
    scale = Scale("uniform", (0.0, 1.0))
    numbers = {"trials": [40, 40], "bad": [30, 2], "share": [0.75, 0.05], "low_95": [0.6, 0.01]}
    cells = pd.DataFrame({"variant": "ns", "low": [0.0, 0.5], "high": [0.5, 1.0]} | numbers)
    ax = plot_failure_strips(cells, scale, ["ns"])
    assert [(text.get_text(), text.get_fontweight()) for text in ax.texts] == [
        ("75", "bold"),
        ("5", "normal"),
    ]


def test_the_region_that_kills_is_found(study):
    killed = deadly(study)
    points = binned(killed, "mnist")
    region = worst_region(points, shared(killed))
    kills = killed.finished["hp_lr"] > 1e-3
    assert region.text == "lr above 0.001"
    assert (region.inside.share, region.elsewhere, region.inside.trials) == (1.0, 0.0, kills.sum())
    importances = most_predictive(points)
    assert next(iter(importances)) == "lr" and importances["lr"] > 0.7 > 0.2 > importances["beta1"]
    takeaway = failure_plot(killed, "mnist").takeaway
    assert f"lr above 0.001: 100 % of {kills.sum()} trials are bad there, 0 % elsewhere" in takeaway


def test_relevance_is_nil_on_average_where_groups_say_nothing():
    generator = np.random.default_rng(0)
    values = [_epsilon_squared(generator.integers(0, 6, 60), generator.random(60) < 0.3) for _ in range(500)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(500)
    assert _epsilon_squared(np.array([0, 1, 0, 1]), np.array([True] * 4)) == 0.0


def test_where_no_trial_is_bad_there_is_nothing_to_map(study):
    good = replace(study, trials=study.trials.assign(outcome="ok"))
    plot = failure_plot(good, "mnist")
    assert plot.figure is None and "no trial on MNIST failed" in plot.takeaway


def test_the_plane_shows_every_trial_unless_there_are_too_many(study):
    scales = {name: shared(study)[name] for name in ("lr", "d_norm")}
    points = _pair_points(binned(study, "mnist"), scales)
    assert len(points) == len(study.finished)
    for times in (1, 20):
        many = pd.concat([points] * times, ignore_index=True)
        good, bad = plot_failure_pair(many, tuple(scales.values())).lines
        assert bad.get_marker() == "x"
        n = len(good.get_xdata()) + len(bad.get_xdata())
        assert n == len(points) if times == 1 else MAX_DOTS / 2 < n <= MAX_DOTS
    assert len(bad.get_xdata()) / n == pytest.approx(points["bad"].mean(), abs=0.05)


def test_importance_finds_what_decides_and_hatches_what_may_not(importances):
    data = importances.data
    first = data.sort_values("share", ascending=False).drop_duplicates("method")
    assert first["parameter"].to_list() == ["lr", "lr"]
    assert "The two disagree" not in importances.takeaway
    names = list(data["parameter"].unique())
    for _, mine in data.groupby("method"):
        assert mine["share"].sum() == pytest.approx(1)
        ax = plot_importance(mine, names, ["ns"], ["NS GAN"])
        assert sum(patch.get_hatch() is not None for patch in ax.patches) == (mine["low"] < 0.1).sum() > 0


def test_importance_of_few_trials_is_refused(plain):
    plot = importance_plot(plain, "digits")
    assert plot.figure is None and "20 finished trials" in plot.takeaway and "NS GAN" in plot.takeaway
