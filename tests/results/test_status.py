"""A study is watched from its folder alone: by any shell, on any machine, at any moment of its life."""

import json
import os
import platform
import re
import subprocess
import sys
import time

import pytest
from rows import json_rows
from synthetic import FIRST_EIGHT, make_study

from gansweep.cli import main
from gansweep.results.folder import StudyFolder
from gansweep.results.lock import driver_lock, is_stop_requested, read_driver, request_stop
from gansweep.results.status.status import StatusReader

LONG_AGO = "2026-01-01T00:00:00+00:00"
DRIVER = """
import sys, time
from pathlib import Path
from gansweep.results.lock import driver_lock, is_stop_requested
with driver_lock(Path(sys.argv[1])):
    print("at work", flush=True)
    while not is_stop_requested(Path(sys.argv[1])):
        time.sleep(0.05)
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return make_study(tmp_path / "mine", 3, 1, trials=9, running=("ns",), fail=("lsgan",), samples=False)


@pytest.fixture
def driver(study):
    """A process at work on the study, which ends when it is asked to."""
    process = subprocess.Popen([sys.executable, "-c", DRIVER, str(study)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.communicate()


def said(capsys, *arguments) -> str:
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def as_if_on(study, host, age=0.0):
    """Sign the lock as a driver on another machine does whose lock cannot be seen here."""
    StudyFolder(study).lock.write_text(json.dumps({"host": host, "pid": 7, "started": LONG_AGO}))
    os.utime(StudyFolder(study).lock, (time.time() - age, time.time() - age))


def incident(**entries):
    trials = [f"digits-ns-{n:04d}" for n in range(4)]
    base = {"time": LONG_AGO, "pack": "digits-ns-0000-pack", "trials": trials, "kind": "oom"}
    return json.dumps(base | {"message": "out of memory", "action": "halved"} | entries) + "\n"


def test_a_study_that_stopped_says_how_to_resume(study, capsys):
    output = said(capsys, "status", study)
    assert re.match(r"mine: stopped, last measurement [\d.]+ \w+ ago: run `python run_study.py", output)
    assert "` to resume" in output and "left" not in output
    assert "24/27 trials" in output and "NS GAN" in output and "6/9" in output and "best FID" in output
    assert "crashed: RuntimeError: broken: digits-lsgan-000 and 8 more (see" in output
    assert "spent:" in output and "of workers (cpu); disk:" in output


def test_every_line_fits_80_columns(study, capsys):
    (study / "incidents.jsonl").write_text(incident(message="out of " * 60) * 5)
    as_if_on(study, "a-machine-with-a-long-name.in.a.cluster.example.org")
    lines = said(capsys, "status", study).splitlines()
    assert len(lines) > 10 and max(map(len, lines)) < 80


def test_a_driver_at_work_is_named(study, driver, capsys):
    output = said(capsys, "status", study)
    assert f"mine: running on {platform.node()} (process {driver.pid}) since " in " ".join(output.split())
    assert "24/27 trials, no estimate yet" in output


def test_a_driver_that_was_killed_is_gone(study, driver, capsys):
    driver.kill()
    driver.wait()
    assert f"stopped, its driver on {platform.node()} (process {driver.pid}) no longer runs" in " ".join(
        said(capsys, "status", study).split()
    )
    with driver_lock(study):
        assert read_driver(study).pid == os.getpid()
    assert read_driver(study) is None


def test_a_driver_elsewhere_is_known_by_its_beat_where_its_lock_is_not_seen(study):
    as_if_on(study, "elsewhere", age=5)
    assert read_driver(study).is_running and StatusReader(study).read().state == "running"
    as_if_on(study, "elsewhere", age=300)
    assert not read_driver(study).is_running and StatusReader(study).read().state == "stopped"
    as_if_on(study, platform.node(), age=5)  # its lock would be seen
    assert not read_driver(study).is_running


def test_whoever_looks_does_not_keep_a_driver_out(study):
    code = "import sys; from pathlib import Path; from gansweep.results.lock import read_driver\n"
    code += "print(flush=True)\nwhile True: read_driver(Path(sys.argv[1]))"
    looking = subprocess.Popen([sys.executable, "-c", code, str(study)], stdout=subprocess.PIPE, text=True)
    looking.stdout.readline()
    try:
        for _ in range(20):
            with driver_lock(study):
                pass
    finally:
        looking.kill()
        looking.communicate()


def test_a_study_that_has_just_begun(tmp_path, capsys):
    folder = tmp_path / "new"
    with driver_lock(folder):
        assert "new: being prepared on " in said(capsys, "status", "new", "--results", tmp_path)
        make_study(folder, 2, 1, trials=1, samples=False, empty=FIRST_EIGHT)
        (folder / "rows.jsonl").unlink(missing_ok=True)
        assert "0/2 trials" in said(capsys, "status", folder)


def test_a_torn_row_is_read_when_it_is_whole(study):
    whole = (study / "rows.jsonl").read_bytes()
    (study / "rows.jsonl").write_bytes(whole[:-40])
    watch = StatusReader(study)
    before = watch.read().progress.count()
    assert watch.read().progress.count() == before
    (study / "rows.jsonl").write_bytes(whole)
    assert watch.read().progress.count()[0] == before[0] + 1


def test_a_study_that_was_extended_is_read_anew(study):
    watch = StatusReader(study)
    assert watch.read().progress.count() == (24, 27)
    manifest = json.loads((study / "manifest.json").read_text())
    manifest["budget"]["trials"] = 12
    (study / "manifest.json").write_text(json.dumps(manifest))
    assert watch.read().progress.count() == (24, 36)


def test_what_programs_read(study, capsys):
    (study / "incidents.jsonl").write_text(incident() + incident(kind="node_lost", action="again") + '{"ti')
    found = json.loads(said(capsys, "status", study, "--json"))
    assert found["state"] == "stopped" and found["trials"] == {"ended": 24, "planned": 27}
    assert {c["variant"]: c["ended"] for c in found["cells"]} == {"mm": 9, "ns": 6, "lsgan": 9}
    assert found["incidents"]["kinds"] == {"oom (halved)": 1, "node_lost (again)": 1}
    rows = json_rows(study)
    last = {row["trial_id"]: row["train_seconds"] + row["eval_seconds"] for row in rows}
    (cost,) = found["costs"]
    assert cost["worker_hours"] == pytest.approx(sum(last.values()) / 3600) and cost["gpu_hours"] is None
    crashed = next(each for each in found["failures"] if each["outcome"] == "crashed")
    assert crashed["n_trials"] == 9 and crashed["trial"] == "digits-lsgan-000"


def test_the_work_that_incidents_cost_is_known_from_logs(study):
    log = study / "logs" / "digits-ns-0000-pack.log"
    log.parent.mkdir()
    log.write_text(
        "2026-01-01T00:00:00+00:00 4 trials on cpu of vm: digits-ns-0000 digits-ns-0001\n"
        "2026-01-01T00:10:00+00:00 \n  digits-ns-0000 step 10 {'fid': 3.0}\n"
        "2026-01-01T00:12:00+00:00 Traceback (most recent call last):\n"
        "2026-01-01T00:20:00+00:00 4 trials on cpu of vm: digits-ns-0000 digits-ns-0001\n"
    )
    lost = incident(time="2026-01-01T00:12:00+00:00") + incident(time="2026-01-01T00:25:00+00:00")
    (study / "incidents.jsonl").write_text(lost + incident(pack="unknown"))
    assert StatusReader(study).read().lost_seconds == 120 + 300


def test_damaged_incidents_are_one_sentence(study, capsys):
    (study / "incidents.jsonl").write_text(incident(trials="all"))
    assert main(["status", str(study)]) == 2
    assert "incidents.jsonl is damaged: incident.trials: expected array, got str" in capsys.readouterr().err


def test_control_characters_are_not_printed(study, capsys):
    (study / "incidents.jsonl").write_text(incident(message="\033[2J\033]0;mine\007"))
    assert "\033" not in said(capsys, "status", study)


def test_watching_ends_when_nothing_is_running(study, capsys):
    assert said(capsys, "status", study, "--watch").count("mine: stopped") == 1


def test_stop_ends_the_driver_and_says_how_far_it_came(study, driver, capsys):
    output = said(capsys, "stop", study)
    assert f"requested the driver on {platform.node()} (process {driver.pid}) to stop" in output
    assert "stopped: 24 of 27 trials done; run `python run_study.py" in output and "` to resume" in output
    assert driver.wait() == 0 and not StudyFolder(study).stop.exists()


def test_stop_without_a_driver_changes_nothing(study, capsys):
    assert said(capsys, "stop", study) == "no driver is running: stopped, 24 of 27 trials done\n"
    assert not StudyFolder(study).stop.exists()


def test_a_request_to_stop_does_not_reach_the_next_driver(study):
    request_stop(study)
    with driver_lock(study):
        assert not is_stop_requested(study)
        request_stop(study)
    assert not is_stop_requested(study)


@pytest.fixture
def logged(study):
    """A pack of two trials that was halved: the second trial went on in a pack of its own."""
    folder = study / "logs"
    folder.mkdir()
    first, second = "digits-ns-0001", "digits-ns-0011"
    texts = {
        f"{second}-pack": f"2026-01-01T00:20:00+00:00 1 trials on cpu of vm: {second}\nlater\n",
        f"{first}-pack": f"2026-01-01T00:00:00+00:00 2 trials on cpu of vm: {first} {second}\nbefore\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.log").write_text(text)
    return study


def test_log_prints_all_logs_of_a_trial_in_order_of_time(logged, capsys):
    output = said(capsys, "log", f"{logged}/digits-ns-0011")
    assert output.index("before") < output.index("later") and output.count("==>") == 2
    assert said(capsys, "log", f"{logged}/digits-ns-0001").endswith("digits-ns-0001 digits-ns-0011\nbefore\n")
    paths = said(capsys, "log", f"{logged}/digits-ns-0011", "--path").splitlines()
    assert paths == [str(logged / "logs" / f"digits-ns-00{n}-pack.log") for n in ("01", "11")]


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ("digits-ns-00011", "unknown trial 'digits-ns-00011'; did you mean 'digits-ns-0011'?"),
        ("digits-wgan-0003", "unknown trial 'digits-wgan-0003'; did you mean"),
        ("digits-mm-003", "the log of digits-mm-003, "),
    ],
)
def test_log_of_nothing(logged, capsys, trial, message):
    assert main(["log", f"{logged}/{trial}"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
