"""The figures: what they draw, their look, and that they are the same for the same data."""

import itertools
import math
import re
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle
from rows import manifest_values
from synthetic import make_study

from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import plots
from gansweep.report.figures.hyperparameters.slices import hyperparameter_data, plot_hyperparameter
from gansweep.report.figures.metrics.learning import learning_data, learning_plot, plot_learning
from gansweep.report.figures.search.budget import budget_data, budget_plot, plot_budget
from gansweep.report.figures.search.distribution import distribution_data, plot_distribution
from gansweep.report.figures.search.failures import plot_failures
from gansweep.report.page import page, svg
from gansweep.report.statistics import largest_budget, median_best
from gansweep.report.style import style
from gansweep.report.style.labels import _dodge
from gansweep.report.style.scales import Scale, searched
from gansweep.results.records import Manifest


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Comparison:
    return read_comparison(
        make_study(tmp_path_factory.mktemp("study"), variants=3, datasets=1, samples=False)
    )


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


def test_saving_twice_gives_the_same_bytes(comparison, tmp_path):
    for folder in ("a", "b"):
        plot = budget_plot(comparison)
        style.save(plot.figure, tmp_path / folder, plot.name, plot.data)
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*.*")}
    assert {path.suffix for path in first} == {".pdf", ".png", ".svg", ".csv"}
    for path, content in first.items():
        assert (tmp_path / "b" / path).read_bytes() == content, path


def test_the_saved_numbers_are_those_of_the_curve(comparison, tmp_path):
    plot = budget_plot(comparison)
    style.save(plot.figure, tmp_path, plot.name, plot.data)
    saved = pd.read_csv(tmp_path / "data" / "budget.csv").set_index(["variant", "k"])
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
    plot = budget_plot(read_comparison(study))
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


def test_labels_move_apart_as_little_as_needed():
    moved = _dodge([5.0, 5.0, 1.0], 2.0, 0.0, 10.0)
    assert moved == pytest.approx([4.0, 6.0, 1.0])
    crowded = _dodge([9.5, 9.6, 9.7, 9.8], 2.0, 0.0, 10.0)
    assert crowded == pytest.approx([4.0, 6.0, 8.0, 10.0])


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (3.0, 40.0), (1e-5, 1e-2), (90.0, 130.0), (1.0, 1e9)])
def test_logarithmic_ticks_are_few_and_round(low, high):
    ticks = style._log_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)
    assert all(len(f"{tick:e}".split("e")[0].rstrip("0").rstrip(".")) <= 3 for tick in ticks)


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


@pytest.mark.parametrize("name", ["light", "dark"])
def test_marks_and_text_stand_out_from_the_page(name):
    colours = theme(name)
    assert len(colours) == 25
    for key, colour in colours.items():
        if key.startswith("c-"):
            assert contrast(colour, colours["card"]) >= 3, key
        if key.startswith("l-") or key in ("ink", "mute", "link"):
            assert contrast(colour, colours["card"]) >= 4.5, key


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


@pytest.mark.parametrize("vision", VISION)
def test_any_two_hues_differ_to_every_reader(vision):
    def oklab(colour: str) -> np.ndarray:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
        return OKLAB[1] @ np.cbrt(OKLAB[0] @ seen)

    pairs = itertools.combinations([oklab(colour) for colour in style.COLORS.values()], 2)
    assert min(100 * np.linalg.norm(a - b) for a, b in pairs) > 5


def manifest(*looks: tuple[str, str]) -> Manifest:
    variants = {
        f"v{i:02}": {"label": f"V{i}", "source": "", "deviations": [], "hue": hue, "marker": marker}
        for i, (hue, marker) in enumerate(looks)
    }
    nothing = {variant: {} for variant in variants}
    values = manifest_values(variants=variants, spaces=nothing, defaults=nothing)
    return msgspec.convert(values, Manifest)


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
