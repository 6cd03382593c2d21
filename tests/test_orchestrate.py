"""Finding a Ray to run on; what is said of failures."""

import os
import subprocess
import sys

import pytest

from gansweep.orchestrate.searcher import last_error
from gansweep.orchestrate.worker import train_pack

CONNECT = """
import sys
from pathlib import Path
from gansweep import orchestrate
orchestrate.cluster.CLUSTER_FILE = Path(sys.argv[1])
print(orchestrate.connect(n_cpus=1))
"""


def connect(cluster_file, **environment) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", CONNECT, str(cluster_file)],
        capture_output=True,
        text=True,
        timeout=90,
        env=inherited | environment,
    )


@pytest.mark.slow
def test_a_cluster_that_is_gone_does_not_hang_the_start(tmp_path):
    (tmp_path / "remembered").write_text("127.0.0.1:1")
    done = connect(tmp_path / "remembered")
    assert done.stdout.strip() == "{'nodes': 1, 'cpus': 1, 'gpus': 0, 'gpu_kinds': []}", done.stderr
    assert done.stderr == ""


def test_a_cluster_that_was_asked_for_must_answer(tmp_path):
    done = connect(tmp_path / "none", RAY_ADDRESS="127.0.0.1:1")
    assert "UserError: no Ray cluster answers at 127.0.0.1:1: start it, or unset RAY_ADDRESS" in done.stderr


def test_a_pack_whose_trials_have_all_ended_is_not_trained_again(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"trial_id": "a", "outcome": "diverged"}\n')
    config = {"folder": str(tmp_path), "pack": "p", "trials": [{"trial_id": "a"}], "device": "cpu"}
    train_pack(config)
    assert not (tmp_path / "logs" / "p.log").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Failure # 1\nray::train()\nValueError: bad\nmore\n", ("ValueError", "bad")),
        (
            "Failure # 1\nValueError: old\nFailure # 2\ntorch.cuda.OutOfMemoryError: CUDA out of memory.\n",
            ("oom", "CUDA out of memory."),
        ),
        (
            "Failure # 1\nThe actor died unexpectedly.\n\tclass_name: ImplicitFunc\n",
            ("worker_died", "the worker process died"),
        ),
    ],
)
def test_the_last_error_of_a_worker(text, expected):
    assert last_error(text) == expected
