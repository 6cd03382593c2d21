"""What becomes of a pack that failed: the rule, and what queue, search and books make of it."""

import errno
from collections import Counter

import pytest
from rows import STARTED, a_row, row_of

from gansweep import data
from gansweep.errors import Stopped, UserError
from gansweep.evaluation import Evaluation
from gansweep.files import VARIABLE, retry_io
from gansweep.results.folder import StudyFolder
from gansweep.results.incidents import append_incident, read_incidents
from gansweep.results.records import Incident
from gansweep.results.row import Failure, Outcome
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.run.failures import MAX_DEATHS, PackFailure, recovery_action
from gansweep.run.ledger import Ledger
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

STUDY = Study(
    variants=("ns",), datasets=("digits",), space={}, trials=8, steps=10, evaluation=Evaluation(n_images=200)
)


@pytest.fixture
def ledger(tmp_path):
    resolved = resolve("s", "", STUDY, {"digits": data.load("digits")})
    search = Search(resolved, open_storage(tmp_path, None), tmp_path, {"digits": 4})
    search.resume(())
    return Ledger(tmp_path, resolved, RowWriter(tmp_path), search)


def finish(ledger, job):
    known = {"step": 10, "outcome": Outcome.OK, "metrics": {"fid": 1.0}}
    ledger.record([row_of(trial, ledger.study, job.pack, **known) for trial in job.trials])


def outcomes(ledger):
    return Counter(row.outcome for row in read_rows(ledger.folder))


@pytest.mark.parametrize(
    ("kind", "n_members", "n_times", "expected"),
    [
        ("node_lost", 1, 1000, "again"),
        ("worker_died", 4, MAX_DEATHS, "again"),
        ("worker_died", 4, MAX_DEATHS + 1, "halved"),
        ("worker_died", 1, MAX_DEATHS + 1, "ended"),
        ("oom", 4, 1, "halved"),
        ("oom", 1, 1, "again"),
        ("oom", 1, 2, "ended"),
        ("hang", 2, 1, "halved"),
        ("hang", 1, 1, "ended"),
        ("RuntimeError", 2, 1, "halved"),
        ("RuntimeError", 1, 1, "again"),
        ("RuntimeError", 1, 2, "ended"),
        ("Stopped", 4, 1, "stopped"),
        ("ModuleNotFoundError", 1, 5, "stopped"),
    ],
)
def test_the_rule(kind, n_members, n_times, expected):
    assert recovery_action(PackFailure(kind, ""), n_members, n_times) == expected


@pytest.mark.parametrize(
    ("kind", "outcome"), [("RuntimeError", "crashed"), ("hang", "timeout"), ("oom", "crashed")]
)
def test_one_bad_member_ends_alone(ledger, kind, outcome):
    """Every pack with trial 5 in it fails; the others end well, and nobody twice."""
    while job := ledger.queue.next_job():
        if any(trial.trial_number == 5 for trial in job.trials):
            ledger.failed(job, PackFailure(kind, "it is broken"))
        else:
            finish(ledger, job)
    assert ledger.queue.exhausted and ledger.queue.is_done
    assert outcomes(ledger) == {"ok": 7, outcome: 1}
    (end,) = [row for row in read_rows(ledger.folder) if row.outcome == outcome]
    assert end.trial_number == 5 and end.failure.message == "it is broken"
    actions = [incident.action for incident in read_incidents(ledger.folder)]
    assert actions[0] == "halved" and actions[-1] == "ended"


def test_out_of_memory_shrinks_the_waiting_packs_of_the_cell(ledger):
    job = ledger.queue.next_job()
    assert len(job.trials) == 4
    ledger.failed(job, PackFailure("oom", "CUDA out of memory"))
    sizes = []
    while job := ledger.queue.next_job():
        sizes.append(len(job.trials))
        finish(ledger, job)
    assert sizes == [2, 2, 2, 2]


def test_deaths_count_only_while_nothing_new_is_measured(ledger):
    job = ledger.queue.next_job()
    for step in range(1, 4):
        for _ in range(MAX_DEATHS):
            ledger.failed(job, PackFailure("worker_died", ""))
            assert ledger.queue.next_job() == job
        known = {"step": step, "metrics": {"fid": 1.0}}
        ledger.record([row_of(trial, ledger.study, job.pack, **known) for trial in job.trials])
    assert {incident.action for incident in read_incidents(ledger.folder)} == {"again"}


def test_a_trial_that_ended_is_not_tried_again_with_its_pack(ledger):
    job = ledger.queue.next_job()
    failure = Failure(kind="nan_loss", message="", step=5)
    known = {"step": 5, "outcome": Outcome.DIVERGED, "failure": failure}
    ledger.record([row_of(job.trials[0], ledger.study, job.pack, **known)])
    ledger.failed(job, PackFailure("node_lost", ""))
    assert [trial.trial_number for trial in ledger.queue.next_job().trials] == [1, 2, 3]


def test_halves_are_known_to_the_next_driver(ledger, tmp_path):
    ledger.failed(ledger.queue.next_job(), PackFailure("oom", ""))
    again = Search(ledger.study, open_storage(tmp_path, None), tmp_path, {"digits": 4})
    again.resume(())
    assert sorted(len(job.trials) for job in again.queue.ready) == [2, 2, 2, 2]


@pytest.mark.parametrize(("kind", "error"), [("Stopped", Stopped), ("UserError", UserError)])
def test_what_no_trial_is_to_blame_for_ends_the_run_and_no_trial(ledger, kind, error):
    job = ledger.queue.next_job()
    with pytest.raises(error, match="the disk is full"):
        ledger.failed(job, PackFailure(kind, "the disk is full"))
    assert not outcomes(ledger)
    assert read_incidents(ledger.folder)[-1].action == "stopped"


def test_a_request_to_stop_is_taken_once(ledger):
    StudyFolder(ledger.folder).stop.touch()
    ledger.checked = float("-inf")
    assert ledger.stop_requested()
    ledger.checked = float("-inf")
    assert not ledger.stop_requested()


def test_patience_ends_with_a_sentence(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.3")
    tries = []

    def full():
        tries.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Stopped, match=r"rows cannot be written: No space left on device"):
        retry_io(full, "rows cannot be written")
    assert len(tries) > 2


def test_patience_is_rewarded(monkeypatch):
    monkeypatch.setenv(VARIABLE, "30")
    answers = iter([OSError(errno.EIO, "Input/output error"), OSError(errno.ESTALE, "Stale"), 7])

    def flaky():
        value = next(answers)
        if isinstance(value, OSError):
            raise value
        return value

    assert retry_io(flaky, "it cannot be read") == 7


def test_patience_is_a_number_of_seconds(monkeypatch):
    monkeypatch.setenv(VARIABLE, "long")
    with pytest.raises(UserError, match=r"GANSWEEP_PATIENCE must be a number of seconds, .* but is 'long'"):
        retry_io(lambda: None, "")


def test_torn_incidents_are_passed_over(tmp_path):
    told = Incident(time=STARTED, pack="p", trials=[], kind="oom", message="", action="halved")
    append_incident(tmp_path, told)
    with (tmp_path / "incidents.jsonl").open("a") as file:
        file.write('{"kind": "no')
    assert read_incidents(tmp_path) == [told]


def test_rows_written_halfway_are_written_over(tmp_path, ledger):
    writer = RowWriter(tmp_path)
    first, second = (a_row(number, outcome="ok") for number in range(2))
    writer.append([first])
    with writer.path.open("a") as file:
        file.write('{"trial_id": "b", "st')  # as a full disk leaves it
    writer.append([second])
    assert list(read_rows(tmp_path)) == [first, second]


def test_rows_are_not_written_beside_a_disk_that_went_away(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.2")
    writer = RowWriter(tmp_path)
    writer.append([a_row(0, outcome="ok")])
    for number, hide in enumerate((writer.path.unlink, writer.path.touch)):
        hide()
        with pytest.raises(Stopped, match=r"rows.jsonl cannot be written"):
            writer.append([a_row(1 + number, outcome="ok")])
