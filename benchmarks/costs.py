"""How the cost of training grows with the size of a pack, of the images and of the data, and what bounds it.

One thread, NS GAN, batch 64. Beside the time of a member-round stand its floating-point operations per
second, as a share of what the same thread reaches in one large product of matrices, and where the time goes:
into products of matrices, Adam, other operations, or between operations (Python, launches).

    python benchmarks/costs.py [--tasks mlp digits mnist] [--sides 8 28 32 64] [--seconds 2]
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from training import TASKS, Task, allocator, packed

from gansweep import data
from gansweep.data.base import Dataset, make
from gansweep.networks import architecture_for

PRODUCTS = ("aten::bmm", "aten::mm", "aten::addmm", "aten::baddbmm")
PACKS = {"mlp": (1, 2, 4, 8, 16, 32, 64), "digits": (1, 2, 4, 8, 16, 32), "mnist": (1, 2, 4)}


def seconds_of(function, at_least: float) -> float:
    """CPU seconds of a call: the median of three stretches."""
    times = []
    for _ in range(3):
        n, started = 0, time.process_time()
        while n == 0 or time.process_time() - started < at_least / 3:
            function()
            n += 1
        times.append((time.process_time() - started) / n)
    return statistics.median(times)


def machine() -> tuple[float, float]:
    """Of one thread: operations a second in a product of matrices, and bytes a second in a copy."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    source, target = torch.randn(2**26), torch.empty(2**26)
    product, copy = seconds_of(lambda: a @ b, 1.0), seconds_of(lambda: target.copy_(source), 1.0)
    return 2 * 2048**3 / product, 2 * source.nbytes / copy


def describe(name: str, dataset: Dataset, task: Task, n_members: int, seconds: float, peak: float) -> str:
    """One line of a table; in a process of its own, so that its memory is its own."""
    torch.set_num_threads(1)
    before = resident_bytes()
    pack = packed(dataset, task, n_members)
    pack.round()  # is traced
    flops = flops_of(pack) / n_members
    each = seconds_of(pack.round, seconds) / n_members
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        started = time.perf_counter()
        for _ in range(5):
            pack.round()
        total = time.perf_counter() - started
    shares = where(profiler, total)
    grown = (resident_bytes() - before) / 1e6 / n_members
    return (
        f"{name:<14}{n_members:>4}{1e3 * each:>10.3f}{flops / 1e9:>9.4f}{flops / each / 1e9:>9.1f}"
        f"{100 * flops / each / peak:>7.0f} %{grown:>9.1f}   "
        + " ".join(f"{100 * s:>7.0f} %" for s in shares)
    )


def resident_bytes() -> int:
    """What this process has in memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def flops_of(pack) -> int:
    """Of a round, by the shapes of its products."""
    with FlopCounterMode(display=False) as counter:
        pack.round()
    return counter.get_total_flops()


def where(profiler: profile, total: float) -> tuple[float, float, float, float]:
    """Shares of the time: products, Adam, other operations, between operations."""
    spent = {event.key: event.self_cpu_time_total / 1e6 for event in profiler.key_averages()}
    products = sum(spent.get(name, 0.0) for name in PRODUCTS)
    adam = spent.get("aten::_fused_adam_", 0.0)
    others = sum(value for name, value in spent.items() if name.startswith("aten::")) - products - adam
    shares = [part / total for part in (products, adam, others)]
    return shares[0], shares[1], shares[2], max(0.0, 1 - sum(shares))


def images(side: int, n: int) -> Dataset:
    """Random images of any side, in one channel as MNIST has."""
    generator = torch.Generator().manual_seed(0)
    train = torch.randint(256, (n, 1, side, side), dtype=torch.uint8, generator=generator)
    return make(f"random-{side}", f"{side} pixels", train, train[:100], "none")


def line(*arguments) -> None:
    """Print a line that a fresh process makes."""
    with allocator(keeps_memory=True), multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(describe, arguments), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=PACKS, default=list(PACKS))
    parser.add_argument("--sides", nargs="*", type=int, default=[8, 28, 32, 64])
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    peak, bandwidth = machine()
    print(f"torch {torch.__version__}, one thread, load before: {os.getloadavg()[0]:.1f}")
    print(
        f"product of 2048 x 2048: {peak / 1e9:.0f} GFLOP/s; copy: {bandwidth / 1e9:.1f} GB/s read and written"
    )
    print(
        f"{'':<14}{'P':>4}{'ms each':>10}{'GFLOP':>9}{'GFLOP/s':>9}{'of peak':>9}{'MB each':>9}   "
        f"{'products':>9} {'Adam':>9} {'others':>9} {'between':>9}"
    )
    for name in options.tasks:
        for n_members in PACKS[name]:
            line(name, data.load(TASKS[name].dataset), TASKS[name], n_members, options.seconds, peak)
    for side in options.sides:
        dataset = images(side, 10_000)
        size = 16 if side == 8 else 1
        task = replace(TASKS["mnist"], dataset=dataset.name)
        line(f"{side} px {architecture_for(dataset.shape)}", dataset, task, size, options.seconds, peak)
    for n in (1_000, 100_000, 1_000_000):
        dataset = images(8, n)
        line(
            f"{n:,} images",
            dataset,
            replace(TASKS["digits"], dataset=dataset.name),
            16,
            options.seconds,
            peak,
        )


if __name__ == "__main__":
    main()
