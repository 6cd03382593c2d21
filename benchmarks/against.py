"""Compares the training speed of two checkouts of this repository: CPU time of a round, paired.

Both builds run in child processes of one thread, in turns (A B B A), so that the load of the machine hits
both.
Each start makes new processes, since the layout of memory differs between processes by some percent. A ratio
over 1 means that the other checkout is slower than the base.

    python benchmarks/against.py BASE [--other .] [--tasks mlp digits] [--packs 1 16] [--turns 15]
        [--starts 2]
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}  # as workers have
SECONDS = 0.2  # CPU time of one measurement


def work(connection: Connection, checkout: str, task: str, n_members: int) -> None:
    """Measure milliseconds of CPU time of a round of one checkout, at each message until it is False."""
    sys.path[:0] = [checkout, f"{checkout}/benchmarks"]
    import torch
    import training

    import gansweep

    assert str(gansweep.__file__).startswith(checkout), gansweep.__file__
    torch.set_num_threads(1)
    pack = training.trainer(training.Configuration(task, n_members))
    while connection.recv():
        n_rounds, started = 0, time.process_time()
        while n_rounds == 0 or time.process_time() - started < SECONDS:
            pack.round()
            n_rounds += 1
        connection.send(1e3 * (time.process_time() - started) / n_rounds)


def paired(base: str, other: str, task: str, n_members: int, turns: int) -> list[tuple[float, float]]:
    """Returns the milliseconds of a round of both checkouts, one pair a turn."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for checkout in (base, other):
        here, there = context.Pipe()
        context.Process(target=work, args=(there, checkout, task, n_members), daemon=True).start()
        pipes.append(here)

    def milliseconds(pipe: Connection) -> float:
        pipe.send(True)
        return float(pipe.recv())

    for pipe in pipes:
        milliseconds(pipe)  # warm
    found = []
    for turn in range(turns):
        order = pipes if turn % 2 == 0 else pipes[::-1]
        times = {id(pipe): milliseconds(pipe) for pipe in order}
        found.append((times[id(pipes[0])], times[id(pipes[1])]))
    for pipe in pipes:
        pipe.send(False)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path, help="the checkout to compare with")
    parser.add_argument("--other", type=Path, default=Path(), help="default: the working directory")
    parser.add_argument("--tasks", nargs="+", default=["mlp", "digits", "wgan_gp", "dragan", "mnist"])
    parser.add_argument("--packs", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--starts", type=int, default=2)
    options = parser.parse_args()
    os.environ |= ALLOCATOR
    base, other = str(options.base.resolve()), str(options.other.resolve())
    print(f"load before: {os.getloadavg()[0]:.1f}; CPU ms of a round, and their ratio, other / base")
    print(f"{'task':<9}{'pack':>5}{'base':>10}{'other':>10}{'median':>9}{'min':>7}{'max':>7}   each start")
    for task in options.tasks:
        for n_members in options.packs:
            starts = [paired(base, other, task, n_members, options.turns) for _ in range(options.starts)]
            pairs = [pair for start in starts for pair in start]
            ratios = [b / a for a, b in pairs]
            medians = " ".join(f"{statistics.median(b / a for a, b in start):.3f}" for start in starts)
            base_ms, other_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(
                f"{task:<9}{n_members:>5}{base_ms:>10.2f}{other_ms:>10.2f}{statistics.median(ratios):>9.3f}"
                f"{min(ratios):>7.3f}{max(ratios):>7.3f}   {medians}",
                flush=True,
            )


if __name__ == "__main__":
    main()
