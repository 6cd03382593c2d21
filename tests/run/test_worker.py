"""Finding a Ray to run on; what is said of failures."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ray import tune
from rows import a_row, a_study, trial_values

from gansweep.results.row_file import RowWriter
from gansweep.run.failures import Raised, diagnose
from gansweep.run.ray import worker
from gansweep.run.ray.worker import train_pack, versions

CONNECT = """
from gansweep.run.ray import connect
found = connect(n_cpus=1)
print(found.nodes, found.cpus, found.gpus, found.gpu_kinds)
"""


def connect(folder, **environment) -> subprocess.CompletedProcess:
    """What is found with this folder for temporary files."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", CONNECT],
        capture_output=True,
        text=True,
        env=inherited | {"TMPDIR": str(folder)} | environment,
    )


@pytest.mark.slow
def test_a_cluster_that_is_gone_does_not_hang_the_start():
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:  # short, for sockets
        (Path(folder) / "ray").mkdir()
        (Path(folder) / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
        done = connect(folder)
    assert done.stdout.strip() == "1 1 0 []", done.stderr
    assert done.stderr == ""


@pytest.mark.slow
def test_a_cluster_that_was_asked_for_must_answer(tmp_path):
    done = connect(tmp_path, RAY_ADDRESS="127.0.0.1:1")
    assert "UserError: no Ray cluster answers at 127.0.0.1:1: start it, or unset RAY_ADDRESS" in done.stderr


def test_a_pack_whose_trials_have_all_ended_is_not_trained_again(tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(a_study().to_json()))
    RowWriter(tmp_path).append([a_row(0, outcome="diverged")])
    log = tmp_path / "logs" / "p.log"
    log.parent.mkdir()
    log.write_text("tried before\n")
    train_pack(config_of(tmp_path))
    assert log.read_text() == "tried before\n"


def test_a_node_with_other_versions_says_so(tmp_path):
    with pytest.raises(
        Raised, match=r"UserError.*node .* has torch .*, but the driver 1.0: install the same"
    ):
        train_pack(config_of(tmp_path) | {"versions": versions() | {"torch": "1.0"}})


def test_warnings_stand_in_the_log_of_the_pack(tmp_path):
    log, logger = tmp_path / "logs" / "p.log", logging.getLogger("gansweep.training.speed.trace")
    with worker.warnings_in(log):
        logger.warning("slow because of %s", "this")
        logger.info("detail")
    logger.warning("of another pack")
    (line,) = log.read_text().splitlines()
    assert line.endswith(" slow because of this")


def config_of(folder):
    return {
        "folder": str(folder),
        "pack": "p",
        "trials": [trial_values(0)],
        "until": None,
        "patience": 0,
        "versions": versions(),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Failure # 1\nray::train()\nValueError: bad\nmore\n", ("ValueError", "bad")),
        (
            "Failure # 1\nValueError: old\nFailure # 2\ntorch.cuda.OutOfMemoryError: CUDA out of memory.\n",
            ("oom", "torch.cuda.OutOfMemoryError: CUDA out of memory."),
        ),
        ("ray::train()\ngansweep.errors.Stopped: x cannot be written\n", ("Stopped", "x cannot be written")),
        (
            "ray.exceptions.ActorDiedError: The actor died unexpectedly.\n\tclass_name: ImplicitFunc\n",
            ("worker_died", "the worker process died"),
        ),
        (
            "ray.exceptions.ActorDiedError: The actor died.\nThe actor died because its node has died.\n",
            ("node_lost", "the node of the worker was lost"),
        ),
    ],
)
def test_what_a_pack_failed_of(text, expected, tmp_path):
    assert diagnose(text, tmp_path / "none.log") == expected


def test_what_training_raises_reaches_the_driver_under_its_own_name(local_ray, tmp_path):
    """As Tune sends it: it copies an exception to cut its traceback."""

    def train(config):
        class Peculiar(Exception):  # it cannot be copied, since its constructor takes two arguments
            def __init__(self, what, where):
                super().__init__(f"{what} at {where}\nand more")

        try:
            raise Peculiar("a tensor of the wrong shape", "layer 3")
        except Peculiar as error:
            raise Raised.by(error) from None

    run = tune.RunConfig(storage_path=str(tmp_path), verbose=0)
    (result,) = tune.Tuner(train, run_config=run).fit()
    (text,) = (file.read_text() for file in tmp_path.rglob("error.txt"))
    assert result.error is not None
    failure = diagnose(text, tmp_path / "none.log")
    assert failure == ("Peculiar", "a tensor of the wrong shape at layer 3 and more")


def test_a_worker_that_hangs_is_ended_and_leaves_where(tmp_path):
    log = tmp_path / "p.log"
    log.write_text("2 trials on cpu of here\n")
    code = "import sys, time, pathlib; from gansweep.run.ray.worker import watchdog\n"
    code += "with watchdog(pathlib.Path(sys.argv[1]), 0.3): time.sleep(86_400)"
    done = subprocess.run([sys.executable, "-c", code, str(log)])
    assert done.returncode == 1
    assert 'File "<string>", line 2' in log.read_text()
    died = "ray.exceptions.ActorDiedError: The actor died unexpectedly.\n"
    assert diagnose(died, log).kind == "hang"
    with log.open("a") as file:
        file.write("2 trials on cpu of here\n")  # the next attempt
    assert diagnose(died, log).kind == "worker_died"
