"""Failure maps, importance, agreement, finalists, the published table and examples of FIDs."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from msgspec import structs
from synthetic import make_study

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures.base import Plot
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
from gansweep.report.figures.metrics.agreement import _agreement_points, agreement_data, agreement_plot
from gansweep.report.figures.metrics.fid_examples import fid_examples
from gansweep.report.lucic2018 import RESULTS
from gansweep.report.style import style
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale
from gansweep.results.records import Finalist
from gansweep.results.row import FAILED

METRICS = ("test_fid", "kid", "isc", "modes", "second_fid")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("study")
    confirm = {"top": 1, "reruns": 1, "seeds": 6}
    made = {"variants": ("ns", "wgan_gp", "began", "vae"), "datasets": ("mnist",), "trials": 30}
    return read_comparison(make_study(folder, metrics=METRICS, confirm=confirm, finalists=True, **made))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("plain")
    return read_comparison(make_study(folder, variants=2, datasets=1, trials=5, samples=False))


def deadly(comparison: Comparison) -> Comparison:
    """The study with every trial of lr > 1e-3 diverged, and no other."""
    trials = comparison.trials
    kills = trials["hp_lr"] > 1e-3
    outcomes = kills.map({True: "diverged", False: "ok"})
    score = trials["score"].where(~kills, math.inf)
    return replace(comparison, trials=trials.assign(outcome=outcomes, score=score))


@pytest.fixture(scope="module")
def importances(study) -> Plot:
    """The importance of hyperparameters for one variant, where a high lr is deadly."""
    killed = deadly(study)
    kept = {name: {"ns": getattr(study.manifest, name)["ns"]} for name in ("variants", "spaces", "defaults")}
    return importance_plot(replace(killed, manifest=structs.replace(study.manifest, **kept)), "mnist")


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


def test_finalists_stand_beside_training_images_measured_as_they_are(study):
    """Finalists are measured against the test images, whoever selects."""
    (metric_id,) = {e.metric_id for e in study.finalists if e.dataset == "mnist"}
    known = study.manifest.metrics[metric_id]
    metrics = {metric_id: structs.replace(known, floor={"fid": 2.0, "test_fid": 5.0})}
    manifest = structs.replace(study.manifest, metrics=study.manifest.metrics | metrics)
    assert finalists_plot(replace(study, manifest=manifest), "mnist").takeaway.endswith("training images, 5.")


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


def as_the_paper(comparison: Comparison) -> Comparison:
    """The study as if it had been measured and trained as the paper did."""
    metric = comparison.manifest.metrics["fid-mnist"]
    metric = structs.replace(metric, extractor="inception", n_images=10_000)
    manifest = structs.replace(comparison.manifest, metrics={"fid-mnist": metric})
    return replace(comparison, manifest=manifest, reruns=comparison.reruns.assign(architecture="infogan"))


def test_the_published_table_is_complete():
    assert set(RESULTS) == {"mnist", "fashion_mnist", "cifar10", "celeba"}
    assert all(len(table) == 8 and table["vae"].note for table in RESULTS.values())
    assert (RESULTS["cifar10"]["lsgan"].mean, RESULTS["cifar10"]["lsgan"].sd) == (87.1, 47.5)


def test_fids_are_compared_with_the_papers_only_if_measured_alike(study):
    reasons = _obstacles(study, "mnist")
    assert ["Inception" in reasons[0], "10,000" in reasons[1], "infogan" in reasons[2]] == [True] * 3
    plot = published_plot(study, "mnist")
    assert "cannot be compared" in plot.takeaway and "Spearman" in plot.takeaway
    assert len(plot.figure.axes) == 2 and "Ratio" not in plot.table.columns
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
