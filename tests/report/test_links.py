"""Every number in the table of a figure leads to the trials that it is made of."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from synthetic import make_study

from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import Plot, plots
from gansweep.report.figures.base import Cell, where
from gansweep.report.figures.hyperparameters.failure_map import failure_plot
from gansweep.report.page.trial_browser import trial_browser
from gansweep.results.study_file import stored_space
from gansweep.space import choice

TABLES = {"confirmed", "effects", "published", "finalists", "coverage", "fits", "polygons", "conditional"}
TABLES |= {"profile", "importance", "variance", "transfer", "cost", "further", "agreement", "failure-map"}
NOT_OF_TRIALS = {"Lucic et al.", "optimal"}  # columns: what others found, what theory says
COUNTS = {"Trials", "Seeds", "Runs", "n", "Trials there", "Configurations"}
IMAGES = ("kid", "modes", "high_quality", "intra_fid", "polygon_f1", "polygon_precision", "polygon_recall")
TERM = re.compile(r'([a-z_0-9]+)([:<>])("(?:[^"\\]|\\.)*"|\S+)|\S+', re.IGNORECASE)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Comparison:
    """All phases, the metrics of images on one data set; two hyperparameters, enough to rank them."""
    made = make_study(
        tmp_path_factory.mktemp("links"),
        variants=("ns", "fgan_kl"),
        datasets=("mnist", "mixture_1d"),
        trials=21,
        confirm={"top": 2, "reruns": 2, "seeds": 5},
        replicate={"configurations": 4, "seeds": 2},
        same_configurations=True,
        finalists=True,
        metrics=("test_fid", "mean", "sd", *IMAGES),
        samples=False,
    )
    study = read_comparison(made)
    spaces = {
        variant: {name: space[name] for name in ("lr", "n_critic")}
        for variant, space in study.manifest.spaces.items()
    }
    evaluations = study.evaluations.copy()
    evaluations.loc[evaluations["dataset"] == "mixture_1d", list(IMAGES)] = np.nan
    return replace(study, manifest=structs.replace(study.manifest, spaces=spaces), evaluations=evaluations)


@pytest.fixture(scope="module")
def page(comparison) -> dict[str, Any]:
    """The trials that the page holds."""
    return trial_browser(comparison)


@pytest.fixture(scope="module")
def drawn(comparison) -> list[Plot]:
    return [plot for plot in plots(comparison) if plot.table]


def found(page: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """The trials that a filter finds, by the rules of the page's script; every word must bind a column."""
    rows = [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
    wanted: dict[str, list[str]] = {}
    for term in TERM.finditer(text):
        name, sign, value = term.groups()
        assert name in page["columns"], f"{term[0]!r} in {text!r} is no column"
        if sign == ":":
            wanted.setdefault(name, []).append(json.loads(value) if value.startswith('"') else value)
        elif sign == "<":
            rows = [row for row in rows if row[name] is not None and row[name] < float(value)]
        else:
            rows = [row for row in rows if row[name] is not None and row[name] > float(value)]
    return [row for row in rows if all(equal(row[name], values) for name, values in wanted.items())]


def equal(value: Any, texts: list[str]) -> bool:
    if isinstance(value, bool | str | None):
        return json.dumps(value) in texts or value in texts
    return float(value) in map(float, texts)


def cells_of(drawn: list[Plot]) -> list[tuple[Plot, str, Cell]]:
    """Figure, column and cell of every number; a dash is none."""
    return [
        (plot, column, cell)
        for plot in drawn
        for row in plot.table.rows
        for column, cell in zip(plot.table.columns, row, strict=True)
        if cell.value is not None and cell.text not in ("", "–", "●")
    ]


def test_every_number_leads_to_trials(drawn, page):
    kinds = {plot.name.removesuffix("-mnist").removesuffix("-mixture_1d") for plot in drawn}
    assert kinds >= TABLES
    for plot, column, cell in cells_of(drawn):
        if column in NOT_OF_TRIALS:
            assert not cell.trials
        else:
            assert cell.trials and found(page, cell.trials), (plot.name, column, cell)


def test_a_number_of_trials_leads_to_as_many(drawn, page):
    counts = [(plot, column, cell) for plot, column, cell in cells_of(drawn) if column in COUNTS]
    assert {column for _, column, _ in counts} == COUNTS
    for plot, column, cell in counts:
        trials = found(page, cell.trials)
        if column == "Configurations":
            assert len({trial["config_id"] for trial in trials}) == cell.value, plot.name
        else:
            assert len(trials) == int(cell.text.split(" of ")[-1]), (plot.name, column, cell)


def test_fids_are_those_of_the_trials(drawn, page):
    by_name = {plot.name: plot for plot in drawn}
    for cells in rows_of(by_name["confirmed-mnist"]):
        fids = sorted(
            trial["fid_reported"] if trial["status"] == "completed" else np.inf
            for trial in found(page, cells["Median FID [95 %]"].trials)
        )
        assert cells["Median FID [95 %]"].value == pytest.approx(fids[2], rel=1e-5)
        good = found(page, cells["Mean ± sd of good seeds"].trials)
        assert cells["Mean ± sd of good seeds"].value == pytest.approx(
            np.mean([trial["fid_reported"] for trial in good]), rel=1e-5
        )
        (winner,) = found(page, cells["FID in the search"].trials)
        assert winner["phase"] == "search" and winner["trial_id"] == cells["Configuration"].text
        assert cells["FID in the search"].value == pytest.approx(winner["fid_reported"], rel=1e-5)
    for cells in rows_of(by_name["finalists-mnist"]):
        assert [trial["trial_id"] for trial in found(page, cells["FID at N"].trials)] == [cells["Trial"].text]


def test_what_moves_to_another_data_set_leads_there(drawn, page):
    (plot,) = [plot for plot in drawn if plot.name == "transfer"]
    for row in plot.table.rows:
        moved, regret = row[3], row[4]
        (trial,) = found(page, moved.trials)
        assert trial["dataset"] == "mnist" and trial["variant"] == row[0].variant
        assert moved.value == pytest.approx(trial["fid_best"], rel=1e-5)
        fids = [trial["fid_best"] for trial in found(page, regret.trials)]
        assert len(fids) <= 2 and regret.value == pytest.approx(trial["fid_best"] / min(fids), rel=1e-5)


def test_the_leader_and_its_rival_are_both_of_a_ratio(drawn, page):
    (plot,) = [plot for plot in drawn if plot.name == "effects-mnist"]
    leader, rival = plot.table.rows
    assert {trial["variant"] for trial in found(page, leader[1].trials)} == {leader[0].variant}
    variants = {leader[0].variant, rival[0].variant}
    assert {trial["variant"] for trial in found(page, rival[1].trials)} == variants
    assert rival[2].trials == rival[1].trials != rival[5].trials


@pytest.mark.parametrize("parameter", ["lr", "n_critic", "d_norm"])
def test_a_deadly_region_leads_to_its_trials(comparison, page, parameter):
    """A choice by its option, a range by its end."""
    trials, kept = comparison.trials, {"lr": comparison.manifest.spaces["ns"]["lr"]}
    kept |= stored_space({"n_critic": choice(1, 5), "d_norm": choice("none", "batch")})
    spaces = {variant: {parameter: kept[parameter]} for variant in comparison.variants}
    kills = {"lr": trials["hp_lr"] > 1e-3, "n_critic": trials["hp_n_critic"] == 5}
    kills["d_norm"] = trials["hp_d_norm"] == "none"
    deadly = replace(
        comparison,
        manifest=structs.replace(comparison.manifest, spaces=spaces),
        trials=trials.assign(outcome=kills[parameter].map({True: "diverged", False: "ok"})),
    )
    for row in failure_plot(deadly, "mnist").table.rows:
        inside = found(page, row[5].trials)
        assert len(inside) == row[5].value > 0 and row[4].trials == row[5].trials
        dead = kills[parameter][trials["trial_id"].isin([trial["trial_id"] for trial in inside])]
        assert row[4].value == pytest.approx(dead.mean())


def rows_of(plot: Plot) -> list[dict[str, Cell]]:
    return [dict(zip(plot.table.columns, row, strict=True)) for row in plot.table.rows]


def test_a_filter_of_numbers_and_switches():
    assert where(hp_n_critic=5, hp_flag=True, hp_lr=1e-05) == "hp_n_critic:5 hp_flag:true hp_lr:1e-05"
