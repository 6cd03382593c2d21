"""How fast a study starts, of two checkouts of this repository in turns.

    python benchmarks/start.py BASE [--other .] [--turns 5] [--runs 2]

It prints medians and ranges of

    seconds of CPU (user) of new processes that import what a driver or a worker needs, or that are a command;
    those that pass in a search of 10,000 random trials until there is the first pack, without imports;
    seconds from the command `gansweep run quickstart` until its files show that a part of the start is over,
    on a Ray of its own (--runs of each checkout).

The processes of one thread take turns (A B B A), so that the load of the machine hits both. Instructions are
not counted: not every machine lets a program read its counters.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SEARCH = """
import tempfile, time
from pathlib import Path
from gansweep import Evaluation, Study, data
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.study.resolve import resolve

study = Study(
    variants=("ns", "lsgan"), datasets=("ring",), trials=5000, steps=100, space="wide",
    evaluation=Evaluation(n_images=1000),
)
resolved = resolve("s", "", study, {"ring": data.load("ring")})
with tempfile.TemporaryDirectory() as folder:
    began = time.process_time()
    search = Search(resolved, open_storage(Path(folder), None), Path(folder), {"ring": 64})
    search.resume([])
    assert search.next_job()
    print(time.process_time() - began)
"""
PROCESSES = {
    "torch and Ray alone": ["-c", "import torch, ray"],
    "torch, Ray and Tune alone": ["-c", "import torch, ray; from ray import tune"],
    "driver": ["-c", "import gansweep.run.driver"],
    "worker": ["-c", "import gansweep.run.ray.worker"],
    "gansweep --help": ["-m", "gansweep", "--help"],
    "gansweep list": ["-m", "gansweep", "list"],
    "gansweep list variants": ["-m", "gansweep", "list", "variants"],
    "an unknown study": ["-m", "gansweep", "run", "nothing"],
    "an unknown variant": ["-m", "gansweep", "check", "nothing"],
    "an unknown option": ["-m", "gansweep", "run", "quickstart", "--nothing"],
}
SIGNS: dict[str, Callable[[Path], bool]] = {
    "study.json": lambda folder: (folder / "study.json").exists(),
    "first pack": lambda folder: any(folder.glob("logs/*")),
    "first row": lambda folder: _rows(folder) != b"",
    "first trial ended": lambda folder: b'"outcome": "' in _rows(folder),
}


def _rows(folder: Path) -> bytes:
    file = folder / "rows.jsonl"
    return file.read_bytes() if file.exists() else b""


def environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "RAY_ADDRESS": "local"}


def cpu_seconds(checkout: Path, arguments: list[str]) -> float:
    """The user time of a process."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment(checkout),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return os.wait4(process.pid, 0)[2].ru_utime


def until_first_pack(checkout: Path) -> float:
    command = [sys.executable, "-c", SEARCH]
    run = subprocess.run(command, cwd=checkout, env=environment(checkout), capture_output=True, check=True)
    return float(run.stdout)


def first_signs(checkout: Path) -> dict[str, float]:
    """Seconds until each of SIGNS, of a study that is then stopped."""
    seen: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="gss-", dir="/tmp", ignore_cleanup_errors=True) as results:
        command = [sys.executable, "-m", "gansweep", "run", "quickstart", "--results", results]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env=environment(checkout),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(seen) < len(SIGNS) and process.poll() is None:
            for name, is_there in SIGNS.items():
                if name not in seen and is_there(Path(results) / "quickstart"):
                    seen[name] = time.monotonic() - began
            time.sleep(0.02)
        for _ in range(2):  # the second signal does not wait for running packs
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        process.wait()
    return seen


def in_turns(n: int, measure: Callable[[Path], float], checkouts: list[Path]) -> list[list[float]]:
    """Measures each checkout so many times; returns the values of each."""
    found: list[list[float]] = [[], []]
    for turn in range(n):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            found[i].append(measure(checkouts[i]))
    return found


def line(name: str, found: list[list[float]]) -> None:
    """Print medians and ranges of both checkouts, and their ratio."""
    both = [f"{statistics.median(each):7.2f} ({min(each):.2f}-{max(each):.2f})" for each in found]
    ratio = statistics.median(found[1]) / statistics.median(found[0])
    print(f"{name:<28}{both[0]:>24}{both[1]:>24}{ratio:>8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="the checkout to compare with")
    parser.add_argument("--other", type=Path, default=Path(), help="default: the working directory")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--runs", type=int, default=2, help="of quickstart, of each checkout")
    options = parser.parse_args()
    checkouts = [options.base.resolve(), options.other.resolve()]
    print(f"load before: {os.getloadavg()[0]:.1f}")
    print(f"{'seconds of CPU':<28}{'base':>24}{'other':>24}{'ratio':>8}")
    for name, arguments in PROCESSES.items():
        line(name, in_turns(options.turns, lambda place, a=arguments: cpu_seconds(place, a), checkouts))
    line("first pack of 10,000 trials", in_turns(min(2, options.turns), until_first_pack, checkouts))
    if not options.runs:
        return
    print(f"{'seconds since the command':<28}{'base':>24}{'other':>24}{'ratio':>8}")
    runs: list[list[dict[str, float]]] = [[], []]
    for turn in range(options.runs):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            runs[i].append(first_signs(checkouts[i]))
    for name in SIGNS:
        line(name, [[run[name] for run in each] for each in runs])


if __name__ == "__main__":
    main()
