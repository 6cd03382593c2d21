"""Drivers as users start them: processes, watched through the rows they write, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import kill_tree, trainers
from rows import json_rows

SMALL = '''"""Does it survive?"""
from gansweep import Confirm, Evaluation, Replicate, Study

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
TINY = SMALL.replace('"ns", "wgan_gp", "vae"', '"ns", "vae"').replace("trials=5", "trials=4")
PHASES = TINY.replace(
    "    evaluation=",
    "    confirm=Confirm(top=2, reruns=1, seeds=2),\n"
    "    replicate=Replicate(configurations=2, seeds=2),\n"
    "    evaluation=",
)


@dataclass
class Driver:
    """`python run_study.py --study FILE --results RESULTS`, in packs of two.

    environment: that of a cluster; by default a local Ray of its own. prefix: runs the command elsewhere.
    """

    study: Path
    results: Path
    environment: Mapping[str, str] = field(default_factory=lambda: local())
    prefix: Sequence[str] = ()
    options: Sequence[str] = ("--pack-size=2",)
    process: subprocess.Popen[str] | None = None
    began: float = 0.0  # seconds since the epoch

    @property
    def folder(self) -> Path:
        """The results of the study."""
        return self.results / self.study.stem

    def start(self) -> "Driver":
        command = [sys.executable, "run_study.py", f"--study={self.study}", f"--results={self.results}"]
        self.began = time.time()
        self.process = subprocess.Popen(
            [*self.prefix, *command, *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            start_new_session=True,
        )
        return self

    def finish(self, code: int = 0, timeout: float = 600.0) -> str:
        """Wait for its end, which must be with this exit code; what it said."""
        assert self.process
        output, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == code, f"exit code {self.process.returncode}\n{output}"
        assert "Traceback" not in output, output
        return output

    def run(self, code: int = 0, timeout: float = 600.0) -> str:
        return self.start().finish(code, timeout)

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def ended(self) -> bool:
        assert self.process
        return self.process.poll() is not None

    def kill(self) -> None:
        """Kill -9 the driver alone; a Ray of its own dies of that by itself."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process
        self.process.communicate()

    def close(self) -> None:
        """Leave nothing of it, whatever has happened to it."""
        if self.process and not self.ended:
            kill_tree(self.pid)
            self.process.communicate()

    def until(self, condition: Callable[[], object], timeout: float = 300.0) -> None:
        """Wait for something to happen while the driver is at work."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert not self.ended, self.process.communicate()[0] if self.process else ""
            assert time.monotonic() < deadline, f"not within {timeout:g} s"
            time.sleep(0.02)

    def until_rows(self, n: int, timeout: float = 300.0) -> None:
        self.until(lambda: len(self.rows()) >= n, timeout)

    def rows(self) -> list[dict[str, Any]]:
        return json_rows(self.folder)

    def trainers(self) -> list[int]:
        """The processes that train packs in a Ray of its own."""
        return trainers(self.pid)

    def trainer(self, among: Callable[[], list[int]] | None = None) -> int:
        """A process that trains a pack; between two packs there may be none for a moment."""
        found = among or self.trainers
        self.until(found)
        return found()[0]


def local(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a driver that starts a Ray of its own, with two CPUs whatever the machine has."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ray = {"RAY_ADDRESS": "local", "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    return plain | ray | dict(variables or {})


def undisturbed(name: str, text: str, folder: Path, environment: dict[str, str]) -> Driver:
    """A study that ran to its end."""
    study = folder / f"{name}.py"
    study.write_text(text)
    driver = Driver(study, folder / "results", environment)
    try:
        driver.run()
    finally:
        driver.close()
    return driver
