"""Successive halving: who goes on at a rung, that every driver decides alike, what a report says of it."""

import itertools
import json
import math
import shutil
from dataclasses import replace

import optuna
import pandas as pd
import pytest
import torch
from msgspec import structs
from rows import json_rows, row_of
from synthetic import make_study

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.report.compare.compare import compare_studies
from gansweep.report.comparison import read_comparison
from gansweep.report.costs import trial_costs
from gansweep.report.figures import plots
from gansweep.report.figures.search.budget import budget_plot
from gansweep.report.figures.search.halving import halving_plot
from gansweep.report.page.page import _write_formats
from gansweep.report.summary import summary_table
from gansweep.report.verify.row_checks import check_rows
from gansweep.results.columns import columns, typed, violations
from gansweep.results.folder import StudyFolder
from gansweep.results.halving import HalvingState, share_left
from gansweep.results.phases import best_configurations, finished_trials, n_by_phase
from gansweep.results.plan import Confirm, Halving
from gansweep.results.records import read_manifest
from gansweep.results.row import Failure, Outcome, now
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.results.status.progress import StudyProgress
from gansweep.run.ledger import Ledger
from gansweep.run.reproduce import repeat
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.space import choice, loguniform
from gansweep.study.resolve import resolve
from gansweep.study.study import Study
from gansweep.training.trainer import Trainer

CPU = torch.device("cpu")
PLAIN = Study(
    variants=("ns", "lsgan"),
    datasets=("ring",),
    space={"lr": loguniform(1e-4, 1e-2), "d_norm": choice("none", "layer"), "n_critic": 1},
    trials=19,
    steps=18,
    evaluations=9,
    batch_size=8,
    evaluation=Evaluation(n_images=200),
)
HALVED = replace(PLAIN, halving=Halving(eta=3, size=9))
HYPERBAND = replace(PLAIN, halving=Halving(eta=3, size=9, brackets=3), trials=18)
RUNGS = {1: 2, 3: 6, 9: 18}  # the step of each evaluation at which a stage ends


def resolved(value):
    return resolve("s", "", value, {"ring": data.load("ring")})


class Driver:
    """A driver without workers: what a trial measures is a function of its number and the evaluation."""

    def __init__(self, folder, value, fid=lambda number, evaluation: number + 10 / evaluation, fails=()):
        self.fid, self.fails, self.jobs = fid, fails, []
        self.search = Search(resolved(value), open_storage(folder, None), folder, {"ring": 4})
        self.writer = RowWriter(folder)
        self.ledger = Ledger(folder, self.search.study, self.writer, self.search)
        self.search.resume(list(read_rows(folder)))
        self.ledger.record([])

    def run(self, at_most=10_000):
        """Hand out and train packs; stop, as if killed, after so many batches of rows."""
        batches = itertools.islice(self.batches(), at_most)
        for rows in batches:
            self.ledger.record(rows)
        return self

    def batches(self):
        while job := self.search.next_job():
            self.jobs.append(job)
            latest = [self.writer.latest.get(trial.trial_id) for trial in job.trials]
            done = min(row.step if row else 0 for row in latest) // 2  # as checkpoints would say
            for evaluation in range(done + 1, (job.until or 9) + 1):
                yield [self.row(job, trial, evaluation) for trial in self.search.unfinished(job)]

    def row(self, job, trial, evaluation):
        row = row_of(trial, self.search.study, job.pack, step=2 * evaluation)
        if (trial.trial_number, evaluation) in self.fails:
            failure = Failure(kind="nan_loss", message="lost", step=row.step - 1)
            return structs.replace(row, outcome=Outcome.DIVERGED, failure=failure)
        metrics = {"fid": float(self.fid(trial.trial_number, evaluation))}
        return structs.replace(row, metrics=metrics, outcome=Outcome.OK if evaluation == 9 else None)


def outcomes(folder, variant="ns"):
    """By number, how each trial ended and at what step."""
    rows = [row for row in json_rows(folder) if row["outcome"] and row["variant"] == variant]
    assert len({row["trial_id"] for row in rows}) == len(rows), "a trial has ended twice"
    return {row["trial_number"]: (row["outcome"], row["step"]) for row in rows}


def test_the_best_of_each_bracket_go_on(tmp_path):
    driver = Driver(tmp_path, HALVED).run()
    assert driver.search.is_done
    assert driver.ledger.progress.table()[2:-1] == ["pruned: 32"]  # which is no failure
    for variant in PLAIN.variants:
        ends = outcomes(tmp_path, variant)
        assert sorted(ends) == list(range(19))
        assert {n for n, end in ends.items() if end == ("ok", 18)} == {0, 1, 10}
        assert {n for n, end in ends.items() if end == ("pruned", 6)} == {2, 3, 11, 12}
        assert {end for n, end in ends.items() if n % 9 in (4, 5, 6, 7, 8)} == {("pruned", 2)}
    steps = sum(step for variant in PLAIN.variants for _, step in outcomes(tmp_path, variant).values())
    assert steps == 2 * (18 + 2 * (9 * 2 + 3 * 4 + 1 * 12))


def test_the_best_so_far_counts_and_not_the_last(tmp_path):
    worse = lambda number, evaluation: {(5, 1): 0.5}.get((number, evaluation), number + evaluation)  # noqa: E731
    Driver(tmp_path, HALVED, worse).run()
    assert outcomes(tmp_path)[5] == ("ok", 18)


def test_survivors_are_packed_anew_and_packs_are_full(tmp_path):
    jobs = [job for job in Driver(tmp_path, HALVED).run().jobs if job.cell.variant == "ns"]
    stages = {until: [job for job in jobs if job.until == until] for until in RUNGS}
    survivors = [sorted(t.trial_number for job in stages[u] for t in job.trials) for u in (3, 9)]
    assert survivors == [[1, 2, 3, 10, 11, 12], [0, 1, 10]]
    structures = {trial.hp["d_norm"] for job in stages[3] for trial in job.trials}
    assert len(stages[3]) <= len(structures) + 1  # of two brackets together, at most four in a pack
    assert len({job.pack for job in jobs}) == len(jobs)


def test_the_default_is_trained_to_its_end_and_takes_nobodys_place(tmp_path):
    Driver(tmp_path, HALVED, lambda number, evaluation: -number).run()
    assert outcomes(tmp_path)[0] == ("ok", 18)


def test_failures_are_never_promoted_and_make_no_room(tmp_path):
    fails = {(1, 1), (2, 1), (3, 3), *((n, 1) for n in range(10, 19))}
    Driver(tmp_path, HALVED, fails=fails).run()
    ends = outcomes(tmp_path)
    assert {n for n, (outcome, _) in ends.items() if outcome == "diverged"} == {1, 2, 3, *range(10, 19)}
    assert [n for n, end in ends.items() if end == ("ok", 18)] == [0, 4]
    assert [n for n, end in ends.items() if end == ("pruned", 6)] == [5]


def test_hyperband_gives_slow_learners_a_chance(tmp_path):
    slow = {10: 1.0, 15: 0.0}  # of the second and the third bracket
    late = lambda number, evaluation: slow.get(number, 50.0) if evaluation > 2 else 90.0 + number  # noqa: E731
    Driver(tmp_path, HYPERBAND, late).run()
    ends = outcomes(tmp_path)
    assert [n for n, end in sorted(ends.items()) if end == ("ok", 18)] == [0, 1, 10, 15, 16, 17]
    assert {n for n, end in ends.items() if end == ("pruned", 6)} == {2, 3, 11, 12, 13, 14}
    assert len(ends) == 18


@pytest.mark.parametrize("value", [HALVED, HYPERBAND], ids=["halving", "hyperband"])
def test_every_driver_decides_as_an_undisturbed_one(tmp_path, value):
    """Drivers are killed again and again, each after seven batches of rows."""
    fid = lambda number, evaluation: (number * 7) % 19 + (number * evaluation) % 5  # noqa: E731
    fails = {(4, 2), (7, 1), (11, 7)}
    (tmp_path / "whole").mkdir()
    whole = Driver(tmp_path / "whole", value, fid, fails).run()
    jobs = {}
    for _ in range(40):
        driver = Driver(tmp_path, value, fid, fails).run(at_most=7)
        jobs |= {job.pack: job for job in driver.jobs}
        if driver.search.is_done:
            break
    for variant in PLAIN.variants:
        assert outcomes(tmp_path, variant) == outcomes(tmp_path / "whole", variant)
    members = {job.pack: {trial.trial_id for trial in job.trials} for job in whole.jobs}
    assert all({trial.trial_id for trial in job.trials} <= members[name] for name, job in jobs.items())


def test_a_driver_that_died_between_the_rung_and_its_decision_is_made_up_for(tmp_path):
    driver = Driver(tmp_path, HALVED)
    driver.search.take_pruned = list  # it dies before it can write that trials are pruned
    driver.run(at_most=40)
    arrived = {n for n, end in outcomes(tmp_path).items() if end[0] == "pruned"}
    again = Driver(tmp_path, HALVED)
    now = {n for n, end in outcomes(tmp_path).items() if end[0] == "pruned"}
    assert not arrived and now >= {4, 5, 6, 7, 8, 9, *range(13, 19)}
    again.run()
    assert len(outcomes(tmp_path)) == len(outcomes(tmp_path, "lsgan")) == 19


def test_a_halved_pack_keeps_its_rung(tmp_path):
    driver = Driver(tmp_path, HALVED)
    job = max((driver.search.next_job() for _ in range(4)), key=lambda job: len(job.trials))
    driver.search.hand_back(job, halved=True)
    parts = [driver.search.next_job() for _ in range(2)]
    assert {part.until for part in parts} == {job.until}
    assert sum(len(part.trials) for part in parts) == len(job.trials)


def test_more_trials_are_more_brackets_and_change_nothing_that_was_decided(tmp_path):
    Driver(tmp_path, HALVED).run()
    before = outcomes(tmp_path)
    Driver(tmp_path, replace(HALVED, trials=28)).run()
    after = outcomes(tmp_path)
    assert len(after) == 28 and {n: after[n] for n in before} == before


def test_optuna_knows_what_was_pruned_and_when(tmp_path):
    Driver(tmp_path, HALVED).run()
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "optuna.journal"))
    stored = optuna.load_study(study_name="s/ns@ring", storage=optuna.storages.JournalStorage(backend)).trials
    states = {trial.number: trial.state.name for trial in stored}
    assert [n for n, state in states.items() if state == "COMPLETE"] == [0, 1, 10]
    assert {state for n, state in states.items() if n not in (0, 1, 10)} == {"PRUNED"}
    assert stored[9].intermediate_values == {2: 19.0} and stored[9].value == 19.0
    assert stored[2].intermediate_values == {2: 12.0, 4: 7.0, 6: 2 + 10 / 3}


def test_the_rows_decide_in_whatever_order_they_come(tmp_path):
    Driver(tmp_path, HALVED, fails={(3, 2)}).run()
    rows = [row for row in read_rows(tmp_path) if row.variant == "ns"]
    pruned = {n for n, end in outcomes(tmp_path).items() if end[0] == "pruned"}
    for order in (rows, sorted(rows, key=lambda row: (row.step, -row.trial_number))):
        halving = HalvingState(HALVED.halving, HALVED.evaluations)
        for number in range(19):
            halving.add(number)
        for row in order:
            halving.note(row)
        while halving.decide():
            pass
        assert halving.pruned - {3} == pruned


def test_phases_after_the_search_take_survivors_only(tmp_path):
    value = resolved(replace(HALVED, confirm=Confirm(top=5, reruns=2, seeds=3)))
    Driver(tmp_path, HALVED, lambda number, evaluation: 5.0 - evaluation if number < 9 else 50.0).run()
    finished = finished_trials(row for row in read_rows(tmp_path) if row.variant == "ns")
    best = best_configurations(value.confirm, finished)
    assert [trial.trial_number for trial in best] == [0, 1, 10]
    assert n_by_phase(value) == {"search": 19, "select": 6, "confirm": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 20}, "trials must be 1, for the default, and a multiple of 9, .* 19 or 28, but got 20"),
        ({"trials": 4}, "such as 10, but got 4"),
        ({"sampler": "tpe"}, "halving needs a sampler that needs no results, random or qmc, .* 'tpe'"),
        ({"halving": Halving(first=9)}, "first below the study's 9 evaluations, but got 9"),
        ({"halving": Halving(brackets=4)}, "at most 3 brackets, as many as its evaluations allow, but got 4"),
    ],
)
def test_what_cannot_be_halved_is_said(changes, message):
    with pytest.raises(UserError, match=message):
        replace(HALVED, **changes)
    with pytest.raises(UserError, match="eta must be a whole number from 2 to 1000, but got 1"):
        Halving(eta=1)


def test_a_study_without_halving_is_what_it_was():
    assert "halving" not in resolved(PLAIN).to_json()
    assert resolved(HALVED).to_json()["halving"] == {"eta": 3, "first": 1, "size": 9, "brackets": 1}
    assert HALVED.at_smoke_scale().trials == 3


def trained(folder, value):
    """Train a study for real, one pack after another; its folder."""
    folder.mkdir()
    ring = data.load("ring")
    reference = build_reference(ring, value.evaluation)
    evaluator, driver = Evaluator(reference, value.evaluation), Driver(folder, value)
    (folder / "study.json").write_text(json.dumps(driver.search.study.to_json()))
    StudyFolder(folder).reference("ring").parent.mkdir()
    reference.save(StudyFolder(folder).reference("ring"))
    while job := driver.search.next_job():
        for rows in Trainer(job, ring, evaluator, CPU).rows():
            driver.ledger.record(rows)
    return folder


def test_a_survivor_measures_what_it_would_have_measured_without_halving(tmp_path):
    value = replace(PLAIN, variants=("ns",), trials=10, space=PLAIN.space | {"d_norm": "none"})
    plain = trained(tmp_path / "plain", value)
    halved = trained(tmp_path / "halved", replace(value, halving=Halving(size=9)))
    expected = {(row["trial_id"], row["step"]): row["metrics"] for row in json_rows(plain) if row["metrics"]}
    rows = [row for row in json_rows(halved) if row["metrics"]]
    assert len(rows) == 9 + 9 * 1 + 3 * 2 + 1 * 6
    for row in rows:
        assert row["metrics"] == pytest.approx(expected[row["trial_id"], row["step"]], rel=1e-2)
    n_measured = {n: sum(r["trial_number"] == n for r in rows) for n in range(10)}
    assert sorted(n_measured.values()) == [1, 1, 1, 1, 1, 1, 3, 3, 9, 9]
    kept = sorted(file.parent.name for file in halved.glob("checkpoints/*/*.pt"))
    assert len(kept) == 1  # the best generator; nothing of those that were pruned
    pruned = next(row["trial_id"] for row in json_rows(halved) if row["outcome"] == "pruned")
    for alone in (True, False):
        again = repeat(halved, list(read_rows(halved)), pruned, alone)
        assert again.now[-1].outcome == "pruned" and again.largest < 1e-2 * alone + 1e-12


SETTINGS = {"eta": 3, "first": 1, "size": 9, "brackets": 1}  # rungs after 1 and 3 of 5 evaluations


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The same trials of a synthetic search, all trained to their end and halved."""
    folder = tmp_path_factory.mktemp("reports")
    common = {"variants": ("ns", "wgan_gp"), "datasets": 1, "trials": 1 + 9 * 24, "seed": 5, "samples": False}
    plain = make_study(folder / "plain", **common)
    phases = {"confirm": {"top": 2, "reruns": 2, "seeds": 6}, "replicate": {"configurations": 4, "seeds": 2}}
    halved = make_study(folder / "halved", **common, **phases, halving=SETTINGS)
    return read_comparison(plain), read_comparison(halved)


def test_pruned_trials_are_neither_scores_nor_failures(reports):
    plain, halved = reports
    pruned = halved.trials[halved.trials["outcome"] == "pruned"]
    assert len(pruned) > 2 * 24 * 3 and (halved.trials["status"] == "pruned").sum() == len(pruned)
    assert pruned["score"].isna().all() and pruned["fid_best"].notna().all()
    failed = [c.trials["outcome"].isin(["diverged", "timeout"]).sum() for c in (halved, plain)]
    assert 0 < failed[0] < failed[1]
    assert set(halved.replicates["phase"]) == {"replicate"}


def test_a_bracket_is_a_draw_and_scores_what_its_survivors_would_have_scored(reports):
    """By hand, from the trials that were all trained to their end."""
    plain, halved = reports
    fids = plain.evaluations.pivot(index="trial_id", columns="step", values="fid").cummin(axis=1)
    for variant in ("ns", "wgan_gp"):
        mine = plain.finished[plain.finished["variant"] == variant].sort_values("trial_number")
        expected = []
        for start in range(0, 9 * 24, 9):
            bracket = mine.iloc[start : start + 9]
            first = fids.reindex(bracket["trial_id"])[1000].dropna().nsmallest(3).index
            second = fids.loc[first, 3000].dropna().nsmallest(1).index
            score = bracket.set_index("trial_id").loc[second, "score"].min()
            expected.append(score if len(second) else math.inf)
        assert halved.scores["digits", variant].tolist() == sorted(expected)


def test_what_pruning_would_bias_is_not_said(reports):
    """The median of all configurations: those with early FIDs are too bad, the survivors alone too good."""
    plain, halved = reports
    truth = summary_table(plain).set_index("variant")["median_fid"]
    lines = summary_table(halved).set_index("variant")
    for variant in truth.index:
        mine = halved.trials[(halved.trials["variant"] == variant) & ~halved.trials["is_default"]]
        assert mine["score"].dropna().median() < 0.9 * truth[variant]
        assert mine["fid_best"].median() > 1.2 * truth[variant]
        assert pd.isna(lines.loc[variant, "median_fid"])
        assert lines.loc[variant, "n_brackets"] == 24 and lines.loc[variant, "k"] == 4
        assert lines.loc[variant, "n"] == 9 * 24
    names = {plot.name for plot in plots(halved)}
    of_all_trials = {"distribution", "learning-digits", "hyperparameters-digits", "failure-map-digits"}
    assert {"halving-digits", "budget-digits", "cost-digits", "confirmed-digits"} <= names
    assert not of_all_trials & names


def test_a_bracket_costs_what_all_its_trials_cost(reports):
    halved = reports[1]
    costs = trial_costs(halved, "digits")
    spent = halved.finished.groupby("variant")["steps"].sum() / 24
    assert costs["steps"].to_dict() == pytest.approx(spent.to_dict())
    assert costs["steps"]["ns"] < 9 * 5000 / 2


def test_the_page_says_what_halving_means(reports):
    halved = reports[1]
    page = _write_formats(
        halved, [halving_plot(halved, "digits"), budget_plot(halved, "digits")], ("html",)
    ).read_text()
    assert "by successive halving, so their final FIDs are unknown" in page
    assert "counts independent brackets of 9 configurations in place of single" in page
    assert "try k random brackets and keep the best" in page and "with a budget of 4 brackets" in page.lower()
    assert "Which trials were pruned on Digits" in page and "outcome:pruned" in page
    assert "configurations tried" not in page and "Median FID</" not in page


def test_verify_holds_prunings_to_the_rows(reports, tmp_path):
    halved = reports[1]
    folder = shutil.copytree(halved.folder, tmp_path / "study")
    rows, manifest = list(read_rows(folder)), halved.manifest
    assert check_rows(rows, manifest) == []
    last = max(i for i, row in enumerate(rows) if row.outcome == "ok" and row.phase == "search")
    number, variant = rows[last].trial_number, rows[last].variant
    changed = [*rows[:last], structs.replace(rows[last], outcome=Outcome.PRUNED), *rows[last + 1 :]]
    assert f"trial number {number} of {variant} on digits was pruned, but no rung drops it" in check_rows(
        changed, manifest
    )
    first = next(i for i, row in enumerate(rows) if row.outcome == "pruned")
    kept = [*rows[:first], structs.replace(rows[first], outcome=Outcome.OK), *rows[first + 1 :]]
    assert any("was not pruned, but a rung drops it" in sentence for sentence in check_rows(kept, manifest))
    without = structs.replace(manifest, budget=structs.replace(manifest.budget, halving=None))
    assert any("was pruned, but no rung drops it" in sentence for sentence in check_rows(rows, without))


def test_a_damaged_manifest_is_named(reports, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    manifest = reports[1].manifest.to_json()
    manifest["budget"]["halving"] = SETTINGS | {"eta": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        UserError, match=r"manifest.json is damaged: eta must be a whole number from 2 to 1000"
    ):
        read_manifest(folder)


def test_the_columns_of_a_halved_search_are_described(reports):
    plain, halved = (typed("trials", c.trials.to_dict("records")) for c in reports)
    assert not violations("trials", halved)
    assert "pruned" in columns("trials", halved)["outcome"].values
    assert "pruned" not in columns("trials", plain)["outcome"].values


def test_a_halved_search_is_compared_by_fresh_seeds_alone(reports, tmp_path):
    plain, halved = reports
    with pytest.raises(UserError, match="a search that prunes are not independent draws"):
        compare_studies(plain.folder, halved.folder)
    lines, _ = compare_studies(halved.folder, halved.folder)
    assert any("6 seeds" in line for line in lines)


def test_the_forecast_counts_what_brackets_train():
    value = resolved(HALVED)
    whole = sum(share_left(value, number) for number in range(19))
    assert whole == pytest.approx(1 + 2 * (9 + 3 * 2 + 1 * 6) / 9)
    assert share_left(value, 5, 1 / 9) == pytest.approx((2 / 3 + 6 / 9) / 9 * 3 / 3, rel=1)
    assert share_left(value, 5, 3 / 9) == pytest.approx(6 / 9 / 3)
    assert share_left(value, 5, 4 / 9) == pytest.approx(5 / 9)
    assert share_left(resolved(PLAIN), 5, 0.25) == 0.75


def test_the_time_left_counts_what_brackets_train(tmp_path):
    driver = Driver(tmp_path, HALVED)
    progress = StudyProgress(driver.search.study)
    n, full = 19, 90.0
    for rows in driver.batches():
        for row in rows:
            spent = {"train_seconds": full * row.step / 18, "started_at": now()}
            progress.note(structs.replace(row, **spent))
        driver.ledger.record(rows)
        break
    cell = ("ring", "ns")
    left = progress.left(cell) * progress._expected_seconds(cell)
    assert left == pytest.approx(full * (1 + 2 * 21 / 9), rel=0.05)
    assert left < 0.4 * n * full
