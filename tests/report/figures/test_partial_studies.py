"""Every figure of unfinished or unusual studies: it is drawn, or there is a reason, in whole sentences."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from msgspec import structs
from synthetic import make_study

from gansweep.report import summary
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import FIGURES, FigureKind
from gansweep.report.figures.base import Plot
from gansweep.report.figures.hyperparameters.failure_map import _failure_figure, failure_plot
from gansweep.report.figures.hyperparameters.failure_regions import binned, failure_data, predictive_pair
from gansweep.report.style import style
from gansweep.report.style.logarithmic import log_axis, log_limits
from gansweep.report.text.verdict import cautions, verdict
from gansweep.space import loguniform

VARIANTS = ("ns", "wgan_gp", "vae", "dragan")
METRICS = ("test_fid", "kid", "isc", "modes", "intra_fid", "accuracy", "polygon_f1", "polygon_precision")
METRICS += ("polygon_recall",)


@pytest.fixture(scope="module")
def whole_study(tmp_path_factory) -> Comparison:
    """Four variants on two data sets with all phases, all metrics and finalists."""
    phases = {
        "confirm": {"top": 2, "reruns": 2, "seeds": 4},
        "replicate": {"configurations": 3, "seeds": 2},
    }
    options = {"samples": False, "metrics": METRICS, "same_configurations": True, "finalists": True}
    folder = tmp_path_factory.mktemp("partial")
    return read_comparison(make_study(folder, VARIANTS, 2, 12, **phases, **options))


def only(study: Comparison, keep: Callable[[pd.DataFrame], pd.Series], phases: bool = True) -> Comparison:
    """The study with some of its trials."""
    trials = study.trials[keep(study.trials)]
    reruns = study.reruns[keep(study.reruns)] if phases else study.reruns.iloc[:0]
    known = study.evaluations[study.evaluations["trial_id"].isin(trials["trial_id"])]
    return replace(study, trials=trials, reruns=reruns, evaluations=known, finalists=())


def searching(study: Comparison, names: dict[str, tuple[str, ...]]) -> Comparison:
    """The study as if each variant had searched only some hyperparameters; every second trial went bad."""
    spaces = {
        variant: {name: values for name, values in space.items() if name in names[variant]}
        for variant, space in study.manifest.spaces.items()
    }
    manifest = structs.replace(study.manifest, spaces=spaces)
    bad = np.arange(len(study.trials)) % 2 == 0
    outcome, score = study.trials["outcome"].mask(bad, "diverged"), study.trials["score"].mask(bad, math.inf)
    return replace(study, manifest=manifest, trials=study.trials.assign(outcome=outcome, score=score))


def one_own(study: Comparison) -> Comparison:
    """Every variant searches one hyperparameter that no other has."""
    spaces = {name: {f"own_{name}": loguniform(1e-5, 1e-2)} for name in VARIANTS}
    own = {f"hp_own_{v}": study.trials["hp_lr"].where(study.trials["variant"] == v) for v in VARIANTS}
    manifest = structs.replace(study.manifest, spaces=spaces)
    return replace(study, manifest=manifest, trials=study.trials.assign(**own))


def failed(study: Comparison) -> Comparison:
    """All runs of all phases have failed."""
    ends = {"outcome": "diverged", "score": math.inf, "reported": math.inf}
    trials, reruns = study.trials.assign(**ends), study.reruns.assign(**ends)
    return replace(study, trials=trials, reruns=reruns, evaluations=study.evaluations.iloc[:0], finalists=())


def lowered(study: Comparison, by: float) -> Comparison:
    """All FIDs and metrics of their kind are lower by a number, so that some or all are below 0."""
    tables = [
        table.assign(score=table["score"] - by, reported=table["reported"] - by)
        for table in (study.trials, study.reruns)
    ]
    names = ("fid", "test_fid", "intra_fid", "kid")
    measured = {name: study.evaluations[name].astype(float) - by for name in names}
    known = study.evaluations.assign(**measured)
    lower = [
        structs.replace(f, draws=[d - by for d in f.draws], fid_infinity=f.fid_infinity - by)
        for f in study.finalists
    ]
    return replace(study, trials=tables[0], reruns=tables[1], evaluations=known, finalists=tuple(lower))


def zeroed(study: Comparison) -> Comparison:
    """Every third run scores exactly 0."""
    tables = []
    for table in (study.trials, study.reruns):
        hit = np.isfinite(table["score"]) & (np.arange(len(table)) % 3 == 0)
        tables.append(
            table.assign(score=table["score"].mask(hit, 0.0), reported=table["reported"].mask(hit, 0))
        )
    return replace(study, trials=tables[0], reruns=tables[1])


TWO_GROUPS = {
    "ns": ("lr",),
    "wgan_gp": ("lr",),
    "vae": ("beta1", "n_critic"),
    "dragan": ("beta1", "n_critic"),
}
DISJOINT = TWO_GROUPS | {"vae": ("beta1",), "dragan": ("beta1",)}
PARTIAL: dict[str, Callable[[Comparison], Comparison]] = {
    "one variant": lambda s: only(s, lambda t: t["variant"] == "ns"),
    "one variant, search only": lambda s: only(s, lambda t: t["variant"] == "ns", phases=False),
    "one trial": lambda s: only(s, lambda t: t["trial_id"] == "digits-ns-003"),
    "one default": lambda s: only(s, lambda t: t["trial_id"] == "digits-ns-000"),
    "one trial each": lambda s: only(s, lambda t: t["trial_number"] == 1, phases=False),
    "one data set": lambda s: only(s, lambda t: t["dataset"] == "digits"),
    "nothing shared": one_own,
    "one shared has trials": lambda s: only(
        searching(s, TWO_GROUPS), lambda t: t["variant"].isin(("ns", "wgan_gp"))
    ),
    "two groups": lambda s: searching(s, TWO_GROUPS),
    "disjoint groups": lambda s: searching(s, DISJOINT),
    "constants": lambda s: searching(s, dict.fromkeys(VARIANTS, ())),
    "all failed": failed,
    "all running": lambda s: replace(
        only(s, lambda t: t["trial_number"] > 0, phases=False),
        trials=s.trials.assign(outcome=None, score=math.nan, reported=math.nan),
    ),
    "some zero": zeroed,
    "some below zero": lambda s: lowered(s, 20.0),
    "all below zero": lambda s: lowered(s, 1e4),
}

QUICK = ("one trial", "one trial each", "one shared has trials", "disjoint groups", "some below zero")
SOME = [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in PARTIAL]


def drawn(study: Comparison, kind: FigureKind) -> list[Plot]:
    if not kind.is_shown(study):
        return []
    places = [(name,) for name in study.datasets] if kind.per == "dataset" else [()]
    return [plot for place in places if (plot := kind.draw(study, *place))]


@pytest.mark.parametrize("case", SOME)
def test_every_figure_of_a_partial_study(whole_study, case):
    study = PARTIAL[case](whole_study)
    for kind in FIGURES:
        for plot in drawn(study, kind):
            assert plot.figure is not None or plot.takeaway
            for text in (plot.takeaway, plot.caption, plot.alt):
                assert text.endswith(".") and "  " not in text and " of  " not in text, (plot.name, text)
                assert not {"nan", "inf"} & set(text.lower().split()), (plot.name, text)
    assert pyplot.get_fignums() == []


@pytest.mark.slow
@pytest.mark.parametrize("case", PARTIAL)
def test_every_figure_of_a_partial_study_is_laid_out(whole_study, case):
    study = PARTIAL[case](whole_study)
    for plot in [plot for kind in FIGURES for plot in drawn(study, kind) if plot.figure]:
        with style.house_style():
            plot.figure.draw_without_rendering()


@pytest.mark.parametrize("case", SOME)
def test_every_text_and_table_of_a_partial_study(whole_study, case):
    study = PARTIAL[case](whole_study)
    table = summary.summary_table(study)
    assert len(table) == len(study.datasets) * len(study.variants)
    assert len(summary.summary_cells(study, table).rows) == len(table)
    for _, sentence in verdict(study):
        assert sentence.endswith(".") and not {"nan", "inf"} & set(sentence.lower().split()), sentence
    assert all(text.endswith(".") for text in cautions(study))


def test_the_plane_is_of_two_hyperparameters_that_trials_search_together(whole_study):
    """Where only variants with one shared hyperparameter have trials, and where groups share none, there is
    no plane; where one group searches two, it is of these, though lr may predict more."""
    pairs = {case: predictive_pair(binned(PARTIAL[case](whole_study), "digits")) for case in PARTIAL}
    assert pairs["one shared has trials"] is None and pairs["disjoint groups"] is None
    assert set(pairs["two groups"]) == {"beta1", "n_critic"}
    for case in ("one shared has trials", "disjoint groups"):
        plot = failure_plot(PARTIAL[case](whole_study), "digits")
        assert "there is no plane of two" in plot.caption
        assert plot.figure is None and "no region of the space is clearly worse" in plot.takeaway
    alone = PARTIAL["one shared has trials"](whole_study)
    with style.house_style():
        figure = _failure_figure(alone, "digits", failure_data(alone, "digits"), binned(alone, "digits"))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["lr"]


def test_what_has_no_logarithm_lies_at_the_low_end_of_its_axis():
    assert log_limits([0.0, -3.0, 2.0, 8.0, math.inf], 0.5, 2.0) == (1.0, 16.0)
    assert log_limits([0.0, -1.0], 0.5, 2.0) == (1.0, 10.0)
    ax = style.new_figure(2, 2).subplots()
    log_axis(ax.xaxis, 1.0, 100.0)
    places = ax.transData.transform([[x, 0] for x in (0.0, -5.0, 1.0, 10.0, 100.0)])[:, 0]
    left, right = ax.transAxes.transform([[0, 0], [1, 0]])[:, 0]
    np.testing.assert_allclose(places, [left, left, left, (left + right) / 2, right])
