"""How much a pack saves: member-rounds per CPU second, packed and plain, measured in turns in one process.

A member-round is one update of D and one of G (NS GAN, batch 64, batch norm in D on images). The baseline is
what a careful user writes: the same networks from torch.nn, fused Adam, data in memory, one thread.

    python benchmarks/training.py [--tasks mlp digits mnist] [--packs 1 4 16] [--turns 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable

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
TASKS = {"mlp": "ring", "digits": "digits", "mnist": "mnist"}  # mnist needs the data: see GANSWEEP_DATA


class Plain:
    """One member as in a tutorial: modules, two optimisers, backward."""

    def __init__(self, dataset: Dataset) -> None:
        size = ARCHITECTURES[architecture_for(dataset.shape)]
        self.dataset, self.z_dim = dataset, size.z_dim
        make = plain_mlps if size.sides is None else plain_convolutional
        self.G, self.D = make(dataset.shape, size.z_dim, size.features)
        self.optimizers = [
            torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.5, 0.999), fused=True)
            for net in (self.D, self.G)
        ]
        self.ones, self.zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def round(self) -> None:
        x = self.dataset.batch(torch.randint(len(self.dataset.train), (BATCH,)))
        fake = self.G(self.latents()).detach()
        loss = cross_entropy(self.D(x), self.ones) + cross_entropy(self.D(fake), self.zeros)
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        loss = cross_entropy(self.D(self.G(self.latents())), self.ones)
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()

    def latents(self) -> Tensor:
        return torch.rand(BATCH, self.z_dim) * 2 - 1


def plain_mlps(shape: tuple[int, ...], z_dim: int, features: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    def mlp(i: int, o: int, activation: nn.Module) -> nn.Module:
        h = features[0]
        return nn.Sequential(nn.Linear(i, h), activation, nn.Linear(h, h), activation, nn.Linear(h, o))

    return mlp(z_dim, shape[0], nn.ReLU()), mlp(shape[0], 1, nn.LeakyReLU(0.2))


def plain_convolutional(
    shape: tuple[int, ...], z_dim: int, features: tuple[int, ...]
) -> tuple[nn.Module, nn.Module]:
    (channels, side, _), (c1, c2, hidden) = shape, features
    n, act = side // 4, nn.LeakyReLU(0.2)
    generator = nn.Sequential(
        *(nn.Linear(z_dim, hidden), nn.BatchNorm1d(hidden), act),
        *(nn.Linear(hidden, c2 * n * n), nn.BatchNorm1d(c2 * n * n), act, nn.Unflatten(1, (c2, n, n))),
        *(nn.ConvTranspose2d(c2, c1, 4, 2, 1), nn.BatchNorm2d(c1), act),
        *(nn.ConvTranspose2d(c1, channels, 4, 2, 1), nn.Sigmoid()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(channels, c1, 4, 2, 1), act, nn.Conv2d(c1, c2, 4, 2, 1), nn.BatchNorm2d(c2), act),
        *(nn.Flatten(), nn.Linear(c2 * n * n, hidden), nn.BatchNorm1d(hidden), act, nn.Linear(hidden, 1)),
    )
    return generator, discriminator


def packed(dataset: Dataset, n_members: int) -> Pack:
    published = VARIANTS["ns"]
    norm = "batch" if len(dataset.shape) == 3 else "none"
    members = [
        make_member(
            published,
            {"lr": 1e-4, "beta1": 0.5, "d_norm": norm},
            trial_id=str(i),
            dataset=dataset.name,
            architecture=architecture_for(dataset.shape),
            seed=i,
            batch_size=BATCH,
        )
        for i in range(n_members)
    ]
    return Pack(members, dataset, torch.device("cpu"))


def cpu_seconds(round_: Callable[[], object], at_least: float = 0.5) -> float:
    """CPU seconds of one call, from as many as take `at_least` seconds."""
    n, started = 0, time.process_time()
    while n == 0 or time.process_time() - started < at_least:
        round_()
        n += 1
    return (time.process_time() - started) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["mlp", "digits"])
    parser.add_argument("--packs", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, medians of {options.turns} turns, CPU milliseconds")
    print(f"{'task':<8}{'pack':>6}{'plain':>10}{'packed, a member':>18}{'ratio':>8}{'range':>16}")
    for task in options.tasks:
        dataset = data.load(TASKS[task])
        plain, packs = Plain(dataset), {n: packed(dataset, n) for n in options.packs}
        times: dict[int, list[tuple[float, float]]] = {n: [] for n in packs}
        for _ in range(options.turns):
            for n, pack in packs.items():
                times[n].append((cpu_seconds(plain.round), cpu_seconds(pack.round) / n))
        for n, pairs in times.items():
            ratios = [a / b for a, b in pairs]
            a, b = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
            spread = f"{min(ratios):.2f}..{max(ratios):.2f}"
            print(f"{task:<8}{n:>6}{a:>10.2f}{b:>18.2f}{statistics.median(ratios):>8.2f}{spread:>16}")


if __name__ == "__main__":
    main()
