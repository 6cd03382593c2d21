"""Figures of fresh seeds: confirmation, effects, pairwise, the paper's numbers, finalists."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from figure_cases import A
from matplotlib.text import Annotation
from msgspec import structs, to_builtins
from rows import a_plan, as_rows, json_manifest, row_values
from synthetic import EVALUATIONS, STEPS, make_study

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import plots
from gansweep.report.figures.fresh_seeds.confirmation import _TABLE_COLUMNS, confirmation_plot
from gansweep.report.figures.fresh_seeds.effects import effects_data, effects_plot, plot_effects
from gansweep.report.figures.fresh_seeds.finalists import (
    _indistinct,
    finalist_data,
    finalists_plot,
    plot_finalists,
)
from gansweep.report.figures.fresh_seeds.lucic2018 import (
    _obstacles,
    plot_published,
    published_data,
    published_plot,
)
from gansweep.report.figures.fresh_seeds.pairwise import improvement_data, improvement_plot, plot_improvement
from gansweep.report.lucic2018 import RESULTS
from gansweep.report.page.page import _write_formats
from gansweep.report.statistics import quantile
from gansweep.report.style import style
from gansweep.report.text.verdict import cautions, verdict
from gansweep.results import phases
from gansweep.results.records import Finalist
from gansweep.results.row import Phase
from gansweep.results.row_file import RowWriter, read_rows


def finalists(draws: dict[str, list[float]], infinity: dict[str, float]) -> tuple[dict, ...]:
    common = {
        "dataset": "mnist",
        "phase": "confirm",
        "metric_id": "fid-mnist",
        "slope": 1.0,
        "sizes": [500, 1000],
        "fids": [2.0, 1.0],
        "neighbours": None,
    }
    return tuple(
        Finalist(**common, variant=name, trial_id=name, draws=values, fid_infinity=infinity[name])
        for name, values in draws.items()
    )


def as_the_paper(comparison: Comparison) -> Comparison:
    """The study as if it had been measured and trained as the paper did."""
    metric = comparison.manifest.metrics["fid-mnist"]
    metric = structs.replace(metric, extractor="inception", n_images=10_000)
    manifest = structs.replace(comparison.manifest, metrics={"fid-mnist": metric})
    return replace(comparison, manifest=manifest, reruns=comparison.reruns.assign(architecture="infogan"))


CONFIRM = {"top": 2, "reruns": 3, "seeds": 9}


BUDGET = {"trials": 12, "steps": STEPS, "evaluations": EVALUATIONS, "confirm": CONFIRM, "replicate": None}


TRUE = {"ns": 10.0, "vae": 30.0, "wgan": 10.0}


@pytest.fixture(scope="module")
def confirmed_study(tmp_path_factory):
    """ns and wgan are equal, vae is three times worse; the last seed of wgan diverges."""
    folder = make_study(
        tmp_path_factory.mktemp("confirmed_study"),
        variants=tuple(TRUE),
        datasets=1,
        trials=12,
        budget=BUDGET,
        planned_trials=3 * (12 + 6 + 9),
    )
    plan = a_plan(variants=TRUE, **BUDGET)
    writer, generator = RowWriter(folder), np.random.default_rng(1)
    for phase in (Phase.SELECT, Phase.CONFIRM):
        for trial in phases.planned(phase, plan, phases.finished_trials(read_rows(folder))):
            fid = TRUE[trial.variant] * float(generator.lognormal(0, 0.05))
            end = {"metrics": {"fid": fid, "isc": 5.0}, "outcome": "ok"}
            if trial.variant == "wgan" and trial.trial_id.endswith("confirm-008"):
                failure = {"kind": "nan_loss", "message": "a loss is not finite", "step": 100}
                end = {"metrics": {}, "outcome": "diverged", "failure": failure}
            own = {"metric_id": "fid-digits", "steps_planned": STEPS, "step": STEPS, "n_images": 1000}
            writer.append(as_rows([row_values() | to_builtins(trial) | own | end]))
    return folder


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Four variants on six data sets, of which the last has no fresh seeds of vae."""
    names = ("digits", "fashion", "polygons", "rings", "mnist", "ring")
    options = {"trials": 8, "samples": False, "confirm": {"top": 1, "reruns": 1, "seeds": 3}}
    variants = ("ns", "wgan_gp", "vae", "mm")
    comparison = read_comparison(make_study(tmp_path_factory.mktemp("six"), variants, names, **options))
    lost = (comparison.reruns["dataset"] == "ring") & (comparison.reruns["variant"] == "vae")
    return replace(comparison, reruns=comparison.reruns[~lost])


def mean_ranks(scores) -> pd.Series:
    """The mean rank of the median, by variant, over data sets, the best first."""
    medians = pd.DataFrame({name: {v: quantile(s, 0.5) for v, s in here.items()} for name, here in scores})
    return medians.dropna().rank().mean(axis=1).sort_values()


def only(comparison, *datasets):
    """The manifest with some of the data sets alone."""
    known = {name: comparison.manifest.datasets[name] for name in datasets}
    return structs.replace(comparison.manifest, datasets=known)


def test_finalists_stand_beside_training_images_measured_as_they_are(study):
    """Finalists are measured against the test images, whoever selects."""
    (metric_id,) = {e.metric_id for e in study.finalists if e.dataset == "mnist"}
    known = study.manifest.metrics[metric_id]
    metrics = {metric_id: structs.replace(known, floor={"fid": 2.0, "test_fid": 5.0})}
    manifest = structs.replace(study.manifest, metrics=study.manifest.metrics | metrics)
    assert finalists_plot(replace(study, manifest=manifest), "mnist").takeaway.endswith(
        "against the test images, 5.00."
    )


def test_finalists_are_ranked_with_their_noise(study):
    draws = {"vae": [19.0, 20.0, 21.0], "ns": [10.0, 10.0, 10.0], "wgan_gp": [10.1, 10.2, 10.3]}
    entries = finalists(draws, {"vae": 15.0, "ns": 9.5, "wgan_gp": 9.0})
    data = finalist_data(replace(study, finalists=entries), "mnist")
    assert data["variant"].to_list() == ["ns", "wgan_gp", "vae"]
    assert data["sd"].to_list() == pytest.approx([0.0, 0.1, 1.0])
    assert _indistinct(data) == [("ns", "wgan_gp")]
    takeaway = finalists_plot(replace(study, finalists=entries), "mnist").takeaway
    assert "WGAN GP, not NS GAN, would be first; 2 of 3 variants change places" in takeaway
    assert "3.1 times that of real training images, 3.2" in takeaway


def test_two_evaluations_of_one_generator_are_seldom_told_apart():
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        draws = 20 * np.exp(0.02 * generator.normal(size=(2, 200)))
        rows = {"variant": ["a", "b"], "fid": draws[:, 0], "sd": draws.std(1, ddof=1), "draws": 200}
        found += len(_indistinct(pd.DataFrame(rows).sort_values("fid")))
    assert found / 400 == pytest.approx(0.95, abs=0.04)


def test_an_extrapolation_below_zero_stays_inside_the_panel(study):
    entries = finalists({"ns": [2.0], "vae": [9.0]}, {"ns": -1.0, "vae": 8.0})
    data = finalist_data(replace(study, finalists=entries), "mnist")
    ax = plot_finalists(data, style.looks(study.manifest), floor=3.2)
    left, right = ax.get_xlim()
    xs = np.concatenate([np.asarray(line.get_xdata(), float) for line in ax.lines])
    assert ((xs >= left) & (xs <= right)).all() and 3.2 in xs
    assert (
        "noise of the evaluation is unknown"
        in finalists_plot(replace(study, finalists=entries), "mnist").takeaway
    )


def test_no_finalists_no_section(plain):
    assert finalists_plot(plain, "digits") is None and published_plot(plain, "digits") is None


def test_fids_are_compared_with_the_papers_only_if_measured_alike(study):
    reasons = _obstacles(study, "mnist")
    assert ["Inception" in reasons[0], "10,000" in reasons[1], "infogan" in reasons[2]] == [True] * 3
    plot = published_plot(study, "mnist")
    assert "cannot be compared" in plot.takeaway and "Spearman" in plot.takeaway
    assert plot.figure is None and len(plot.table.rows) == len(plot.data)
    assert plot.headline == "Beside Lucic et al. (2018): values do not compare"
    assert "Ratio" not in plot.table.columns
    alike = as_the_paper(study)
    plot = published_plot(alike, "mnist")
    assert not _obstacles(alike, "mnist") and "cannot be compared" not in plot.takeaway
    assert len(plot.figure.axes) == 1 and plot.table.columns[-1] == "Ratio"


def test_our_side_of_the_table_is_that_of_the_fresh_seeds(study):
    data = published_data(study, "mnist").set_index("variant")
    for variant, scores in study.confirmed_scores("mnist").items():
        line = data.loc[variant]
        assert line["median"] == statistics.quantile(scores, 0.5) and line["seeds"] == len(scores) == 6
        good = study.confirmed.query("variant == @variant and outcome == 'ok'")["reported"]
        assert line["bad"] == 6 - len(good) and line["mean"] == pytest.approx(good.mean())
        assert (line["paper_mean"], line["paper_sd"]) == (
            RESULTS["mnist"][variant].mean,
            RESULTS["mnist"][variant].sd,
        )
    assert data["paper_mean"].is_monotonic_increasing


def test_a_replication_of_the_paper_has_ratio_one_and_its_order(study):
    means = {name: result.mean for name, result in RESULTS["mnist"].items()}
    reruns = study.reruns.assign(reported=study.reruns["variant"].map(means), outcome="ok")
    plot = published_plot(as_the_paper(replace(study, reruns=reruns)), "mnist")
    assert (plot.data["ratio"] == 1).all() and "Spearman correlation of 1.00" in plot.takeaway


def test_winners_that_failed_have_no_marker(study):
    failed = replace(study, reruns=study.reruns.assign(reported=math.inf, outcome="diverged"))
    plot = published_plot(as_the_paper(failed), "mnist")
    assert "Most seeds of every winner have failed here." in plot.takeaway
    ax = plot_published(plot.data, style.looks(study.manifest))
    assert [text.get_text() for text in ax.texts] == ["most seeds failed"] * 4


def test_effects_are_of_the_fresh_seeds_and_relative_to_their_leader(whole):
    effects = effects_data(whole, "digits").set_index("variant")
    scores = whole.confirmed_scores("digits")
    leader = next(iter(scores))
    assert effects.index[0] == leader and math.isnan(effects.loc[leader, "ratio"])
    for variant in list(scores)[1:]:
        effect = whole.seed_pairs["digits"].effects[variant]
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
    assert "∞" in {text.get_text() for text in ax.texts}
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


def test_without_confirmation_pairs_are_of_searches_at_the_budget(tmp_path):
    comparison = read_comparison(make_study(tmp_path, variants=3, datasets=1, trials=30, samples=False))
    tested, k = comparison.search_pairs["digits"], comparison.budget("digits")
    assert tested.k == k == 5
    pairs = improvement_data(tested).set_index(["variant", "rival"])["share"]
    expected, _ = statistics.improvement(
        comparison.scores["digits", "mm"], comparison.scores["digits", "lsgan"], k
    )
    assert pairs["mm", "lsgan"] == pytest.approx(expected) == pytest.approx(1 - pairs["lsgan", "mm"])
    plot = improvement_plot(comparison, "digits")
    assert "random configuration" in plot.takeaway and "the best of 5 random configurations" in plot.caption


def test_an_interval_that_excludes_one_beside_a_pair_that_is_not_separable_is_explained(tmp_path):
    """With eight variants and few seeds the tests of 28 pairs separate none."""
    confirm = {"top": 1, "reruns": 1, "seeds": 5}
    study = read_comparison(make_study(tmp_path, 8, 1, 6, samples=False, confirm=confirm))
    plot = effects_plot(study, "digits")
    others = plot.data.iloc[1:]
    assert (others["low"] > 1).any() and not others["separable"].any()
    assert plot.takeaway.endswith("(each interval is of one comparison alone, the tests are of all pairs).")


def test_a_leader_that_scores_nothing_has_no_ratios(whole):
    leader = whole.seed_pairs["digits"].leader
    mine = (whole.reruns["dataset"] == "digits") & (whole.reruns["variant"] == leader)
    zero = replace(whole, reruns=whole.reruns.assign(reported=whole.reruns["reported"].mask(mine, 0.0)))
    plot = effects_plot(zero, "digits")
    assert plot.data["variant"].iloc[0] == leader
    assert (plot.data["ratio"].iloc[1:] == math.inf).all() and plot.data["separable"].iloc[1:].all()
    assert plot.takeaway.endswith("; its median FID is not above 0.")


def test_two_floors_of_one_data_set_are_told_apart(study):
    metric = structs.replace(study.manifest.metrics["fid-mnist"], floor={"fid": 0.2, "test_fid": 0.243})
    manifest = structs.replace(study.manifest, metrics={"fid-mnist": metric})
    plot = finalists_plot(replace(study, manifest=manifest), "mnist")
    assert plot.takeaway.endswith("times that of real training images against the test images, 0.24.")
    assert (
        "against the validation images, which are others and of another number, it differs." in plot.caption
    )
    one = finalists_plot(study, "mnist")
    assert "against" not in one.takeaway and "validation" not in one.caption


def test_the_table_states_every_seed_and_the_search_beside_them(confirmed_study):
    plot = confirmation_plot(read_comparison(confirmed_study), "digits")
    rows = {row[0].variant: dict(zip(_TABLE_COLUMNS, row, strict=True)) for row in plot.table.rows}
    assert set(list(rows)[:2]) == {"ns", "wgan"} and list(rows)[2] == "vae"
    for variant, row in rows.items():
        assert row["Seeds"].value == 9
        assert abs(math.log(row["Median FID [95 %]"].value / TRUE[variant])) < 0.05
        assert (row["Leads"].text == "●") == (variant != "vae")
        assert row["Configuration"].text.startswith(f"digits-{variant}-0")
    assert rows["wgan"]["Bad seeds, % [95 %]"].value == pytest.approx(1 / 9)
    assert rows["wgan"]["Highest"].text == "fail" and rows["ns"]["Highest"].text != "fail"
    assert "±" in rows["wgan"]["Mean ± sd of good seeds"].text
    assert "cannot separate it from" in plot.takeaway and "VAE" not in plot.takeaway


def test_seeds_are_no_trials_of_the_search(confirmed_study):
    comparison = read_comparison(confirmed_study)
    assert len(comparison.trials) == 3 * 12 and len(comparison.reruns) == 3 * 15
    assert len(comparison.confirmed) == 3 * 9
    assert len(comparison.finished) == 3 * 11
    assert not [text for text in cautions(comparison) if "unfinished" in text]
    assert "no winner has been confirmed" not in dict(verdict(comparison))["Search scores"]


def test_the_page_leads_with_them(confirmed_study):
    comparison = read_comparison(confirmed_study)
    first, *_ = plots(comparison)
    assert first.name == "confirmed-digits"
    page = _write_formats(comparison, [first], ("html",)).read_text()
    assert page[page.index('id="figure-') :].startswith('id="figure-confirmed-digits"')
    assert json_manifest(confirmed_study)["budget"]["confirm"] == CONFIRM


def test_without_a_second_phase_there_is_nothing_to_show(tmp_path):
    comparison = read_comparison(make_study(tmp_path, variants=2, datasets=1, trials=4, samples=False))
    assert comparison.confirmed.empty and confirmation_plot(comparison, "digits") is None


def test_six_data_sets_have_mean_ranks_of_their_fresh_seeds(six):
    sentence = dict(verdict(six))["Across data sets"]
    expected = mean_ranks([(name, six.confirmed_scores(name)) for name in six.datasets])
    assert set(expected.index) == {"ns", "wgan_gp", "mm"}
    words = [f"{six.label(name)} {rank:.2f}" for name, rank in expected.items()]
    assert f"fresh seeds the mean ranks on 6 data sets are {words[0]}, {words[1]} and {words[2]};" in sentence
    # Demšar (2006), table 5: q = 2.343 for three variants.
    assert f"less than {2.343 * math.sqrt(3 * 4 / (6 * 6)):.2f} cannot be separated" in sentence
    assert re.search(r"\(Friedman p (< 0\.001|0\.\d{3})\)\.$", sentence)


def test_without_fresh_seeds_everywhere_the_search_is_ranked_if_it_is_random(six):
    searched = replace(six, reruns=six.reruns[six.reruns["dataset"] != "ring"])
    sentence = dict(verdict(searched))["Across data sets"]
    expected = mean_ranks([(name, six.started(name)) for name in six.datasets])
    assert (
        f"random configurations the mean ranks on 6 data sets are {six.label(expected.index[0])} " in sentence
    )
    learned = replace(searched, manifest=structs.replace(six.manifest, sampler="tpe"))
    assert "Across data sets" not in dict(verdict(learned))
    assert "fresh seeds" in dict(verdict(replace(six, manifest=learned.manifest)))["Across data sets"]


def test_few_data_sets_are_refused_with_the_reason(six):
    two = replace(
        six,
        manifest=structs.replace(
            six.manifest, datasets={k: six.manifest.datasets[k] for k in ("digits", "mnist")}
        ),
    )
    sentence = dict(verdict(two))["Across data sets"]
    assert sentence.startswith("No mean ranks: with 4 variants on 2 data sets") and "it takes 6" in sentence
    one = replace(six, manifest=only(six, "digits"))
    assert "Across data sets" not in dict(verdict(one))
