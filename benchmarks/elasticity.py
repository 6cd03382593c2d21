"""What more workers save, and what orchestration costs: one study on clusters of 1, 2 and 4 one-CPU nodes.

    python benchmarks/elasticity.py [--workers 1 2 4] [--trials 24] [--seconds 5]

Every round of the study's variant sleeps a fixed time, so a worker cannot do the work faster by itself, and
four are fair on two cores; all else is the product's own way, from the command to the last row. In the last
line a run begins with one node and gets the others while it runs.

    wall        from the command to the end of the last trial; the report is not in it
    start-up    the share of the workers' time before each trained for the first time: driver, data, processes
    steady      the share in which they were idle after that: between two packs, and at the end
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "cluster")]
from drivers import Driver  # noqa: E402
from nodes import Cluster, cluster  # noqa: E402
from traps import offer  # noqa: E402

ROUNDS, EVALUATIONS = 20, 2
STUDY = '''"""How does it scale?"""
from gansweep.evaluation import Evaluation
from gansweep.study import Study

STUDY = Study(
    variants=("slow_gan",), datasets=("ring",), trials={trials}, steps={rounds}, evaluations={evaluations},
    space="narrow", evaluation=Evaluation(n_images=200),
)
'''


class Trial(NamedTuple):
    """When a trial trained, in seconds since the command; a pack is one trial."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def trains_at(self, time: float) -> bool:
        """Its end is known only to a tenth of a second."""
        return self.start <= time < self.end - 0.1


class Measured(NamedTuple):
    """One run. available: seconds of all workers from the command, or from when they joined, to the end."""

    wall: float
    available: float
    busy: float
    started: float  # seconds of workers before they first trained

    @property
    def startup(self) -> float:
        return self.started / self.available

    @property
    def steady(self) -> float:
        return 1 - self.busy / self.available - self.startup


def measure(nodes: Cluster, driver: Driver, n_trials: int, join: int = 0) -> Measured:
    """Run the study; `join` nodes come when a quarter of the trials has ended."""
    began = time.monotonic()
    joined = [0.0] * len(nodes.workers)
    driver.start()
    trials: dict[str, Trial] = {}
    read = 0
    while len(trials) < n_trials:
        assert not driver.ended, driver.process.communicate()[0] if driver.process else ""
        rows = driver.rows()
        for row in (row for row in rows[read:] if row["outcome"] is not None):
            end = time.monotonic() - began
            trials[row["trial_id"]] = Trial(end - row["train_seconds"] - row["eval_seconds"], end)
        read = len(rows)
        if join and len(trials) >= n_trials / 4:
            for _ in range(join):
                joined.append(time.monotonic() - began)
                nodes.add(1)
            join = 0
        time.sleep(0.02)
    return summary(list(trials.values()), joined)


def summary(trials: list[Trial], joined: list[float]) -> Measured:
    """joined: when each worker was there, seconds since the command. It began to train when for the first
    time as many trials trained at once as there were workers by then."""
    wall = max(trial.end for trial in trials)
    at_once = {trial.start: sum(other.trains_at(trial.start) for other in trials) for trial in trials}
    started = [
        min((t for t, n in at_once.items() if n > i), default=wall) - came for i, came in enumerate(joined)
    ]
    return Measured(wall, sum(wall - came for came in joined), sum(t.seconds for t in trials), sum(started))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a trial")
    options = parser.parse_args()
    print(f"{options.trials} trials of {options.seconds:g} s, {options.trials * options.seconds:g} s of work")
    print(f"{'workers':>8}{'wall, s':>9}{'speed-up':>10}{'efficiency':>12}{'start-up':>10}{'steady':>8}")
    first = None
    for n, join in [*((n, 0) for n in options.workers), (1, options.workers[-1] - 1)]:
        one = run(n, join, options.trials, options.seconds)
        first = first or one.wall * n
        label = f"1 + {join}" if join else f"{n}"
        print(
            f"{label:>8}{one.wall:>9.1f}{first / one.wall:>10.2f}{one.busy / one.available:>11.1%} "
            f"{one.startup:>9.1%}{one.steady:>8.1%}",
            flush=True,
        )


def run(n: int, join: int, n_trials: int, seconds: float) -> Measured:
    """Measure one cluster of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        study = folder / "scaling.py"
        study.write_text(STUDY.format(trials=n_trials, rounds=ROUNDS, evaluations=EVALUATIONS))
        variables = offer(folder / "plugin") | {"SECONDS_PER_ROUND": str(seconds / ROUNDS)}
        with cluster(*[1] * n, variables=variables) as nodes:
            driver = Driver(study, folder / "results", nodes.environment, options=("--pack-size=1",))
            try:
                return measure(nodes, driver, n_trials, join)
            finally:
                driver.close()


if __name__ == "__main__":
    main()
