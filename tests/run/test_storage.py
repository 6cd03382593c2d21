"""Where a search is kept: files that no crash breaks, URLs that hold no secret."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.run.options import storage_url
from gansweep.run.search.search import Search
from gansweep.run.search.storage import WriteThroughStudy, batch, exclusive, open_storage
from gansweep.run.search.storage.journal import Journal
from gansweep.space import choice, loguniform
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

TORN = '{"op_code":4,"worker_id":"some'


def study_in(folder, name="s"):
    return WriteThroughStudy(open_storage(folder, None), name, "fingerprint")


def ask(stored, n=1):
    """Ask for trials as the search does: all of each is known before it is recorded."""
    for _ in range(n):
        trial = stored.ask()
        trial.suggest_float("lr", 1e-5, 1e-2, log=True)
        stored.configure(trial.number, {"lr": trial.params["lr"]})
    stored.commit()


def as_optuna_sees_it(folder, name="s"):
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.journal")))
    return optuna.load_study(storage=storage, study_name=name).get_trials()


def test_half_a_line_is_cut_off(tmp_path):
    ask(study_in(tmp_path), 2)
    journal = tmp_path / "optuna.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + TORN.encode())
    again = study_in(tmp_path)
    assert journal.read_bytes().startswith(whole) and TORN.encode() not in journal.read_bytes()
    ask(again)
    assert [trial.number for trial in as_optuna_sees_it(tmp_path)] == [0, 1, 2]


def test_a_journal_that_was_broken_before_is_named(tmp_path):
    journal = tmp_path / "optuna.journal"
    journal.write_text(TORN + '{"op_code":0}\n{"op_code":0}\n')
    with pytest.raises(UserError, match=r"optuna\.journal is damaged"):
        open_storage(tmp_path, None)


def test_a_driver_killed_at_any_byte_of_the_journal(tmp_path):
    """Whatever is left of the file, the search goes on with trials that are whole."""
    ask(study_in(tmp_path), 2)
    journal = tmp_path / "optuna.journal"
    whole = journal.read_bytes()
    first = whole.index(b'"op_code":4')
    for size in range(first, len(whole), 29):
        journal.write_bytes(whole[:size])
        stored = study_in(tmp_path)
        ask(stored, 3 - len(stored.ids))
        trials = as_optuna_sees_it(tmp_path)
        assert len(trials) == 3
        assert all(trial.user_attrs["hp"] == trial.params for trial in trials)


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_full_disk(tmp_path, room, monkeypatch):
    """The file can grow by no more than some bytes for a while: nothing is torn, lost or doubled."""
    monkeypatch.setenv("GANSWEEP_PATIENCE", "300")
    stored = study_in(tmp_path)
    ask(stored)
    journal = tmp_path / "optuna.journal"
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    seen = []

    def relieve():
        seen.append(journal.read_bytes())
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + room, limits[1]))
    later = threading.Timer(0.5, relieve)
    later.start()
    try:
        ask(stored, 2)
    finally:
        later.join()
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)
    assert seen[0].endswith(b"\n")
    assert [trial.number for trial in as_optuna_sees_it(tmp_path)] == [0, 1, 2]


def test_the_lock_of_a_killed_driver_costs_a_second(tmp_path, monkeypatch):
    ask(study_in(tmp_path))
    (tmp_path / "optuna.journal.lock").symlink_to("/moved/since/optuna.journal")
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    ask(study_in(tmp_path))
    assert slept == [1.0]
    assert len(as_optuna_sees_it(tmp_path)) == 2


def test_notes_of_another_program_stay(tmp_path):
    """optuna-dashboard writes to the same file; each waits for the other's lock."""
    stored = study_in(tmp_path)
    code = """if True:
    import optuna, sys
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    study = optuna.load_study(storage=JournalStorage(JournalFileBackend(sys.argv[1])), study_name="s")
    print("ready", flush=True)
    for i in range(30):
        study.set_user_attr(f"note {i}", i)
    """
    command = [sys.executable, "-c", code, str(tmp_path / "optuna.journal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"ready\n"
        ask(stored, 30)
        assert other.wait() == 0
    lines = (tmp_path / "optuna.journal").read_text().splitlines()
    assert sum("note" in json.loads(line).get("user_attr", {}).__str__() for line in lines) == 30
    assert len(as_optuna_sees_it(tmp_path)) == 30


def test_what_is_told_together_reaches_the_journal_at_the_end(tmp_path):
    stored, journal = study_in(tmp_path), tmp_path / "optuna.journal"
    with batch(stored.storage):
        before = journal.read_bytes()
        ask(stored, 3)
        with batch(stored.storage):
            stored.score(0, 10, 5.0)
        stored.finish(0, 5.0)
        assert journal.read_bytes() == before
    stored.finish(1, None)
    first, second, third = as_optuna_sees_it(tmp_path)
    assert (first.value, first.intermediate_values, second.state.name) == (5.0, {10: 5.0}, "FAIL")
    assert third.state.name == "RUNNING" and study_in(tmp_path).committed == 3


def test_notes_of_another_program_come_between_what_is_told_together(tmp_path):
    """Each waits for the other's lock, and the driver goes on with what both have written."""
    stored = study_in(tmp_path)
    code = """if True:
    import optuna, sys
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    study = optuna.load_study(storage=JournalStorage(JournalFileBackend(sys.argv[1])), study_name="s")
    print("ready", flush=True)
    for i in range(20):
        study.set_user_attr(f"note {i}", i)
    """
    command = [sys.executable, "-c", code, str(tmp_path / "optuna.journal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"ready\n"
        for number in range(20):
            with batch(stored.storage):
                ask(stored)
                stored.finish(number, float(number))
        assert other.wait() == 0
    notes = [key for key in stored.storage.get_study_user_attrs(stored.id) if key.startswith("note")]
    assert len(notes) == 20
    assert [trial.value for trial in as_optuna_sees_it(tmp_path)] == [float(n) for n in range(20)]
    assert [trial.value for trial in stored.storage.get_all_trials(stored.id)] == [
        float(n) for n in range(20)
    ]


def test_a_driver_killed_while_it_writes_what_was_told_together(tmp_path):
    stored, journal = study_in(tmp_path), tmp_path / "optuna.journal"
    ask(stored, 2)
    before = journal.stat().st_size
    with batch(stored.storage):
        for number in range(2):
            stored.score(number, 10, 5.0)
            stored.finish(number, 5.0)
    whole = journal.read_bytes()
    for size in range(before, len(whole), 23):
        journal.write_bytes(whole[:size])
        again = study_in(tmp_path)
        for number in [n for n in range(2) if not again.trial(n).state.is_finished()]:
            again.score(number, 10, 5.0)
            again.finish(number, 5.0)
        assert [trial.value for trial in as_optuna_sees_it(tmp_path)] == [5.0, 5.0]


def test_a_full_disk_delays_what_is_told_together(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_PATIENCE", "300")
    stored, journal = study_in(tmp_path), tmp_path / "optuna.journal"
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    later = threading.Timer(0.3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 10, limits[1]))
    later.start()
    try:
        with batch(stored.storage):
            ask(stored, 2)
    finally:
        later.join()
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)
    ask(stored)
    assert [trial.number for trial in as_optuna_sees_it(tmp_path)] == [0, 1, 2]


def test_what_an_earlier_driver_was_asking_is_packed_with_the_rest(tmp_path):
    stored = study_in(tmp_path)
    ask(stored, 2)
    stored.storage.create_new_trial(stored.id, stored.trial(1))  # killed before it was settled
    again = study_in(tmp_path)
    assert len(again.ids) == 3 and again.committed == 2


def test_a_trial_that_waits_in_the_storage_is_taken_up(tmp_path):
    stored = study_in(tmp_path)
    optuna.load_study(storage=stored.storage, study_name="s").enqueue_trial({"lr": 1e-3})
    ask(study_in(tmp_path))
    (trial,) = as_optuna_sees_it(tmp_path)
    assert trial.state.name == "RUNNING" and trial.user_attrs["hp"] == {"lr": 1e-3}


def test_sqlite_keeps_a_search_and_one_driver(tmp_path):
    url = f"sqlite:///{tmp_path}/search.db"
    with exclusive(open_storage(tmp_path, url), "s") as storage:
        stored = WriteThroughStudy(storage, "s", "fingerprint")
        ask(stored, 3)
        stored.score(0, 5, 2.5)
        stored.finish(0, 2.5)
        stored.finish(1, float("inf"))
        stored.finish(2, None)
        with (
            pytest.raises(
                UserError, match=rf"another driver \(gansweep: process {os.getpid()} on .*, since 2"
            ),
            exclusive(open_storage(tmp_path, url), "s"),
        ):
            pass
        with exclusive(open_storage(tmp_path, url), "another"):
            pass
    with exclusive(open_storage(tmp_path, url), "s") as storage:
        trials = optuna.load_study(storage=storage, study_name="s").trials
        assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL"]
        assert [trial.value for trial in trials] == [2.5, float("inf"), None]
        assert WriteThroughStudy(storage, "s", "fingerprint").trial(0).intermediate_values == {5: 2.5}


def test_told_twice_changes_nothing(tmp_path):
    stored = study_in(tmp_path)
    ask(stored)
    late = study_in(tmp_path)  # as an operation that was acknowledged to nobody
    stored.finish(0, 1.0)
    late.score(0, 5, 9.0)
    late.finish(0, 3.0)
    (trial,) = as_optuna_sees_it(tmp_path)
    assert trial.value == 1.0 and trial.intermediate_values == {}


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("postgresql://me:geheim@host/db", "a password in --storage can be read in the list of processes"),
        ("postgresql://me@host/db?password=geheim", "a password in --storage can be read"),
        ("mysql://me@host/db", "a storage is given as postgresql://user@host/database or sqlite:///file.db"),
        ("geheim@nowhere", "is not a URL"),
        ("sqlite://", "an SQLite storage needs a file"),
    ],
)
def test_urls_that_are_refused(url, rule):
    with pytest.raises(UserError, match=rule) as refused:
        storage_url(url)
    assert "geheim" not in str(refused.value)


def test_the_url_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("GANSWEEP_STORAGE", "postgresql://me:geheim@host/db")
    assert storage_url(None) == "postgresql://me:geheim@host/db"
    assert storage_url("sqlite:///x.db") == "sqlite:///x.db"
    monkeypatch.setenv("GANSWEEP_STORAGE", "")
    assert storage_url(None) is None


def test_a_database_that_does_not_answer_is_named_without_the_password(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(
        UserError, match=r"the search's storage cannot be opened: .*Connection refused"
    ) as refused:
        open_storage(tmp_path, "postgresql://me:geheim@127.0.0.1:1/db")
    assert "geheim" not in str(refused.value)


def test_a_missing_driver_is_named(tmp_path):
    code = """if True:
    import sys
    from pathlib import Path
    sys.modules["psycopg"] = None
    from gansweep.run.search.storage import open_storage
    open_storage(Path("."), "postgresql://me@127.0.0.1:1/db")
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.getcwd())
    assert "pip install 'gansweep[postgresql]'" in run.stderr.splitlines()[-1]


def test_errors_of_the_disk_pass_through(tmp_path):
    journal = Journal(tmp_path / "optuna.journal", tmp_path / "set-aside")
    (tmp_path / "optuna.journal").unlink()
    (tmp_path / "optuna.journal").mkdir()
    with pytest.raises(OSError) as refused:
        journal.append_logs([{"op_code": 0}])
    assert refused.value.errno == errno.EISDIR
    assert not (tmp_path / "optuna.journal.lock").is_symlink()


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_driver_killed_while_it_asks(tmp_path, sampler):
    """After any of its records: the next one has the same trials in the same packs."""
    value = Study(
        variants=("ns",),
        datasets=("digits",),
        space={"lr": loguniform(1e-5, 1e-2), "n_critic": choice(1, 5)},
        sampler=sampler,
        trials=6,
        steps=10,
        evaluation=Evaluation(n_images=200),
    )
    resolved = resolve("s", "", value, {"digits": data.load("digits")})

    def jobs():
        search = Search(resolved, open_storage(tmp_path, None), tmp_path, {"digits": 2})
        search.resume([])
        handed_out = iter(search.next_job, None)
        return sorted((job.pack, [(trial.trial_id, trial.hp) for trial in job.trials]) for job in handed_out)

    whole = jobs()
    assert sum(len(trials) for _, trials in whole) == 6
    journal = tmp_path / "optuna.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        journal.write_bytes(b"".join(lines[:n]))
        assert jobs() == whole, n
