"""What a driver finds in a folder: it goes on with it, refuses, or moves it aside; it deletes nothing."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from rows import a_row, a_study, manifest_values
from test_search import STUDY, ending, resolved, search_in

from gansweep.errors import Damaged, UserError
from gansweep.results import lock, row_file
from gansweep.results.decoding import sealed_json
from gansweep.results.lock import driver_lock, read_driver
from gansweep.results.phases import finished_trials
from gansweep.results.records import read_finalists, read_manifest
from gansweep.results.row_file import RowWriter
from gansweep.results.study_file import read_study
from gansweep.run.driver import check_same_study, open_books
from gansweep.run.ledger import Ledger
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.training.checkpoints import Checkpoints


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def begun(folder: Path, n_ended: int) -> None:
    """A folder with a search of which so many trials have ended, but without their rows."""
    search = search_in(folder)
    (folder / "study.json").write_text(sealed_json(resolved(STUDY).to_json()))
    job = search.next_job()
    for trial in job.trials[:n_ended]:
        search.report(ending(search, trial))


def test_missing_rows_of_a_search_that_ended_trials_are_refused(tmp_path):
    begun(tmp_path, 2)
    before = contents(tmp_path)
    for study in (STUDY, replace(STUDY, steps=99)):
        with pytest.raises(
            UserError, match="holds no row, but 2 trials of this study have ended: restore it"
        ):
            check_same_study(tmp_path, resolved(study))
    assert contents(tmp_path) == before


def test_missing_rows_beside_generators_are_refused(tmp_path):
    trial = a_row(0).trial
    Checkpoints(tmp_path).save_generator(a_study(), trial, {})
    with pytest.raises(UserError, match="but 1 trials of this study have ended"):
        check_same_study(tmp_path, a_study())


def test_a_run_that_measured_nothing_goes_on(tmp_path):
    begun(tmp_path, 0)
    before = contents(tmp_path)
    check_same_study(tmp_path, resolved(STUDY))
    assert contents(tmp_path) == before


def test_what_another_study_left_that_measured_nothing_is_moved_aside(tmp_path, capsys):
    begun(tmp_path, 0)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    before = contents(tmp_path)
    check_same_study(tmp_path, resolved(replace(STUDY, steps=99)))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"set-aside"}
    assert {f"set-aside/{name}": text for name, text in before.items()} == contents(tmp_path)
    said = capsys.readouterr().out
    assert (
        f"{tmp_path}/optuna.journal is of another study: moved to {tmp_path}/set-aside/optuna.journal" in said
    )


def test_a_damaged_study_without_rows_is_moved_aside_and_with_rows_is_refused(tmp_path):
    (tmp_path / "study.json").write_text("{")
    check_same_study(tmp_path, a_study())
    assert (tmp_path / "set-aside" / "study.json").read_text() == "{"
    (tmp_path / "study.json").write_text(sealed_json(a_study().to_json()))
    RowWriter(tmp_path).append([a_row(0, fid=1.0)])
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(Damaged):
        check_same_study(tmp_path, a_study())
    assert (tmp_path / "study.json").read_text() == "{"


@pytest.mark.parametrize("digit", [b"7", b"1"])
def test_a_changed_digit_of_a_json_file_is_noticed(tmp_path, digit):
    (tmp_path / "study.json").write_text(sealed_json(a_study(batch_size=64).to_json()))
    (tmp_path / "manifest.json").write_text(sealed_json(manifest_values(wall_seconds=64.0)))
    assert read_study(tmp_path).batch_size == 64 and read_manifest(tmp_path).wall_seconds == 64
    for name, read in (("study.json", read_study), ("manifest.json", read_manifest)):
        file = tmp_path / name
        file.write_bytes(file.read_bytes().replace(b"64", b"6" + digit))
        with pytest.raises(Damaged, match=f"{name} is damaged: its content does not have the hash"):
            read(tmp_path)


def test_files_of_other_studies_do_not_belong(tmp_path):
    mine, other = a_study(), a_study(seed=3)
    (tmp_path / "study.json").write_text(sealed_json(mine.to_json()))
    (tmp_path / "manifest.json").write_text(sealed_json(manifest_values(fingerprint=other.fingerprint)))
    with pytest.raises(Damaged, match=r"manifest\.json and study\.json in .* are of different studies"):
        read_manifest(tmp_path)
    entries = {"schema": "gansweep.finalists/1", "fingerprint": other.fingerprint, "finalists": []}
    (tmp_path / "finalists.json").write_text(sealed_json(entries))
    with pytest.raises(Damaged, match=r"finalists\.json is of another study"):
        read_finalists(tmp_path)


NOBODY = (
    *("", "[1]", "[" * 50_000, "{" + "9" * 5_000, '{"host": "x", "pid": 3, "started": "yesterday"}'),
    '{"host": "x", "pid": "many", "started": "2026-01-01T00:00:00+00:00"}',
)


@pytest.mark.parametrize("text", NOBODY)
def test_a_signature_that_is_none_is_nobody(tmp_path, text):
    (tmp_path / ".lock").write_text(text)
    assert read_driver(tmp_path) is None
    with driver_lock(tmp_path):
        assert read_driver(tmp_path).pid == os.getpid()


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_a_living_driver_elsewhere_is_noticed_whatever_the_clocks_say(tmp_path, monkeypatch, hours):
    """It touches its lock by a clock that may be hours away, and its flock is not seen here."""
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.4)
    path = tmp_path / ".lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "started": "2026-01-01T00:00:00+00:00"}))
    over = threading.Event()

    def beat():
        while not over.wait(0.2):
            now = time.time() + 3600 * hours
            os.utime(path, (now, now))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with (
            pytest.raises(UserError, match=r"another process is running this study in .*, on elsewhere"),
            driver_lock(tmp_path),
        ):
            pass
    finally:
        over.set()
        thread.join()
    with driver_lock(tmp_path):  # it was killed: nothing touches its lock any more
        pass


HOSTILE = (
    "rows.jsonl",
    "study.json",
    "manifest.json",
    "optuna.journal",
    "finalists.json",
    ".lock",
    "checkpoints",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_link_in_a_folder_is_followed(tmp_path, name):
    outside, folder = tmp_path / "outside", tmp_path / "study"
    folder.mkdir()
    if name == "checkpoints":
        (outside / "digits-ns-0000").mkdir(parents=True)
        (outside / "digits-ns-0000" / "generator.pt").write_bytes(b"mine")
    else:
        outside.write_text('mine\nhalf a line, and {"host": "x"')
    before = contents(tmp_path)
    (folder / name).symlink_to(outside)
    refused = pytest.raises(UserError, match="is a link, and nothing inside the folder of a study may be one")
    with refused, driver_lock(folder):
        check_same_study(folder, a_study())
        RowWriter(folder)
        open_storage(folder, None)
        read_finalists(folder)
        Checkpoints(folder).forget("digits-ns-0000")
    after = {path: text for path, text in contents(tmp_path).items() if not path.startswith("study/")}
    assert after == {path: text for path, text in before.items() if not path.startswith("study/")}


def test_a_changed_bit_of_the_journal_changes_no_configuration(tmp_path):
    begun(tmp_path, 0)
    journal = tmp_path / "optuna.journal"
    whole = journal.read_bytes()
    at = whole.index(b'"lr":') + 8
    for bit in (1, 2, 4):
        journal.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with pytest.raises(Damaged, match=r"optuna\.journal is damaged"):
            open_storage(tmp_path, None)
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    open_storage(tmp_path, None)
    (torn,) = (tmp_path / "set-aside").iterdir()
    assert journal.read_bytes() == whole and torn.read_bytes() == b'{"op_code":4,"wor'


def test_optuna_itself_reads_the_journal(tmp_path):
    import optuna
    from optuna.storages.journal import JournalFileBackend

    begun(tmp_path, 2)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "optuna.journal")))
    (study,) = (optuna.load_study(study_name=name, storage=storage) for name in ("s/ns@digits",))
    assert sum(trial.state.is_finished() for trial in study.trials) == 2


def test_no_study_mixes_two_revisions_of_an_objective(tmp_path):
    """WGAN's bound did not scale in 0.1.0: what has begun with it is not to go on as something else."""
    now = resolved(replace(STUDY, variants=("ns", "wgan")))
    assert now.revisions == {"wgan": 2} and "revisions" in now.to_json()
    then = structs.replace(now, revisions={})
    assert "revisions" not in then.to_json() and then.fingerprint != now.fingerprint
    (tmp_path / "study.json").write_text(json.dumps(then.to_json()))
    RowWriter(tmp_path).append([a_row(0, fid=1.0)])
    with pytest.raises(UserError, match=r"as it was before \(revisions.wgan: null -> 2\)"):
        check_same_study(tmp_path, now)


def test_a_driver_reads_the_rows_of_earlier_ones_once(tmp_path, monkeypatch):
    search, study = search_in(tmp_path), resolved(STUDY)
    (tmp_path / "study.json").write_text(sealed_json(study.to_json()))
    writer = RowWriter(tmp_path)
    first, second = search.next_job(), search.next_job()
    ends = [ending(search, trial, 3.0) for trial in first.trials]
    begun = ending(search, second.trials[0], 2.0, outcome=None, step=5)
    rows = writer.append([*ends, begun])
    for row in rows[:1]:  # the driver was killed before it had told the search of the others
        search.report(row)
    for trial in (*first.trials, second.trials[0]):
        Checkpoints(tmp_path).save_generator(study, trial, {})

    opened, open_file = [], row_file.open_file
    monkeypatch.setattr(row_file, "open_file", lambda path: opened.append(path) or open_file(path))
    books = open_books(tmp_path, study)
    again = Search(study, open_storage(tmp_path, None), tmp_path, {"digits": 3})
    ledger = Ledger(tmp_path, study, books.rows, again, (), books.progress)
    again.resume(books.searched)
    assert [path.name for path in opened] == ["rows.jsonl", "rows.jsonl"]  # whole; and what follows its end

    assert books.rows.finished.trials == finished_trials(rows)
    assert books.progress.count() == f"{len(ends)}/14"
    for row in rows:
        stored = again.cells[row.cell].stored.trial(row.trial_number)
        assert stored.intermediate_values == {row.step: row.fid}
        assert stored.state.is_finished() == (row.outcome is not None)
    best = min(ends, key=lambda row: row.trial_id).trial_id  # all are equally good: the first one stays
    assert Checkpoints(tmp_path).generators() == sorted([best, begun.trial_id])
    assert {trial.trial_id for trial in ledger.best.values()} == {best}
