"""What holds for all figures."""

import itertools
import math
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from figure_cases import PER_DATASET, PER_STUDY, manifest
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle
from msgspec import structs
from synthetic import make_study

from gansweep.report import statistics
from gansweep.report.comparison import read_comparison
from gansweep.report.costs import equal_cost, trial_costs
from gansweep.report.figures import plots
from gansweep.report.figures.cost.cost import cost_plot
from gansweep.report.figures.fresh_seeds.effects import effects_plot
from gansweep.report.figures.fresh_seeds.finalists import (
    finalists_plot,
)
from gansweep.report.figures.fresh_seeds.lucic2018 import (
    published_plot,
)
from gansweep.report.figures.fresh_seeds.pairwise import improvement_plot
from gansweep.report.figures.hyperparameters.failure_map import failure_plot
from gansweep.report.figures.hyperparameters.importance import importance_plot
from gansweep.report.figures.known_data.coverage import coverage_plot
from gansweep.report.figures.known_data.divergences import cross_plot
from gansweep.report.figures.known_data.f1_budget import (
    f1_budget_plot,
)
from gansweep.report.figures.known_data.fits import fits_plot
from gansweep.report.figures.metrics.agreement import agreement_plot
from gansweep.report.figures.metrics.strips import (
    CONDITIONAL,
    POLYGONS,
    strips_plot,
)
from gansweep.report.figures.search.budget_each import budget_each_plot
from gansweep.report.figures.search.transfer import (
    transfer_plot,
)
from gansweep.report.figures.search.variance import variance_plot
from gansweep.report.lucic2018 import RESULTS
from gansweep.report.metrics import median, per_trial
from gansweep.report.page import page, svg
from gansweep.report.style import style
from gansweep.report.style.labels import _dodge
from gansweep.report.style.logarithmic import _log_ticks
from gansweep.report.style.scales import Scale
from gansweep.results.row import FAILED


def luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def theme(name: str) -> dict[str, str]:
    """The colour variables of the page's light or dark theme."""
    css = (Path(page.__file__).parent / "templates" / "report.css").read_text()
    block = (
        css[css.index("{% macro dark") : css.index("{% endmacro")]
        if name == "dark"
        else css[: css.index("}")]
    )
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))


OKLAB = (
    np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    ),
    np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    ),
)


# Machado, Oliveira and Fernandes (2009), full severity.
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_drawing_leaves_matplotlibs_settings_alone(comparison):
    before = dict(mpl.rcParams)
    for plot in plots(comparison):
        assert plot.figure is not None
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("trials", [2, 6, pytest.param(30, marks=pytest.mark.slow)])
def test_every_takeaway_and_caption_is_whole_sentences(tmp_path, trials):
    study = make_study(tmp_path, variants=3, datasets=2, trials=trials, samples=False)
    for plot in plots(read_comparison(study)):
        for text in (plot.takeaway, plot.caption, plot.alt):
            assert text.endswith(".") and "  " not in text and "nan" not in text.split(), text


def test_a_choice_and_a_range_have_positions_and_bins():
    flag = Scale("choice", (False, True))
    np.testing.assert_array_equal(flag.positions(pd.Series([True, False], dtype=object)), [1, 0])
    np.testing.assert_array_equal(flag.edges(100), [-0.5, 0.5, 1.5])
    missing = Scale("choice", (1, 5)).positions(pd.Series([5, 3, pd.NA], dtype=object))
    np.testing.assert_array_equal(missing, [1, np.nan, np.nan])
    lr = Scale("loguniform", (1e-4, 1e-2))
    np.testing.assert_array_equal(lr.positions(pd.Series([0.1, pd.NA], dtype=object)), [0.1, np.nan])
    np.testing.assert_allclose(lr.edges(16), [1e-4, 1e-3, 1e-2])
    np.testing.assert_allclose(lr.centres(lr.edges(16)), [10**-3.5, 10**-2.5])
    assert len(lr.edges(3)) == 2 and len(lr.edges(1000)) == 7


def test_labels_move_apart_as_little_as_needed():
    moved = _dodge([5.0, 5.0, 1.0], 2.0, 0.0, 10.0)
    assert moved == pytest.approx([4.0, 6.0, 1.0])
    crowded = _dodge([9.5, 9.6, 9.7, 9.8], 2.0, 0.0, 10.0)
    assert crowded == pytest.approx([4.0, 6.0, 8.0, 10.0])


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (3.0, 40.0), (1e-5, 1e-2), (90.0, 130.0), (1.0, 1e9)])
def test_logarithmic_ticks_are_few_and_round(low, high):
    ticks = _log_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)
    assert all(len(f"{tick:e}".split("e")[0].rstrip("0").rstrip(".")) <= 3 for tick in ticks)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_marks_and_text_stand_out_from_the_page(name):
    colours = theme(name)
    assert len(colours) == 25
    for key, colour in colours.items():
        if key.startswith("c-"):
            assert contrast(colour, colours["card"]) >= 3, key
        if key.startswith("l-") or key in ("ink", "mute", "link"):
            assert contrast(colour, colours["card"]) >= 4.5, key


@pytest.mark.parametrize("vision", VISION)
def test_any_two_hues_differ_to_every_reader(vision):
    def oklab(colour: str) -> np.ndarray:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
        return OKLAB[1] @ np.cbrt(OKLAB[0] @ seen)

    pairs = itertools.combinations([oklab(colour) for colour in style.COLORS.values()], 2)
    assert min(100 * np.linalg.norm(a - b) for a, b in pairs) > 5


def test_two_variants_that_ask_for_one_look_get_two():
    looks = style.looks(
        manifest(("blue", "circle"), ("blue", "circle"), ("blue", "square"), ("pink", "star"))
    )
    first, second, third, stranger = looks.values()
    assert (first.hue, first.shape) == ("blue", "circle") and (third.hue, third.shape) == ("blue", "square")
    assert second.hue == "blue" and second.shape not in ("circle", "square")
    assert stranger.hue in style.COLORS and stranger.shape in style.SHAPES
    many = style.looks(manifest(*[("green", "nabla")] * 48))
    assert len({(look.hue, look.shape) for look in many.values()}) == 48
    assert len(style.looks(manifest(*[("green", "nabla")] * 50))) == 50


def test_the_mark_in_a_table_is_the_marker_of_the_figures():
    circle, diamond = (svg.mark(style.Look("A", "blue", shape)) for shape in ("circle", "diamond"))
    assert "fill:var(--c-blue)" in circle and "fill:none" in diamond
    corners = re.findall(r"-?[0-9.]+ -?[0-9.]+", diamond.split(' d="')[1])
    ax = style.new_figure(1, 1).subplots()
    (line,) = ax.plot(0, 0, **style.Look("A", "blue", "diamond").marker(1))
    marker = line.get_marker()
    outline = MarkerStyle(marker).get_path().transformed(MarkerStyle(marker).get_transform())
    drawn = np.array([pair.split() for pair in corners], float)
    np.testing.assert_allclose(drawn, outline.vertices[:-1] * [8.5, -8.5], atol=0.01)


def test_every_sentence_is_whole(study, plain, importances):
    makers = (failure_plot, agreement_plot, finalists_plot, published_plot)
    plots = [importances, *(make(study, "mnist") for make in makers)]
    kinds = ["importance", "failure-map", "agreement", "finalists", "published"]
    assert [plot.name for plot in plots] == [f"{kind}-mnist" for kind in kinds]
    plots += [failure_plot(plain, "digits"), importance_plot(plain, "digits")]
    for plot in plots:
        for text in (plot.takeaway, plot.caption, plot.alt):
            assert text.endswith(".") and "  " not in text and "nan" not in text.split(), text
        assert plot.question.endswith("?")


def test_intervals_are_called_what_they_are_where_the_sampler_learns(study):
    learned = replace(study, manifest=structs.replace(study.manifest, sampler="tpe"))
    for make in (failure_plot, agreement_plot):
        assert "depend on each other" not in make(study, "mnist").caption
        assert "depend on each other" in make(learned, "mnist").caption


def test_the_published_table_is_complete():
    assert set(RESULTS) == {"mnist", "fashion_mnist", "cifar10", "celeba"}
    assert all(len(table) == 8 and table["vae"].note for table in RESULTS.values())
    assert (RESULTS["cifar10"]["lsgan"].mean, RESULTS["cifar10"]["lsgan"].sd) == (87.1, 47.5)


def test_every_sentence_is_whole_in_special_figures(ring, digits, fgan):
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


def test_every_figure_is_drawn_with_whole_sentences(whole_plots):
    assert len(whole_plots) == len(PER_STUDY) + len(PER_DATASET)
    for plot in whole_plots.values():
        assert plot.figure is not None and len(plot.data)
        for text in (plot.takeaway, plot.caption, plot.alt):
            assert text.endswith(".") and "  " not in text and "nan" not in text.lower().split(), text
        assert plot.question.endswith("?")
        assert plot.figure.get_size_inches()[0] <= style.WIDTH


def test_no_name_is_cut_off_or_covers_another(whole, whole_plots):
    """The names beside points and curves, once everything is laid out."""
    for plot in (whole_plots["pareto"], whole_plots["cost-digits"], whole_plots["profile"]):
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


def test_what_a_study_has_not_done_is_not_shown(tmp_path):
    study = make_study(tmp_path, variants=2, datasets=1, trials=4, samples=False)
    comparison = read_comparison(study)
    assert effects_plot(comparison, "digits") is improvement_plot(comparison, "digits") is None
    assert variance_plot(comparison) is transfer_plot(comparison) is None
    assert f1_budget_plot(comparison, "digits") is None
    plot = budget_each_plot(comparison, "digits")  # three trials besides the default
    assert plot.figure is None and "6 finished configurations" in plot.takeaway


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


def test_a_data_set_that_is_a_path_gives_names_of_files(whole):
    path = "folder:/data/cats@64"
    known = {path: whole.manifest.datasets["digits"]}
    changes = {"sampler": "tpe", "collapse_above": {path: 200.0}, "datasets": known}
    manifest = structs.replace(whole.manifest, **changes, selection={path: "test"})
    trials = whole.trials[whole.trials["dataset"] == "digits"].assign(dataset=path)
    cats = replace(whole, manifest=manifest, trials=trials)
    assert cost_plot(cats, path).name == "cost-folder__data_cats@64"
    assert budget_each_plot(cats, path).name == "budget-each-folder__data_cats@64"
