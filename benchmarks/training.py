"""How much a pack saves: member-rounds per second on all cores, packed and plain, measured in turns.

Ratios are of CPU time, plain to packed, each pair from one turn.

A member-round is one update of D and one of G, batch 64. The baseline is what a careful user writes: the same
networks from torch.nn, fused Adam, data in memory, one process of one thread for each core. The packs run in
the same way: one for each core. Evaluation is left out.

    python benchmarks/training.py [--tasks mlp digits mnist wgan_gp dragan] [--packs 1 4 16] [--compile]
        [--passes] [--memory] [--precision medium] [--turns 5] [--processes 2]

--passes: the largest pack also without passes of `gansweep/training/speed` (none; trace alone), and that pack
and plain PyTorch with the allocator as glibc sets it.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from gansweep import data
from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, architecture_for
from gansweep.training.member import make_member
from gansweep.training.pack import Pack
from gansweep.variants import VARIANTS

BATCH = 64
SECONDS = 0.7  # of one measurement


@dataclass(frozen=True)
class Task:
    """What is trained: a data set (mnist needs its files: see GANSWEEP_DATA), a variant and D's norm."""

    dataset: str
    variant: str
    d_norm: str
    packs: tuple[int, ...] = (1, 4, 16)


TASKS = {
    "mlp": Task("ring", "ns", "none"),
    "digits": Task("digits", "ns", "batch"),
    "wgan_gp": Task("digits", "wgan_gp", "none"),
    "dragan": Task("digits", "dragan", "batch"),
    "mnist": Task("mnist", "ns", "batch", packs=(1, 2)),
}


class Plain:
    """One member as in a tutorial: modules, two optimisers, backward."""

    def __init__(self, dataset: Dataset, task: Task) -> None:
        size = ARCHITECTURES[architecture_for(dataset.shape)]
        self.dataset, self.z_dim, self.task = dataset, size.z_dim, task
        make = plain_mlps if size.sides is None else plain_convolutional
        self.G, self.D = make(dataset.shape, size.z_dim, size.features, task.d_norm == "batch")
        self.optimizers = [
            torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.5, 0.999), fused=True)
            for net in (self.D, self.G)
        ]
        self.ones, self.zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def round(self) -> None:
        x = self.dataset.batch(torch.randint(len(self.dataset.train), (BATCH,)))
        fake = self.G(self.latents()).detach()
        real_scores, fake_scores = self.D(x), self.D(fake)
        if self.task.variant == "wgan_gp":
            loss = fake_scores.mean() - real_scores.mean()
        else:
            loss = cross_entropy(real_scores, self.ones) + cross_entropy(fake_scores, self.zeros)
        if self.task.variant != "ns":
            loss = loss + 10 * self.penalty(x, fake)
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        scores = self.D(self.G(self.latents()))
        loss = -scores.mean() if self.task.variant == "wgan_gp" else cross_entropy(scores, self.ones)
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        if self.task.variant == "wgan_gp":
            u = torch.rand(BATCH, 1, 1, 1)
            between = u * x + (1 - u) * fake
        else:
            between = x + 0.5 * x.std() * torch.rand_like(x)
        between.requires_grad_()
        (slope,) = torch.autograd.grad(self.D(between).sum(), between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def latents(self) -> Tensor:
        return torch.rand(BATCH, self.z_dim) * 2 - 1


def plain_mlps(
    shape: tuple[int, ...], z_dim: int, features: tuple[int, ...], _: bool
) -> tuple[nn.Module, nn.Module]:
    def mlp(i: int, o: int, activation: nn.Module) -> nn.Module:
        h = features[0]
        return nn.Sequential(nn.Linear(i, h), activation, nn.Linear(h, h), activation, nn.Linear(h, o))

    return mlp(z_dim, shape[0], nn.ReLU()), mlp(shape[0], 1, nn.LeakyReLU(0.2))


def plain_convolutional(
    shape: tuple[int, ...], z_dim: int, features: tuple[int, ...], has_norm: bool
) -> tuple[nn.Module, nn.Module]:
    (channels, side, _), (c1, c2, hidden) = shape, features
    n, act = side // 4, nn.LeakyReLU(0.2)
    generator = nn.Sequential(
        *(nn.Linear(z_dim, hidden), nn.BatchNorm1d(hidden), act),
        *(nn.Linear(hidden, c2 * n * n), nn.BatchNorm1d(c2 * n * n), act, nn.Unflatten(1, (c2, n, n))),
        *(nn.ConvTranspose2d(c2, c1, 4, 2, 1), nn.BatchNorm2d(c1), act),
        *(nn.ConvTranspose2d(c1, channels, 4, 2, 1), nn.Sigmoid()),
    )
    norms = [nn.BatchNorm2d(c2), nn.BatchNorm1d(hidden)] if has_norm else [nn.Identity(), nn.Identity()]
    discriminator = nn.Sequential(
        *(nn.Conv2d(channels, c1, 4, 2, 1), act, nn.Conv2d(c1, c2, 4, 2, 1), norms[0], act),
        *(nn.Flatten(), nn.Linear(c2 * n * n, hidden), norms[1], act, nn.Linear(hidden, 1)),
    )
    return generator, discriminator


def packed(dataset: Dataset, task: Task, n_members: int, **options: Any) -> Pack:
    members = [
        make_member(
            VARIANTS[task.variant],
            {"lr": 1e-4, "beta1": 0.5, "d_norm": task.d_norm, "n_critic": 1},
            trial_id=str(i),
            dataset=dataset.name,
            architecture=architecture_for(dataset.shape),
            seed=i,
            batch_size=BATCH,
            **options,
        )
        for i in range(n_members)
    ]
    pack = Pack(members, dataset, torch.device("cpu"))
    pack.trace()
    return pack


@dataclass(frozen=True)
class Configuration:
    """A way to train: plain (0 members), or a pack of so many members."""

    task: str
    n_members: int
    compile: bool = False
    precision: str = "highest"
    passes: str = "reuse"  # "none", "trace", or "reuse": trace and reuse of buffers, as studies train
    keeps_memory: bool = True  # whether freed memory is kept, as workers do: plain PyTorch gains by it, too

    def __str__(self) -> str:
        words = [f"pack of {self.n_members}" if self.n_members else "plain"]
        words += [{"none": "no pass", "trace": "trace alone"}.get(self.passes, "")] * (self.passes != "reuse")
        words += ["allocator as is"] * (not self.keeps_memory)
        words += ["compiled"] * self.compile + [self.precision] * (self.precision != "highest")
        return ", ".join(words)


@contextmanager
def with_passes(passes: str) -> Iterator[None]:
    """Build packs with these passes only."""
    if passes == "none":
        with mock.patch("gansweep.training.losses.traced", lambda function, *_: function):
            yield
    elif passes == "trace":
        with mock.patch("gansweep.training.speed.replay.overwrite"):
            yield
    else:
        yield


@contextmanager
def allocator(keeps_memory: bool) -> Iterator[None]:
    """Set what processes started here do with freed memory."""
    from gansweep.run.ray.connect import KEEP_FREED_MEMORY  # not needed in the processes that measure

    with mock.patch.dict(os.environ, KEEP_FREED_MEMORY if keeps_memory else {}):
        yield


def work(connection: Connection) -> None:
    """Measure what is requested: member-rounds per second and CPU milliseconds of one."""
    torch.set_num_threads(1)
    made: dict[Configuration, Any] = {}
    while (asked := connection.recv()) is not None:
        if asked not in made:
            made[asked] = trainer(asked)
        torch.set_float32_matmul_precision(asked.precision)
        n, wall, cpu = 0, time.perf_counter(), time.process_time()
        while n == 0 or time.perf_counter() - wall < SECONDS:
            made[asked].round()
            n += max(1, asked.n_members)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        connection.send((n / wall, 1e3 * cpu / n))


def peak_memory(asked: Configuration) -> float:
    """By how many MB a process grows that trains this and nothing else."""
    torch.set_num_threads(1)
    before = peak_kilobytes()
    trainer(asked)
    return (peak_kilobytes() - before) / 1024


def peak_kilobytes() -> int:
    """Returns the peak resident memory of this process (Linux); ru_maxrss counts that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def trainer(asked: Configuration) -> Plain | Pack:
    """Returns what trains as requested, warm."""
    task = TASKS[asked.task]
    dataset = data.load(task.dataset)
    options: dict[str, Any] = {"compile": asked.compile, "precision": asked.precision}
    with with_passes(asked.passes):
        trains = (
            packed(dataset, task, asked.n_members, **options) if asked.n_members else Plain(dataset, task)
        )
        for _ in range(3):
            trains.round()
    return trains


def start_workers(keeps_memory: bool, n: int) -> list[Connection]:
    """Returns the pipes to n processes that measure."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(n)]
    with allocator(keeps_memory):
        for _, there in pipes:
            context.Process(target=work, args=(there,), daemon=True).start()
    return [here for here, _ in pipes]


def measure(
    task: str, configurations: list[Configuration], turns: int, processes: int, has_peak: bool
) -> None:
    """Print how fast they are, each beside the plain one of the same turn."""
    pipes = {keeps: start_workers(keeps, processes) for keeps in {c.keeps_memory for c in configurations}}
    rates: dict[Configuration, list[float]] = {each: [] for each in configurations}
    cpu: dict[Configuration, list[float]] = {each: [] for each in configurations}
    for turn in range(turns + 1):  # the first makes everything and does not count
        for each in configurations:
            for pipe in pipes[each.keeps_memory]:
                pipe.send(each)
            answers = [pipe.recv() for pipe in pipes[each.keeps_memory]]
            if turn:
                rates[each].append(sum(rate for rate, _ in answers))
                cpu[each].append(statistics.mean(milliseconds for _, milliseconds in answers))
    for pipe in (pipe for group in pipes.values() for pipe in group):
        pipe.send(None)
    plain = configurations[0]
    for each in configurations:
        ratios = [b / a for a, b in zip(cpu[each], cpu[plain], strict=True)]
        spread = f"{min(ratios):.2f}..{max(ratios):.2f}"
        rate, milliseconds = statistics.median(rates[each]), statistics.median(cpu[each])
        peak = ""
        if has_peak:
            with allocator(each.keeps_memory), multiprocessing.get_context("spawn").Pool(1) as alone:
                peak = f"{alone.apply(peak_memory, (each,)):>10.0f}"
        print(
            f"{task:<9}{each!s:<30}{rate:>10.1f}{milliseconds:>12.2f}"
            f"{statistics.median(ratios):>8.2f}{spread:>15}{peak}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["mlp", "digits", "wgan_gp", "dragan"])
    parser.add_argument("--packs", nargs="+", type=int, help="default: 1 4 16; for mnist 1 2")
    parser.add_argument("--compile", action="store_true", help="the largest pack also compiled")
    parser.add_argument("--passes", action="store_true", help="the largest pack also without some passes")
    parser.add_argument("--precision", choices=("high", "medium"), help="all also with this precision")
    parser.add_argument("--memory", action="store_true", help="also the peak memory of a process for each")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: one for each core")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"torch {torch.__version__}, {options.processes} processes of one thread, load before: {load:.1f}")
    print(
        f"{'task':<9}{'':<30}{'rounds/s':>10}{'CPU ms each':>12}{'ratio':>8}{'range':>15}"
        f"{'peak, MB' if options.memory else '':>10}   (medians of {options.turns} turns)"
    )
    for task in options.tasks:
        sizes = options.packs or TASKS[task].packs
        configurations = [Configuration(task, n) for n in (0, *sizes)]
        if options.compile:
            configurations.append(Configuration(task, max(sizes), compile=True))
        if options.passes:
            pack = Configuration(task, max(sizes))
            configurations += [replace(pack, passes=passes) for passes in ("none", "trace")]
            configurations += [replace(each, keeps_memory=False) for each in (configurations[0], pack)]
        if options.precision:
            configurations += [
                Configuration(task, each.n_members, each.compile, options.precision)
                for each in configurations
            ]
        measure(task, configurations, options.turns, options.processes, options.memory)


if __name__ == "__main__":
    main()
