"""Figures of what is known of the data: coverage, fits, divergences, F1."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from figure_cases import A

from gansweep.report.figures.known_data.coverage import coverage_data, plot_coverage
from gansweep.report.figures.known_data.divergences import _rivals, cross_plot, plot_cross
from gansweep.report.figures.known_data.f1_budget import (
    _chances,
    _weighted_median,
    f1_data,
    plot_f1,
)
from gansweep.report.figures.known_data.fits import TARGETS, fits_data, optimum, plot_fit
from gansweep.report.style import style
from gansweep.results.row import FAILED
from gansweep.theory import divergence


def cross(own: dict[str, float]) -> pd.DataFrame:
    """A matrix in which each variant has 1 at the divergences of others and `own` at its own."""
    names = list(own)
    rows = [
        {"divergence": row} | {f"fgan_{c}": own[row] if c == row else 1.0 for c in names} for row in names
    ]
    return pd.DataFrame(rows)


def test_coverage_is_drawn_in_percent_and_failures_cover_nothing(ring):
    curves = coverage_data(ring, "ring")
    trials = ring.finished[ring.finished["variant"] == "ns"]
    rows = ring.evaluations[ring.evaluations["trial_id"].isin(trials["trial_id"])]
    last = rows[rows["step"] == 5000].set_index("trial_id")["modes"].reindex(trials["trial_id"])
    failed = trials["outcome"].isin(FAILED).to_numpy()
    values = last.mask(failed & last.isna().to_numpy(), 0.0).dropna()
    line = curves[
        (curves["variant"] == "ns") & (curves["metric"] == "modes") & (curves["step"] == 5000)
    ].iloc[0]
    assert line["n"] == len(values) and line["median"] == pytest.approx(values.median(), abs=0.5)
    mine = curves[curves["variant"] == "ns"]
    ax = plot_coverage(mine, 8, style.Look("A", "blue", "circle"))
    drawn = ax.lines[1].get_ydata()
    np.testing.assert_allclose(drawn, mine.loc[mine["metric"] == "modes", "median"] / 8 * 100)


def test_the_optimum_minimises_its_own_divergence():
    target = TARGETS["mixture_1d"]
    best = optimum("pearson", target)
    for mean, sd in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        moved = best._replace(mean=best.mean + mean, sd=best.sd + sd)
        assert divergence("pearson", target, moved) > divergence("pearson", target, best)


def test_the_fits_are_drawn_beside_their_optima(fgan):
    fits = fits_data(fgan, "mixture_1d").set_index("variant")
    assert set(fits["mean"]) == {1.0} and set(fits["sd"]) == {2.0}
    assert math.isnan(fits.loc["ns", "optimal_mean"])
    assert fits.loc["fgan_kl", ["optimal_mean", "optimal_sd"]].tolist() == pytest.approx(
        [1.01, 1.8311], abs=1e-3
    )
    trials = pd.DataFrame({"mean": [1.0], "sd": [2.0]})
    ax = plot_fit(fits.loc["fgan_kl"], trials, TARGETS["mixture_1d"], style.Look("A", "blue", "circle"))
    best = ax.lines[-1]
    assert best.get_linestyle() == "--"
    assert best.get_xdata()[best.get_ydata().argmax()] == pytest.approx(1.01, abs=0.1)
    assert (
        len(plot_fit(fits.loc["ns"], trials, TARGETS["mixture_1d"], style.Look("A", "blue", "circle")).lines)
        == 2
    )


def test_divergences_with_one_optimum_share_the_expected_minimum():
    columns = ["fgan_kl", "fgan_js", "fgan_gan", "fgan_hellinger", "fgan_alpha", "ns"]
    assert _rivals("js", columns, "mixture_1d") == ["fgan_js", "fgan_gan"]
    assert _rivals("hellinger", columns, "mixture_1d") == ["fgan_hellinger", "fgan_alpha"]
    assert _rivals("kl", columns, "mixture_1d") == ["fgan_kl"]


def test_the_lowest_of_each_row_is_bold_and_the_expected_one_framed(fgan):
    table = cross({"kl": 0.5, "pearson": 2.0, "js": 0.9})
    ax = plot_cross(table, style.looks(fgan.manifest), "mixture_1d")
    bold = {(text.get_position()) for text in ax.texts if text.get_fontweight() == "bold"}
    assert bold == {(0, 0), (0, 1), (2, 1), (2, 2)}  # both others tie where pearson is not best at its own
    framed = {round(box.get_x() + 0.46) for box in ax.patches if not box.get_fill()}
    assert framed == {0, 1, 2}


def test_the_words_on_cross_divergences_count_what_holds(fgan):
    plot = cross_plot(fgan, "mixture_1d")
    assert plot is not None and "ns" in plot.data
    values = plot.data.set_index("divergence")
    # All variants have learned the same Gaussian, so the first one has every minimum.
    assert (values.nunique(axis=1) == 1).all()
    winner = values.columns[0].removeprefix("fgan_")
    held = sum(f"fgan_{winner}" in _rivals(row, list(values.columns), "mixture_1d") for row in values.index)
    assert plot.takeaway.startswith(f"It holds for {held} of {len(values)} divergences")


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
