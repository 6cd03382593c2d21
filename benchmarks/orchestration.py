"""What orchestration costs: a study of short trials through the real command, and how a driver's books grow.

    python benchmarks/orchestration.py [--trials 1000] [--steps 250] [--workers 2]
    python benchmarks/orchestration.py --rows 100000

The first trains MLPs on the ring with a Ray of its own, in packs as gansweep chooses them. It prints when
what was first there, in seconds since the command, and what the workers' time went into, from the command to
the end of the last trial; the report is not in it:

    trained     the rows' train_seconds and eval_seconds
    start       before a worker's first pack: imports, Ray, references, asking Optuna, processes
    between     from the end of a worker's pack to its next: rows written and told, the next pack built
    end         a worker has no more packs, and others still train theirs

The second feeds synthetic rows, four of a trial, through the driver's own books and a search on disk, and
prints what a row costs and what the driver holds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]
STUDY = '''"""What does orchestration cost?"""
from gansweep.study.resolve import resolve
from gansweep.evaluation import Evaluation
from gansweep.study import Study

STUDY = Study(
    variants={variants}, datasets=("ring",), trials={trials}, steps={steps}, evaluations={evaluations},
    space="narrow", evaluation=Evaluation(n_images=1000),
)
'''
SIGNS = {  # what is there when a part of the start is over
    "Python, imports, data": ".lock",
    "Ray, references": "study.json",
    "trials asked for": "optuna.journal.settled",
    "a worker": "logs",
}
EVALUATIONS = 4  # rows of a trial
VARIANTS = ("ns", "lsgan")
MARKS = (1000, 3000, 10_000, 30_000, 100_000)  # rows after which the driver is looked at


class Pack(NamedTuple):
    """When a pack trained, in seconds since the command."""

    start: float
    end: float


class Watched(NamedTuple):
    """One run: when each sign was first seen, its packs, and the end of the command."""

    signs: dict[str, float]
    packs: list[Pack]
    ended: float


def watch(folder: Path, command: list[str], environment: dict[str, str]) -> Watched:
    """Run the command and look at its folder fifty times a second."""
    from gansweep.results.row_file import RowReader

    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    signs: dict[str, float] = {}
    reader, seen, busy = RowReader(folder), {}, {}
    while process.poll() is None:
        passed = time.monotonic() - began
        signs |= {
            what: passed for what, file in SIGNS.items() if what not in signs and is_there(folder, file)
        }
        for row in reader.new():
            seen[row["pack"]] = passed
            busy[row["pack"], row["trial_id"]] = row["train_seconds"] + row["eval_seconds"]
        time.sleep(0.02)
    assert process.returncode == 0, f"exit code {process.returncode}"
    took = {pack: sum(seconds for (name, _), seconds in busy.items() if name == pack) for pack in seen}
    packs = sorted(Pack(end - took[pack], end) for pack, end in seen.items())
    return Watched(signs, packs, time.monotonic() - began)


def is_there(folder: Path, sign: str) -> bool:
    """Whether something is in a study's folder; `settled`: the journal says that trials may be handed out."""
    name, _, _ = sign.partition(".settled")
    return (folder / sign).exists() if name == sign else _settled(folder / name)


def _settled(journal: Path) -> bool:
    return journal.exists() and b'"settled":1' in journal.read_bytes()[-2000:]


def by_worker(packs: list[Pack], n_workers: int) -> list[list[Pack]]:
    """The packs of each worker: a pack goes to the worker whose last one ended first."""
    workers: list[list[Pack]] = [[] for _ in range(n_workers)]
    for pack in packs:
        min(workers, key=lambda own: own[-1].end if own else 0.0).append(pack)
    return workers


def text(n_trials: int, steps: int) -> str:
    return STUDY.format(
        variants=VARIANTS, trials=n_trials // len(VARIANTS), steps=steps, evaluations=EVALUATIONS
    )


def study(options: argparse.Namespace) -> None:
    """Run the study and print where the time went."""
    with tempfile.TemporaryDirectory(prefix="gso-", dir="/tmp") as scratch:
        file = Path(scratch) / "short.py"
        file.write_text(text(options.trials, options.steps))
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = plain | {
            "RAY_ADDRESS": "local",
            "RAY_TMPDIR": scratch,
            "RAY_worker_niceness": "0",
            "OMP_NUM_THREADS": "1",
            "HOME": scratch,
        }
        command = [sys.executable, "run_study.py", f"--study={file}", f"--results={scratch}"]
        command = ["taskset", "--cpu-list", f"0-{options.workers - 1}", *command]
        watched = watch(Path(scratch) / "short", command, environment)
    table(watched, options)


def table(watched: Watched, options: argparse.Namespace) -> None:
    workers = [own for own in by_worker(watched.packs, options.workers) if own]
    first, wall = watched.packs[0].start, max(pack.end for pack in watched.packs)
    for what, moment in [*sorted(watched.signs.items(), key=lambda sign: sign[1]), ("first step", first)]:
        print(f"{what:<24}{moment:>8.1f} s")
    gaps = [b.start - a.end for own in workers for a, b in pairwise(own)]
    parts = {
        "trained": sum(pack.end - pack.start for pack in watched.packs),
        "start": sum(own[0].start for own in workers),
        "between": sum(gaps),
        "end": sum(wall - own[-1].end for own in workers),
    }
    available = wall * options.workers
    print(f"\n{options.trials} trials in {len(watched.packs)} packs, {options.workers} workers, {wall:.0f} s")
    print(f"{'workers':<12}{'seconds':>10}{'ms a trial':>12}{'share':>8}")
    for what, seconds in parts.items():
        print(f"{what:<12}{seconds:>10.1f}{1e3 * seconds / options.trials:>12.0f}{seconds / available:>8.1%}")
    outside = available - parts["trained"]
    print(
        f"{'outside':<12}{outside:>10.1f}{1e3 * outside / options.trials:>12.0f}{outside / available:>8.1%}"
    )
    print(f"between two packs {statistics.median(gaps):.2f} s (median), {max(gaps):.2f} s at most")
    print(f"after the last trial: report and end {watched.ended - wall:.1f} s")


def books(n_rows: int) -> None:
    """Feed rows through the driver's books, and print what each stretch of them cost."""
    from gansweep.run.ledger import Ledger

    with tempfile.TemporaryDirectory(prefix="gso-", dir="/tmp") as scratch:
        folder = Path(scratch)
        queue, writer = opened(folder, n_rows // EVALUATIONS)
        began = time.process_time()
        job = queue.next_job()
        print(f"{n_rows // EVALUATIONS} trials asked for in {time.process_time() - began:.1f} s of CPU")
        with redirect_stdout(open(os.devnull, "w")):  # what the display of progress writes to
            ledger = Ledger(folder, queue.study, writer, queue)
        print(f"{'rows':>8}{'ms a row':>10}{'CPU':>7}{'MB':>7}{'of it since the start':>24}")
        done, marks, start = 0, [mark for mark in MARKS if mark <= n_rows], memory()
        clock = [time.perf_counter(), time.process_time(), 0]
        while job:
            for rows in rows_of(job):
                ledger.record(rows)
                done += len(rows)
            if marks and done >= marks[0]:
                wall, cpu, n = time.perf_counter() - clock[0], time.process_time() - clock[1], done - clock[2]
                grown = memory() - start
                print(
                    f"{done:>8}{1e3 * wall / n:>10.2f}{1e3 * cpu / n:>7.2f}{memory():>7.0f}{grown:>24.0f}",
                    flush=True,
                )
                clock = [time.perf_counter(), time.process_time(), done]
                marks.pop(0)
            job = queue.next_job()


def opened(folder: Path, n_trials: int) -> Any:
    """The search of a study as the driver opens it, and what writes its rows."""
    from gansweep import data
    from gansweep.results.row_file import RowWriter
    from gansweep.run.search.search import Search
    from gansweep.run.search.storage import open_storage
    from gansweep.study import library
    from gansweep.study.resolve import resolve

    file = folder / "short.py"
    file.write_text(text(n_trials, steps=100))
    resolved = resolve(*library.load(str(file)), {"ring": data.load("ring")})
    return Search(resolved, open_storage(folder, None), folder, {"ring": 16}), RowWriter(folder)


def rows_of(job: Any) -> Iterator[list[Any]]:
    """The rows of a pack, as a worker reports them."""
    from msgspec import structs

    from gansweep.results.row import Outcome, Row, now

    for step in range(1, EVALUATIONS + 1):
        measured = {
            "metrics": {"fid": 10.0 / step},
            "terms": {"D_loss": 0.5, "G_loss": 0.7},
            "step": 25 * step,
        }
        end = {
            "outcome": Outcome.OK if step == EVALUATIONS else None,
            "started_at": now(),
            "train_seconds": 0.4 * step,
        }
        study = job.study
        first = [Row.first(t, job.pack, study.steps, study.n_images(t.dataset)) for t in job.trials]
        yield [structs.replace(row, **measured, **end) for row in first]


def memory() -> float:
    """What this process holds, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=250, help="of a trial")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, help="feed so many rows through the driver's books instead")
    options = parser.parse_args()
    if options.rows:
        books(options.rows)
    else:
        study(options)


if __name__ == "__main__":
    main()
