"""What it costs to resume and to watch a study of many rows, of two checkouts of this repository in turns.

    python benchmarks/resume.py BASE [--other .] [--rows 100000] [--turns 3]

It makes a study whose search has ended but for its last trials. Then it measures, in new processes of one
thread that take turns (A B B A), what each checkout needs for

    one reading     every row, once
    rows            what a driver takes from the rows before it hands out a pack
    resume          that and the search from its storage, by Optuna, whose share is the same in both
    status          what `gansweep status` prints

and prints medians and ranges of seconds of CPU, without imports, and of what its memory has grown by at most
[MB].
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

STUDY = """
import io, resource, sys, time
from contextlib import redirect_stdout
from pathlib import Path
from msgspec import structs
import gansweep.cli.watching
from gansweep import Evaluation, Study, data
from gansweep.results import phases
from gansweep.results.records import Hardware
from gansweep.results.row import Outcome, Phase, Row, now
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.results.status.status import StatusReader
from gansweep.run import driver
from gansweep.run.ledger import Ledger
from gansweep.run.prepare import prepare
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.study.resolve import resolve

folder, task, n_trials = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
study = Study(
    variants=("ns", "lsgan"), datasets=("ring",), trials=n_trials // 2, steps=1000, evaluations=10,
    space="wide", evaluation=Evaluation(n_images=1000),
)
datasets = {"ring": data.load("ring")}
resolved = resolve("big", "q", study, datasets)
"""
MAKE = """
prepare(folder, resolved, datasets, Hardware(nodes=1, cpus=2, gpus=0))
search = Search(resolved, open_storage(folder, None), folder, {"ring": 50})
search.resume(())
writer, n_left = RowWriter(folder), n_trials
while (job := search.next_job()) and n_left > 100:
    n_left -= len(job.trials)
    for i in range(1, 11):
        measured = dict(
            step=100 * i, images_seen=25_600 * i, metric_id="0" * 12, metrics={"fid": 9 / i, "isc": 2.5},
            terms={"discriminator_real": 0.25, "discriminator_fake": 0.125, "generator_fake": 0.5},
            pack_size=50, host="here", device="cpu", gpus=0.0, started_at=now(), train_seconds=0.25 * i,
            eval_seconds=0.01 * i, outcome=Outcome.OK if i == 10 else None,
        )
        first = [Row.first(trial, job.pack, 1000, 1000) for trial in job.trials]
        rows = writer.append([structs.replace(row, **measured) for row in first])
        with search.batch():
            for row in rows:
                search.report(row)
"""
RUN = """
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def resume_in_one_reading(with_search):
    driver.check_same_study(folder, resolved)
    books = driver.open_books(folder, resolved)
    assert phases.n_left(resolved, books.rows.finished.trials) > 0
    if with_search:
        search = Search(resolved, open_storage(folder, None), folder, {"ring": 50})
        ledger = Ledger(folder, resolved, books.rows, search, (), books.progress)
        search.resume(books.searched)
        assert search.next_job()

def resume_in_five_readings(with_search):
    driver.check_same_study(folder, resolved)
    rows = RowWriter(folder)
    assert driver.n_left(resolved, folder) > 0
    assert driver.n_left(resolved, folder) > 0
    search = Search(resolved, open_storage(folder, None), folder, {"ring": 50}) if with_search else None
    ledger = Ledger(folder, resolved, rows, search)
    if with_search:
        search.resume(row for row in read_rows(folder) if row.phase == Phase.SEARCH)
        assert search.next_job()
    else:
        list(row for row in read_rows(folder) if row.phase == Phase.SEARCH)

resume = resume_in_one_reading if hasattr(driver, "open_books") else resume_in_five_readings
TASKS = {
    "one reading": lambda: [None for row in read_rows(folder)],
    "rows": lambda: resume(False),
    "resume": lambda: resume(True),
    "status": lambda: gansweep.cli.watching._shown(StatusReader(folder).read(), False),
}
before, began = peak(), time.process_time()
with redirect_stdout(io.StringIO()):
    TASKS[task]()
print(time.process_time() - began, peak() - before)
"""
TASKS = ("one reading", "rows", "resume", "status")


def run(checkout: Path, code: str, folder: Path, task: str, n_trials: int) -> list[float]:
    """The numbers that a program prints which uses a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STUDY + code, str(folder), task, str(n_trials)]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="the checkout to compare with")
    parser.add_argument("--other", type=Path, default=Path(), help="default: the working directory")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    checkouts = [options.base.resolve(), options.other.resolve()]
    with tempfile.TemporaryDirectory(prefix="gsr-") as place:
        folder, n_trials = Path(place) / "big", options.rows // 10
        folder.mkdir()
        run(checkouts[0], MAKE, folder, "make", n_trials)
        print(f"load before: {os.getloadavg()[0]:.1f}")
        print(f"{'':<14}{'base: s of CPU':>24}{'MB':>6}{'other: s of CPU':>24}{'MB':>6}{'ratio':>8}")
        for task in TASKS:
            found: list[list[list[float]]] = [[], []]
            for turn in range(options.turns):
                for i in (0, 1) if turn % 2 == 0 else (1, 0):
                    found[i].append(run(checkouts[i], RUN, folder, task, n_trials))
            text, medians = f"{task:<14}", []
            for each in found:
                seconds, grown = zip(*each, strict=True)
                medians.append(statistics.median(seconds))
                spread = f"{medians[-1]:.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
                text += f"{spread:>24}{statistics.median(grown):>6.0f}"
            print(f"{text}{medians[1] / medians[0]:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
