"""Whole studies on a real Ray: from the value to the report, twice, changed, extended, crashed."""

import json
import signal
from dataclasses import replace

import pandas as pd
import pytest
from msgspec import structs
from rows import json_manifest, without_checks

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.results.plan import Confirm
from gansweep.results.tables import read_tables
from gansweep.run.driver import run_study
from gansweep.run.options import Options
from gansweep.run.prepare import prepare
from gansweep.run.search.search import Search
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

STUDY = Study(
    variants=("ns", "vae"),
    datasets=("digits",),
    trials=3,
    steps=10,
    evaluations=2,
    evaluation=Evaluation(n_images=200),
)


@pytest.fixture(scope="module")
def finished(local_ray, tmp_path_factory):
    """The folder of all results after one run of STUDY; and its exit code."""
    results = tmp_path_factory.mktemp("results")
    return results, run_study("small", "Which is better?", STUDY, Options(results=results))


def rows_file(results):
    return (results / "small" / "rows.jsonl").read_bytes()


def test_a_study_runs_to_its_report(finished):
    results, code = finished
    assert code == 0
    folder = results / "small"
    trials = pd.read_parquet(folder / "trials.parquet")
    assert sorted(trials.trial_id) == [f"digits-{v}-{n:04d}" for v in ("ns", "vae") for n in range(3)]
    assert trials.outcome.isin(["ok", "collapsed"]).all() and trials.fid_best.notna().all()
    assert len(pd.read_csv(folder / "evaluations.csv")) == 12
    assert "<html" in (folder / "report" / "index.html").read_text()[:200]
    assert (folder / "samples" / "real-digits.png").exists()
    assert not (folder / ".tune").exists()


def test_only_the_best_generator_of_a_cell_is_kept(finished):
    folder = finished[0] / "small"
    trials = read_tables(folder)["trials"]
    best = trials.loc[trials.groupby("variant").fid_best.idxmin()].trial_id
    kept = sorted(
        str(path.relative_to(folder / "checkpoints")) for path in (folder / "checkpoints").rglob("*.pt")
    )
    assert kept == sorted(f"{trial}/generator.pt" for trial in best)


def test_the_manifest_says_where_the_numbers_come_from(finished):
    manifest = json.loads((finished[0] / "small" / "manifest.json").read_text())
    (metric_id,) = manifest["metrics"]
    assert set(read_tables(finished[0] / "small")["trials"].metric_id) == {metric_id}
    assert manifest["metrics"][metric_id]["extractor"] == "digits"
    assert manifest["hardware"]["cpus"] == 2 and manifest["packages"]["torch"]
    assert manifest["collapse_above"]["digits"] > manifest["metrics"][metric_id]["floor"]["fid"]
    assert manifest["planned_trials"] == 6 and manifest["wall_seconds"] > 0


def test_a_study_that_still_runs_has_a_whole_manifest(tmp_path):
    """A report of what there is so far needs all of it."""
    datasets = {"digits": data.load("digits")}
    resolved = resolve("small", "Which is better?", STUDY, datasets)
    prepare(tmp_path, resolved, datasets, {"nodes": 1, "cpus": 2, "gpus": 0})
    assert json_manifest(tmp_path)["hardware"]["cpus"] == 2


def test_the_same_command_again_changes_nothing(finished, capsys):
    results, _ = finished
    before = {p: p.read_bytes() for p in (results / "small").rglob("*") if p.is_file()}
    assert run_study("small", "Which is better?", STUDY, Options(results=results)) == 0
    assert capsys.readouterr().out.startswith("report: ")
    for path, content in before.items():
        assert path.read_bytes() == content, path


def test_a_changed_study_is_refused_with_its_differences(finished):
    results, _ = finished
    before = rows_file(results)
    changed = replace(STUDY, steps=20, seed=1)
    with pytest.raises(UserError, match=r"as it was before \(seed: 0 -> 1; steps: 10 -> 20\)"):
        run_study("small", "Which is better?", changed, Options(results=results))
    with pytest.raises(UserError, match=r"trials: 3 -> 2"):
        run_study("small", "Which is better?", replace(STUDY, trials=2), Options(results=results))
    assert rows_file(results) == before


@pytest.mark.slow
def test_more_trials_extend_a_study(finished):
    results, _ = finished
    before = rows_file(results)
    assert run_study("small", "Which is better?", replace(STUDY, trials=4), Options(results=results)) == 0
    assert rows_file(results).startswith(before)
    assert len(read_tables(results / "small")["trials"]) == 8


@pytest.mark.slow
def test_results_do_not_depend_on_how_the_study_is_run(finished, tmp_path):
    storage = f"sqlite:///{tmp_path}/optuna.db"
    options = Options(results=tmp_path, storage=storage, pack_size=1)
    assert run_study("small", "Which is better?", STUDY, options) == 0
    a, b = (
        read_tables(folder / "small")["trials"].set_index("trial_id") for folder in (tmp_path, finished[0])
    )
    assert a.config_id.equals(b.config_id[a.index])
    assert ((a.fid - b.fid[a.index]).abs() < 0.1 * b.fid[a.index]).all()


def test_what_stops_workers_ends_a_run_also_where_sigint_is_ignored(local_ray, tmp_path):
    """As in a script that starts it in the background. A link in place of a log is what nobody may follow."""
    log = tmp_path / "small" / "logs" / "digits-ns-0000-pack.log"
    log.parent.mkdir(parents=True)
    log.symlink_to(tmp_path / "elsewhere")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(UserError, match=r"digits-ns-0000-pack\.log is a link"):
            run_study("small", "", replace(STUDY, variants=("ns",)), Options(results=tmp_path))
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "elsewhere").exists()


def test_a_study_that_is_running_elsewhere_is_left_alone(tmp_path):
    from gansweep.run.driver import driver_lock

    with (
        driver_lock(tmp_path / "small"),
        pytest.raises(UserError, match="another process is running this study"),
    ):
        run_study("small", "", STUDY, Options(results=tmp_path))


@pytest.mark.slow
def test_trials_whose_worker_fails_again_and_again_are_rows(local_ray, tmp_path, monkeypatch, capsys):
    """Packs are of networks that the workers do not know: every attempt of every pack fails."""
    next_job = Search.next_job

    def sabotaged(search):
        job = next_job(search)
        return job and replace(job, trials=[structs.replace(each, architecture="?") for each in job.trials])

    monkeypatch.setattr(Search, "next_job", sabotaged)
    code = run_study("small", "", replace(STUDY, variants=("vae",), trials=1), Options(results=tmp_path))
    assert code == 1
    (row,) = read_tables(tmp_path / "small")["trials"].to_dict("records")
    assert row["outcome"] == "crashed" and row["failure_kind"] == "KeyError"
    said = capsys.readouterr().out
    assert "digits-vae-0000 crashed: " in said and "(see logs/digits-vae-0000-pack.log)" in said
    log = (tmp_path / "small" / row["log_path"]).read_text()
    assert log.count("Traceback") == 2


@pytest.mark.slow
def test_winners_go_on_to_fresh_seeds_also_when_the_search_was_run_before(local_ray, tmp_path, capsys):
    """A driver that died after the search and some of the seeds left rows; the next one runs what is left."""
    phased = replace(STUDY, variants=("ns",), trials=2, confirm=Confirm(top=2, reruns=1, seeds=3))
    assert run_study("phased", "Who wins?", phased, Options(results=tmp_path)) == 0
    folder = tmp_path / "phased"
    whole = read_tables(folder)["trials"].set_index("trial_id")
    assert whole.phase.value_counts().to_dict() == {"confirm": 3, "search": 2, "select": 2}
    assert whole.seed.is_unique and "confirmed" in (folder / "report" / "index.html").read_text()
    lines = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "-confirm-001" not in line and "-select-" not in line]
    (folder / "rows.jsonl").write_text("".join(kept))
    without_checks(folder)
    capsys.readouterr()
    assert run_study("phased", "Who wins?", phased, Options(results=tmp_path)) == 0
    again = read_tables(folder)["trials"].set_index("trial_id")
    assert set(again.index) >= set(whole.index)
    for trial in whole.index:
        assert again.fid[trial] == pytest.approx(whole.fid[trial], rel=1e-3)
