"""Figures of other metrics: strips, agreement, learning, samples."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from synthetic import make_study

from gansweep.report.comparison import read_comparison
from gansweep.report.figures.metrics.agreement import _agreement_points, agreement_data, agreement_plot
from gansweep.report.figures.metrics.fid_examples import fid_examples
from gansweep.report.figures.metrics.learning import learning_data, learning_plot, plot_learning
from gansweep.report.figures.metrics.strips import (
    _leaders,
    plot_strip,
    takeaway,
    with_best,
)
from gansweep.report.figures.metrics.vector_samples import plot_vectors, vectors_data
from gansweep.report.metrics import per_trial
from gansweep.report.page import svg
from gansweep.report.style import style
from gansweep.results.row import FAILED


def test_learning_curves_count_failures_from_then_on(comparison):
    curves = learning_data(comparison, "digits")
    steps = sorted(curves["step"].unique())
    assert steps == [1000, 2000, 3000, 4000, 5000]
    assert set(curves["n"]) == {29}
    trials = comparison.finished[comparison.finished["variant"] == "mm"]
    bad_share = trials["outcome"].isin(["diverged", "timeout"]).mean()
    last = curves[(curves["variant"] == "mm") & (curves["step"] == 5000)].iloc[0]
    assert (bad_share > 0.26) == math.isinf(last["upper_quartile"])


def test_learning_curves_do_not_count_trials_that_have_not_come_so_far(tmp_path):
    study = make_study(tmp_path, variants=2, datasets=1, trials=9, running=("mm",), samples=False)
    curves = learning_data(read_comparison(study), "digits").set_index(["variant", "step"])
    assert curves.loc[("mm", 1000), "n"] == 8 and curves.loc[("mm", 5000), "n"] == 5


def test_one_evaluation_is_drawn_as_a_point():
    curve = pd.DataFrame({"step": [100], "lower_quartile": [1.0], "median": [2.0], "upper_quartile": [3.0]})
    ax = plot_learning(curve.assign(best_trial=1.0), style.Look("A", "blue", "circle"))
    assert {line.get_marker() for line in ax.lines} == {"o"}


def test_inline_svg_is_the_pages_own(comparison, tmp_path):
    plot = learning_plot(comparison, "digits")
    drawing = style.save(plot.figure, tmp_path, plot.name, plot.data)
    inlined = svg.inline_svg(drawing, "one", "A <b> & title", "what")
    assert inlined.startswith("<svg") and inlined.endswith("</svg>")
    assert '<title id="one-title">A &lt;b&gt; &amp; title</title>' in inlined
    assert not re.search(r"<style|<metadata|<!--|DejaVu", inlined)
    ids = re.findall(r' id="([^"]+)"', inlined)
    assert len(ids) == len(set(ids)) and all(name.startswith("one-") for name in ids)
    for used in re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', inlined):
        assert used in ids
    for colour in (style.INK, style.COLORS["blue"], style.PAPER):
        assert colour in drawing and colour not in inlined


def test_a_metric_that_follows_fid_agrees_fully_whichever_way_it_counts(study):
    data = agreement_data(study, "mnist").set_index("metric")
    assert list(data.index) == ["second_fid", "test_fid", "kid", "isc", "modes"]
    assert data.loc[["test_fid", "kid", "isc"], "agreement"].to_list() == [1.0] * 3
    assert 0.5 < data.loc["second_fid", "agreement"] < 1 and (data["place"] >= 1).all()
    assert ((data["low"] <= data["agreement"]) & (data["agreement"] <= data["high"])).all()


def test_agreement_is_that_of_trials_that_did_not_fail(study):
    points = _agreement_points(study, "mnist", "kid")
    survivors = study.finished[~study.finished["outcome"].isin(FAILED)]
    assert set(points["trial_id"]) == set(survivors["trial_id"]) and len(points) < len(study.finished)
    lowest = study.evaluations.groupby("trial_id")["fid"].min()
    assert (points["fid"].to_numpy() == lowest[points["trial_id"]].to_numpy()).all()


def test_agreement_needs_another_metric(plain):
    assert agreement_plot(plain, "digits") is None


def test_the_ladder_goes_from_the_best_to_the_worst_samples_in_even_ratios(study):
    examples = fid_examples(study, "mnist")
    fids = np.array([rung["last_fid"] for rung in examples])
    assert 4 <= len(examples) <= 6 and (np.diff(fids) > 0).all()
    last = study.evaluations.dropna(subset=["fid"]).groupby("trial_id")["fid"].last()
    shown = [
        t
        for t, p in zip(study.trials["trial_id"], study.trials["sample_path"], strict=True)
        if isinstance(p, str)
    ]
    assert (fids[0], fids[-1]) == (last[shown].min(), last[shown].max())
    assert all((study.folder / rung["sample_path"]).is_file() for rung in examples)


def test_no_samples_no_ladder(plain):
    assert fid_examples(plain, "digits") == []


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
