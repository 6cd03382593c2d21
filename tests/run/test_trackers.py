"""Trials as runs of TensorBoard, W&B and MLflow: really written, and read back."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from rows import a_row, a_study, json_rows, manifest_values

from gansweep.errors import UserError
from gansweep.files import dump_json, write_atomically
from gansweep.results.row_file import RowWriter
from gansweep.run.trackers import base, open_trackers

STUDY = a_study(
    ("folder:/x",),
    name="tiny study",
    trials=3,
    evaluation={"folder:/x": {"n_images": 200, "metrics": ["fid", "kid"]}},
)
HP = {"lr": 0.25, "n_critic": 5, "d_norm": "none", "spectral": True}


@pytest.fixture
def folder(tmp_path):
    write_atomically(tmp_path / "manifest.json", dump_json(manifest_values()))
    return tmp_path


def row(number=0, step=50, fid=None, outcome=None, failure=None):
    names = {"study": STUDY.name, "dataset": "folder:/x", "trial_id": f"folder__x-ns-{number:04d}"}
    metrics, terms = ({}, {}) if fid is None else ({"fid": fid, "kid": None}, {"generator_fake": fid / 10})
    end = {"outcome": outcome, "failure": failure, "train_seconds": step / 10}
    return a_row(number, hp=HP, step=step, metrics=metrics, terms=terms, **names, **end)


FAILURE = {"kind": "nan_loss", "message": "a loss is not finite", "step": 70}
FIRST = [row(0, 50, 8.0), row(1, 50, 9.0)]
SECOND = [row(0, 100, 7.0, "ok"), row(1, 70, None, "diverged", FAILURE), row(2, 50, 6.0)]
FIDS = {0: {50: 8.0, 100: 7.0}, 1: {50: 9.0}, 2: {50: 6.0}}


def study_in_two_drivers(folder, name):
    """The rows of a study whose driver was stopped between the first and the second half."""
    for rows in (FIRST, SECOND):
        ledger = make_ledger(folder, open_trackers((name,), STUDY, folder))
        ledger.record(rows)
        ledger.record(rows)  # as a worker does that goes on from a checkpoint
        ledger.close()
        assert ledger.trackers, "the tracker was switched off"


def log_in_two_parts(folder, name):
    """The same without the driver's books, whose imports take long."""
    for rows in (FIRST, SECOND):
        (tracker,) = open_trackers((name,), STUDY, folder)
        for each in rows:
            tracker.log(each)
        tracker.close()


def make_ledger(folder, opened):
    from gansweep.run.ledger import Ledger
    from gansweep.run.search.queue import Queue

    return Ledger(folder, STUDY, RowWriter(folder), Queue(STUDY, folder, {"folder:/x": 4}, []), opened)


def test_tensorboard(folder):
    study_in_two_drivers(folder, "tensorboard")
    for number, fids in FIDS.items():
        events = read_events(folder / "tensorboard" / "folder__x" / "ns" / f"folder__x-ns-{number:04d}")
        assert events["metrics/fid"] == list(fids.items())
        assert events["loss/generator_fake"] == [(step, pytest.approx(v / 10)) for step, v in fids.items()]
        assert "metrics/kid" not in events
        assert len(events["_hparams_/session_start_info"]) == 1
    assert read_events(folder / "tensorboard/folder__x/ns/folder__x-ns-0001")["outcome/text_summary"] == [
        (70, "diverged: a loss is not finite")
    ]
    unfinished = read_events(folder / "tensorboard/folder__x/ns/folder__x-ns-0002")
    assert "outcome/text_summary" not in unfinished and "_hparams_/session_end_info" not in unfinished


def read_events(folder: Path) -> dict[str, list[tuple[int, object]]]:
    """What TensorBoard's files hold, by tag; their records are framed as TFRecord."""
    from tensorboardX.proto.event_pb2 import Event

    found = defaultdict(list)
    for file in sorted(folder.glob("events*")):
        content, at = file.read_bytes(), 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                text = value.tensor.string_val
                found[value.tag].append((event.step, text[0].decode() if text else value.simple_value))
    return {tag: sorted(values) for tag, values in found.items()}


def test_tensorboard_lets_go_of_writers(folder, monkeypatch):
    monkeypatch.setattr(base, "MAX_OPEN", 2)
    (tracker,) = open_trackers(("tensorboard",), STUDY, folder)
    for step in (50, 100):
        for number in range(5):
            tracker.log(row(number, step, 5.0, "ok" if step == 100 else None))
            assert len(tracker.runs) <= 2
    assert not tracker.runs
    for number in range(5):
        events = read_events(folder / "tensorboard" / "folder__x" / "ns" / f"folder__x-ns-{number:04d}")
        assert events["metrics/fid"] == [(50, 5.0), (100, 5.0)]


def test_mlflow(folder, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study_in_two_drivers(folder, "mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient((folder / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("tiny study")
    runs = {run.data.tags["trial_id"]: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == len(client.search_runs([experiment.experiment_id])) == 3
    for number, fids in FIDS.items():
        run = runs[f"folder__x-ns-{number:04d}"]
        history = client.get_metric_history(run.info.run_id, "metrics/fid")
        assert {metric.step: metric.value for metric in history} == fids and len(history) == len(fids)
        assert run.data.params == {"lr": "0.25", "n_critic": "5", "d_norm": "none", "spectral": "True"}
        assert run.data.tags["variant"] == "ns" and run.data.tags["dataset"] == "folder:/x"
    endings = [runs[f"folder__x-ns-{number:04d}"] for number in FIDS]
    assert [run.info.status for run in endings] == ["FINISHED", "FAILED", "RUNNING"]
    assert [run.data.tags.get("outcome") for run in endings] == ["ok", "diverged", None]


def test_wandb(folder):
    pytest.importorskip("wandb")
    script = (
        "import sys; from pathlib import Path; sys.path[:0] = ['tests/run', 'tests/support']; "
        "import test_trackers; "
        f"test_trackers.log_in_two_parts(Path({str(folder)!r}), 'wandb')"
    )
    # In a process of its own: a service of wandb lives as long as the process that began it.
    subprocess.run([sys.executable, "-c", script], check=True)
    runs = defaultdict(list)
    for file in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        run = read_wandb(file)
        runs[run["config"]["trial_number"], run["id"]].append(run)
    assert [number for number, _ in sorted(runs)] == [0, 1, 2]  # the second driver has the same ids
    for (number, _), parts in runs.items():
        assert [pair for part in parts for pair in part["fids"]] == list(FIDS[number].items())
        assert {(part["project"], part["group"]) for part in parts} == {("tiny_study", "ns on folder:/x")}
        assert all(
            part["config"].items() >= {"lr": 0.25, "spectral": True, "seed": number}.items() for part in parts
        )
    tags = {number: parts[-1]["tags"] for (number, _), parts in runs.items()}
    assert tags == {0: ["ok"], 1: ["diverged"], 2: []}


def read_wandb(file: Path) -> dict[str, object]:
    """What an offline file of W&B says of a run; it is a log of LevelDB whose records are protobuf."""
    from wandb.proto.wandb_internal_pb2 import Record

    run = {"fids": [], "config": {}}
    content, at, data = file.read_bytes(), 7, b""
    while at < len(content):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768  # what is left of a block is too short for a record
        end = at + 7 + int.from_bytes(content[at + 4 : at + 6], "little")
        data += content[at + 7 : end]
        if content[at + 6] in (1, 4):  # a whole record, or the last part of one
            record, data = Record.FromString(data), b""
            if record.WhichOneof("record_type") == "run":
                run |= {"id": record.run.run_id, "project": record.run.project, "group": record.run.run_group}
                run["tags"] = list(record.run.tags)
                run["config"] |= {c.key: json.loads(c.value_json) for c in record.run.config.update}
            if record.WhichOneof("record_type") == "history":
                items = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                run["fids"].append((record.history.step.num, items["metrics/fid"]))
        at = end
    return run


def test_a_study_begun_anew_has_runs_of_its_own(folder):
    """A study of the same name that was begun anew does not go on with the old one's runs."""
    pytest.importorskip("mlflow")
    study_in_two_drivers(folder, "mlflow")
    (folder / "rows.jsonl").unlink()
    restarted = manifest_values(created="2026-02-02T00:00:00+00:00")
    write_atomically(folder / "manifest.json", dump_json(restarted))
    (tracker,) = open_trackers(("mlflow",), STUDY, folder)
    assert not tracker.begun
    tracker.log(row(2, 50, 6.0))
    assert len(tracker.begun) == 1 and len(tracker.client.search_runs([tracker.experiment])) == 4


class Broken:
    """A tracker whose server is gone after the first row."""

    name = "broken"

    def __init__(self):
        self.rows = []

    def log(self, row):
        self.rows.append(row)
        if len(self.rows) > 1:
            raise ConnectionError("no answer")

    def close(self):
        raise AssertionError("it was switched off")


def test_a_tracker_that_fails_is_switched_off_and_stops_nothing(folder, capsys):
    broken = Broken()
    ledger = make_ledger(folder, [broken, *open_trackers(("tensorboard",), STUDY, folder)])
    ledger.record(FIRST)
    ledger.record(SECOND)
    ledger.close()
    assert len(broken.rows) == 2 and len(json_rows(folder)) == 5
    assert capsys.readouterr().err == "gansweep: tracker broken is switched off: ConnectionError: no answer\n"
    assert len(list((folder / "tensorboard").glob("*/*/*"))) == 3


def test_a_row_is_on_disk_before_it_is_logged(folder):
    class Reader(Broken):
        def log(self, row):
            self.rows.append([r["step"] for r in json_rows(folder)])

    reader = Reader()
    make_ledger(folder, [reader]).record([row(0, 50, 8.0)])
    assert reader.rows == [[50]]


def test_names_of_trackers(folder, monkeypatch):
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        open_trackers(("tensorbord",), STUDY, folder)
    assert open_trackers((), STUDY, folder) == []
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"^tracker 'wandb' needs the package wandb: pip install wandb$"):
        open_trackers(("wandb",), STUDY, folder)
