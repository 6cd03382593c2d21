"""Real processes, really killed: nothing is lost, nothing is doubled, and the numbers are the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from gansweep.results import read_rows
from gansweep.tables import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = '''"""Does it survive?"""
from gansweep.evaluation import Evaluation
from gansweep.study import Study

STUDY = Study(
    variants=("ns", "wgan_gp", "vae"),
    datasets=("digits",),
    space="narrow",
    trials=5,
    steps=240,
    evaluations=4,
    evaluation=Evaluation(n_images=200),
)
'''
N_TRIALS, N_EVALUATIONS = 15, 4


@pytest.fixture(scope="module")
def study_file(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("study") / "durable.py"
    file.write_text(STUDY)
    return file


def start(study_file, results) -> subprocess.Popen:
    command = [
        sys.executable,
        "run_study.py",
        "--study",
        str(study_file),
        "--results",
        str(results),
        "--pack-size=2",
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"RAY_ADDRESS": "local"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def finish(study_file, results) -> str:
    driver = start(study_file, results)
    output, _ = driver.communicate(timeout=600)
    assert driver.returncode == 0, output
    return output


def n_rows(results) -> int:
    return len(list(read_rows(results / "durable")))


def wait_for_rows(driver, results, at_least, timeout=120):
    deadline = time.monotonic() + timeout
    while n_rows(results) < at_least:
        assert time.monotonic() < deadline and driver.poll() is None, driver.stdout.read()
        time.sleep(0.05)


def a_worker(driver, timeout=60) -> int:
    """A process that trains a pack; between two packs there may be none for a moment."""
    deadline = time.monotonic() + timeout
    while not (found := workers(driver)):
        assert time.monotonic() < deadline and driver.poll() is None, driver.stdout.read()
        time.sleep(0.02)
    return found[0]


def workers(driver) -> list[int]:
    """The processes that train packs for this driver, oldest first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ray::ImplicitFunc") and driver.pid in ancestors(folder):
            found.append(int(folder.name))
    return sorted(found)


def ancestors(folder: Path) -> list[int]:
    """The parent of a process, its parent, and so on."""
    try:
        parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return []
    return [parent, *ancestors(folder.parent / str(parent))] if parent else []


def audit(results, whole):
    """Every trial once, every measurement once, all equal to those of the run that nobody disturbed."""
    rows = list(read_rows(results / "durable"))
    assert len(rows) == N_TRIALS * N_EVALUATIONS
    assert max(Counter((row["trial_id"], row["step"]) for row in rows).values()) == 1
    assert Counter(row["outcome"] for row in rows)["ok"] == N_TRIALS
    tables = [load(folder / "durable")["evaluations"] for folder in (results, whole)]
    tables = [table.set_index(["trial_id", "step"]).sort_index() for table in tables]
    assert tables[0].index.equals(tables[1].index)
    for metric in ("fid", "isc"):
        assert (tables[0][metric] - tables[1][metric]).abs().max() <= 1e-6 * tables[1][metric].abs().max()
    journal = (results / "durable" / "optuna.journal").read_text().splitlines()
    assert sum(json.loads(line)["op_code"] == 4 for line in journal) == N_TRIALS  # trials created


@pytest.fixture(scope="module")
def whole(study_file, tmp_path_factory):
    """The results of a run that nobody disturbed."""
    results = tmp_path_factory.mktemp("whole")
    finish(study_file, results)
    audit(results, results)
    return results


def test_a_driver_killed_again_and_again(study_file, whole, tmp_path):
    rng, seen = random.Random(0), 0
    for _ in range(4):
        driver = start(study_file, tmp_path)
        wait_for_rows(driver, tmp_path, min(seen + rng.choice((1, 4, 9)), N_TRIALS * N_EVALUATIONS - 1))
        time.sleep(rng.random())
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        seen = n_rows(tmp_path)
    finish(study_file, tmp_path)
    audit(tmp_path, whole)


def test_a_driver_killed_before_anything_was_measured(study_file, whole, tmp_path):
    for seconds in (3, 6, 9):
        driver = start(study_file, tmp_path)
        time.sleep(seconds)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    finish(study_file, tmp_path)
    audit(tmp_path, whole)


def test_a_worker_killed_goes_on_from_its_checkpoint(study_file, whole, tmp_path):
    driver = start(study_file, tmp_path)
    for at_least in (2, 12):
        wait_for_rows(driver, tmp_path, at_least)
        os.kill(a_worker(driver), signal.SIGKILL)
    output, _ = driver.communicate(timeout=600)
    assert driver.returncode == 0, output
    audit(tmp_path, whole)


def test_an_interrupted_driver_says_how_to_go_on(study_file, whole, tmp_path):
    driver = start(study_file, tmp_path)
    wait_for_rows(driver, tmp_path, 3)
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 130, output
    assert "interrupted: the same command goes on where it stopped" in output
    assert "Traceback" not in output
    again = finish(study_file, tmp_path)
    assert f"{N_TRIALS}/{N_TRIALS}" in again and "report: " in again
    audit(tmp_path, whole)
    assert "0 trials to run" not in finish(study_file, tmp_path)
