"""The winners on fresh seeds, as the report states them."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from msgspec import structs, to_builtins
from rows import a_plan, as_rows, json_manifest, row_values
from synthetic import EVALUATIONS, STEPS, make_study

from gansweep.report.comparison import read_comparison
from gansweep.report.figures import plots
from gansweep.report.figures.fresh_seeds.confirmation import _TABLE_COLUMNS, confirmation_plot
from gansweep.report.page.page import _write_formats
from gansweep.report.statistics import quantile
from gansweep.report.text.verdict import cautions, verdict
from gansweep.results import phases
from gansweep.results.row import Phase
from gansweep.results.row_file import RowWriter, read_rows

CONFIRM = {"top": 2, "reruns": 3, "seeds": 9}
BUDGET = {"trials": 12, "steps": STEPS, "evaluations": EVALUATIONS, "confirm": CONFIRM, "replicate": None}
TRUE = {"ns": 10.0, "vae": 30.0, "wgan": 10.0}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """ns and wgan are equal, vae is three times worse; the last seed of wgan diverges."""
    folder = make_study(
        tmp_path_factory.mktemp("study"),
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


def test_the_table_states_every_seed_and_the_search_beside_them(study):
    plot = confirmation_plot(read_comparison(study), "digits")
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


def test_seeds_are_no_trials_of_the_search(study):
    comparison = read_comparison(study)
    assert len(comparison.trials) == 3 * 12 and len(comparison.reruns) == 3 * 15
    assert len(comparison.confirmed) == 3 * 9
    assert len(comparison.finished) == 3 * 11
    assert not [text for text in cautions(comparison) if "unfinished" in text]
    assert "no winner has been confirmed" not in dict(verdict(comparison))["Search scores"]


def test_the_page_leads_with_them(study):
    comparison = read_comparison(study)
    first, *_ = plots(comparison)
    assert first.name == "confirmed-digits"
    page = _write_formats(comparison, [first], ("html",)).read_text()
    assert page[page.index('id="figure-') :].startswith('id="figure-confirmed-digits"')
    assert json_manifest(study)["budget"]["confirm"] == CONFIRM


def test_without_a_second_phase_there_is_nothing_to_show(tmp_path):
    comparison = read_comparison(make_study(tmp_path, variants=2, datasets=1, trials=4, samples=False))
    assert comparison.confirmed.empty and confirmation_plot(comparison, "digits") is None


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


def only(comparison, *datasets):
    """The manifest with some of the data sets alone."""
    known = {name: comparison.manifest.datasets[name] for name in datasets}
    return structs.replace(comparison.manifest, datasets=known)


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
