"""How long a short training takes from nothing, as a study pays it: this checkout against another, in turns.

Each measurement is a process of one thread that builds a pack, trains it and ends: CPU seconds without those
of imports. "first": no trace is stored, so that rounds are traced; "second": the traces of an earlier process
are at hand. The base may know of no stored traces; then both are the same for it.

    python benchmarks/cold.py BASE [--other .] [--tasks digits mlp] [--pack 6] [--rounds 320] [--turns 5]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from against import ALLOCATOR

WORK = """
import inspect, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1] + "/benchmarks")
import training
from gansweep import data
from gansweep.training.pack import Pack
import gansweep
assert gansweep.__file__.startswith(sys.argv[1]), gansweep.__file__
task, n_members, n_rounds = training.TASKS[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])
dataset = data.load(task.dataset)
members = training.packed(dataset, task, n_members).members
knows = {"n_rounds": n_rounds} if "n_rounds" in inspect.signature(Pack).parameters else {}
started = time.process_time()
pack = Pack(members, dataset, torch.device("cpu"), **knows)
for _ in range(n_rounds):
    pack.round()
print(time.process_time() - started)
"""


def seconds(checkout: Path, cache: Path, task: str, pack: int, rounds: int) -> float:
    """CPU seconds of a training in a process of its own."""
    environment = os.environ | ALLOCATOR | {"PYTHONPATH": str(checkout), "GANSWEEP_CACHE": str(cache)}
    words = [sys.executable, "-c", WORK, str(checkout), task, str(pack), str(rounds)]
    return float(subprocess.run(words, env=environment, cwd=checkout, capture_output=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path, help="the checkout to compare with")
    parser.add_argument("--other", type=Path, default=Path(), help="default: the working directory")
    parser.add_argument("--tasks", nargs="+", default=["digits", "wgan_gp", "dragan", "mlp"])
    parser.add_argument("--pack", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=320)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    base, other = options.base.resolve(), options.other.resolve()
    print(f"load before: {os.getloadavg()[0]:.1f}; {options.rounds} rounds of {options.pack}; CPU s")
    for task in options.tasks:
        found: dict[str, list[float]] = {"base": [], "first": [], "second": []}
        for _ in range(options.turns):
            cache = Path(tempfile.mkdtemp())
            size = task, options.pack, options.rounds
            found["base"].append(seconds(base, cache, *size))
            found["first"].append(seconds(other, cache, *size))
            found["second"].append(seconds(other, cache, *size))
            shutil.rmtree(cache)
        medians = "  ".join(f"{name} {statistics.median(values):6.2f}" for name, values in found.items())
        print(f"{task:<8} {medians}  {ratio(found, 'first')}  {ratio(found, 'second')}", flush=True)


def ratio(found: dict[str, list[float]], name: str) -> str:
    ratios = [base / own for base, own in zip(found["base"], found[name], strict=True)]
    return f"{name} {statistics.median(ratios):.2f}x ({min(ratios):.2f}..{max(ratios):.2f})"


if __name__ == "__main__":
    main()
