"""The figures of metrics besides FID: what a trial counts for, and words and marks that follow it."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from synthetic import make_study

from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import plots
from gansweep.report.figures.known_data.coverage import coverage_data, coverage_plot, plot_coverage
from gansweep.report.figures.known_data.divergences import _rivals, cross_plot, plot_cross
from gansweep.report.figures.known_data.fits import TARGETS, fits_data, fits_plot, optimum, plot_fit
from gansweep.report.figures.metrics.strips import (
    CONDITIONAL,
    POLYGONS,
    _leaders,
    plot_strip,
    strips_plot,
    takeaway,
    with_best,
)
from gansweep.report.figures.metrics.vector_samples import plot_vectors, vectors_data
from gansweep.report.metrics import median, per_trial
from gansweep.report.style import style
from gansweep.results.row import FAILED
from gansweep.theory import divergence

SMALL = {"variants": ("ns", "wgan_gp", "vae"), "trials": 12, "samples": False}
FGANS = ("fgan_kl", "fgan_reverse_kl", "fgan_pearson", "fgan_js", "ns")


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("ring")
    options = SMALL | {"samples": True}
    return read_comparison(
        make_study(folder, datasets=("ring",), metrics=("modes", "high_quality"), **options)
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Comparison:
    metrics = ("intra_fid", "accuracy", "polygon_f1", "polygon_precision", "polygon_recall")
    return read_comparison(
        make_study(tmp_path_factory.mktemp("digits"), datasets=1, metrics=metrics, **SMALL)
    )


@pytest.fixture(scope="module")
def fgan(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("fgan")
    options = {"variants": FGANS, "datasets": ("mixture_1d",), "trials": 6, "samples": False}
    return read_comparison(make_study(folder, metrics=("mean", "sd"), **options))


def test_every_sentence_is_whole(ring, digits, fgan):
    drawn = [*plots(ring), *plots(digits), *plots(fgan)]
    assert {"coverage-ring", "polygons-digits", "conditional-digits", "fits-mixture_1d"} <= {
        p.name for p in drawn
    }
    for plot in drawn:
        for text in (plot.takeaway, plot.caption, plot.alt):
            assert text.endswith(".") and "  " not in text and "nan" not in text.split(), text


def test_a_study_without_a_metric_has_no_section_for_it(ring, fgan):
    assert strips_plot(ring, "ring", POLYGONS) is None and strips_plot(ring, "ring", CONDITIONAL) is None
    assert fits_plot(ring, "ring") is None and cross_plot(ring, "ring") is None
    assert coverage_plot(fgan, "mixture_1d") is None


def test_a_trial_counts_with_the_evaluation_that_was_asked_for(digits):
    rows = digits.evaluations
    for at, names in (("", ["intra_fid"]), ("fid", ["intra_fid"]), ("polygon_f1", ["polygon_f1"])):
        table = per_trial(digits, "digits", names, at)
        for _, trial in table[~table["outcome"].isin(FAILED)].iterrows():
            mine = rows[rows["trial_id"] == trial["trial_id"]]
            chosen = mine.iloc[-1]
            if at:
                chosen = mine.loc[mine[at].idxmin() if at == "fid" else mine[at].idxmax()]
            assert trial["step"] == chosen["step"] and trial[names[0]] == chosen[names[0]]


def test_a_failed_trial_is_the_worst_there_is(digits):
    table = per_trial(digits, "digits", ["intra_fid", "accuracy"], "fid")
    failed = table[table["outcome"].isin(FAILED)]
    assert len(failed) and len(table) == len(digits.finished)
    assert (failed["intra_fid"] == math.inf).all() and (failed["accuracy"] == 0).all()


def test_the_median_has_its_bounds_on_the_right_sides():
    up, down = (median(pd.Series(np.arange(1.0, 22.0)), higher) for higher in (True, False))
    assert (up.value, up.low, up.high) == (down.value, down.low, down.high)
    assert up.low < up.value == 11 < up.high and up.low == pytest.approx(22 - up.high)
    few = median(pd.Series([1.0, 2.0]), True)
    assert (few.low, few.high) == (-math.inf, math.inf)


def test_the_best_trial_is_that_of_the_chosen_metric(digits):
    table = per_trial(digits, "digits", ["polygon_f1", "polygon_recall"], "polygon_f1")
    for variant, mine in with_best(table, "polygon_f1").groupby("variant"):
        assert mine.loc[mine["is_best"], "polygon_f1"].tolist() == [mine["polygon_f1"].max()], variant
    by_fid = with_best(per_trial(digits, "digits", ["accuracy"], "fid"), "fid")
    for _, mine in by_fid.groupby("variant"):
        assert mine.loc[mine["is_best"], "score"].tolist() == [mine["score"].min()]


def test_the_words_name_all_that_share_the_best_median_and_no_winner_at_zero(digits):
    points = with_best(per_trial(digits, "digits", ["accuracy"], "fid"), "fid")
    equal = points.assign(accuracy=0.5, failed=False)
    assert _leaders(equal, "accuracy") == ("ns", "vae", "wgan_gp")
    assert "NS GAN, VAE and WGAN GP have the best accuracy" in takeaway(digits, equal, ["accuracy"])
    nothing = takeaway(digits, points.assign(accuracy=0.0), ["accuracy"])
    assert nothing == "No trial has any accuracy: it is 0 for all."


def test_a_strip_shows_every_trial_that_did_not_fail_once(digits):
    points = with_best(per_trial(digits, "digits", ["accuracy"], "fid"), "fid")
    ax = plot_strip(points, "accuracy", list(digits.variants), style.looks(digits.manifest))
    drawn = [line for line in ax.lines if line.get_alpha() == 0.6 or line.get_zorder() == 7]
    assert sum(len(line.get_xdata()) for line in drawn) == (~points["failed"]).sum()


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


def cross(own: dict[str, float]) -> pd.DataFrame:
    """A matrix in which each variant has 1 at the divergences of others and `own` at its own."""
    names = list(own)
    rows = [
        {"divergence": row} | {f"fgan_{c}": own[row] if c == row else 1.0 for c in names} for row in names
    ]
    return pd.DataFrame(rows)


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


def test_every_sample_is_drawn_as_a_dot(ring):
    data = vectors_data(ring, "ring")
    real = data[data["variant"] == ""]
    samples = data[(data["variant"] == "ns") & (data["kind"] == "best")]
    ax = plot_vectors(real, samples, style.Look("A", "blue", "circle"))
    for patch, points in zip(ax.patches, (real, samples), strict=True):
        np.testing.assert_array_equal(patch.get_path().vertices[::2], points[["x0", "x1"]])
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    ink = np.asarray(canvas.buffer_rgba())[..., :3]
    assert (np.abs(ink.astype(int) - [0, 78, 143]).sum(-1) < 60).sum() > 300  # blue: the dots are there


def test_densities_of_numbers_integrate_to_one(tmp_path):
    study = make_study(tmp_path, variants=("ns",), datasets=("mixture_1d",), trials=3)
    data = vectors_data(read_comparison(study), "mixture_1d")
    real = data[data["variant"] == ""]
    ax = plot_vectors(real, real, style.Look("A", "blue", "circle"))
    for stairs in ax.patches:
        values, edges, _ = stairs.get_data()
        assert float((values * np.diff(edges)).sum()) == pytest.approx(1)
