"""A variant under examination: members that differ in everything that may differ, and their trainings.

The contracts of a variant share trainings through its specimen. The data are 64 random 8x8 images, the
precision is float64, in which two correct computations differ by rounding only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gansweep.contracts.breach import running
from gansweep.contracts.eager import PlainTrainer
from gansweep.data import Dataset
from gansweep.space import Scalar, Uniform
from gansweep.training.checkpoints import MemberState
from gansweep.training.member import Member, make_member, searchable
from gansweep.training.pack import Pack
from gansweep.training.randomness import MemberRandomness
from gansweep.variants import Published
from gansweep.variants.base import float_fields

CPU = torch.device("cpu")
N_CLASSES = 4
N_ROUNDS = 2
HALFWAY = 1  # the round of the checkpoint

Weights = dict[str, Tensor]
Terms = dict[str, dict[str, Tensor]]


class RandomImages(Dataset):
    """A data set whose batches have the default dtype of torch."""

    def batch(self, index: Tensor) -> Tensor:
        return super().batch(index).to(torch.get_default_dtype())


def random_images() -> Dataset:
    """Returns 64 random images of 8x8 pixels in four classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (64, 1, 8, 8), generator=generator).to(torch.uint8)
    labels = torch.arange(64) % N_CLASSES
    return RandomImages(
        name="random",
        label="Random 8×8",
        kind="image",
        train=pixels,
        test=pixels,
        train_labels=labels,
        test_labels=labels,
        sha256="0",
        preprocessing="none",
    )


@contextmanager
def precision(dtype: torch.dtype) -> Iterator[None]:
    """Make `dtype` the default dtype of torch."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class DrawnInDouble(MemberRandomness):
    """The random numbers of a pack in double precision, rounded to that of training."""

    def __init__(self, randomness: MemberRandomness) -> None:
        vars(self).update(vars(randomness))

    def next(self, round_: int) -> dict[str, Tensor]:
        with precision(torch.float64):
            draws = super().next(round_)
        dtype = torch.get_default_dtype()
        return {
            name: value.to(dtype) if value.is_floating_point() else value for name, value in draws.items()
        }


@dataclass(frozen=True)
class Trained:
    """Members trained by one pack; weights are listed by member."""

    pack: Pack
    start: list[Weights]
    halfway: list[MemberState]
    end: list[Weights]
    terms: Terms  # of the last round


class Specimen:
    """A variant with its name, its members and their trainings."""

    def __init__(self, name: str, published: Published) -> None:
        self.name, self.published = name, published
        self.images = random_images()

    @property
    def own_floats(self) -> list[str]:
        """The float fields of the objective that a configuration may set."""
        return [name for name in float_fields(self.published.variant) if name in searchable(self.published)]

    @cached_property
    def reference(self) -> Trained:
        """Three different members with batch norm, trained with Adam."""
        return self.train(self.members(3))

    @cached_property
    def samples(self) -> Tensor:
        """Samples of the reference, [3, 16, 1, 8, 8]."""
        return samples(self.reference)

    def members(self, n: int, d_norm: str = "batch", optimizer: str = "adam", **common: Any) -> list[Member]:
        """Returns members that differ in everything that may differ inside a pack."""
        return [
            make_member(
                self.published,
                self._hyperparameters(i) | {"d_norm": d_norm},
                trial_id=str(i),
                seed=i,
                dataset="random",
                architecture="conv8",
                batch_size=8,
                optimizer=optimizer,
                **common,
            )
            for i in range(n)
        ]

    def train(self, members: list[Member], rounds: int = N_ROUNDS) -> Trained:
        """Members trained in one pack.

        Raises:
            ContractBroken: the variant's code cannot run in a pack.
        """
        with precision(torch.float64), running(self.published.variant, "in a pack"):
            pack = Pack(members, self.images, CPU)
            start, halfway, terms = weights(pack), [], {}
            for _ in range(rounds):
                terms = pack.round()
                if pack.rounds == HALFWAY:
                    halfway = [pack.state(i) for i in range(len(members))]
            return Trained(pack, start, halfway, weights(pack), terms)

    def train_plainly(self, member: Member, rounds: int = N_ROUNDS) -> tuple[PlainTrainer, Terms]:
        """A member trained by plain PyTorch, and the terms of its last round.

        Raises:
            ContractBroken: the variant's code fails.
        """
        with precision(torch.float64), running(self.published.variant, "in plain PyTorch"):
            eager = PlainTrainer(member, self.images, torch.float64)
            terms: Terms = {}
            for _ in range(rounds):
                terms = eager.round()
            return eager, terms

    def _hyperparameters(self, i: int) -> dict[str, Scalar]:
        hp: dict[str, Any] = {
            "g_lr": 1e-3 * (i + 1),
            "d_lr": 2e-3 * (i + 1),
            "beta1": 0.1 * (i + 1),
            "beta2": 0.99 + 0.001 * i,
        }
        if "n_critic" in searchable(self.published):
            hp["n_critic"] = 2
        for name in self.own_floats:
            space = self.published.wide.get(name)
            low, high = (space.low, space.high) if isinstance(space, Uniform) else (0.2, 0.8)
            hp[name] = low + (high - low) * (i + 3) / 6
        return hp


def weights(pack: Pack) -> list[Weights]:
    """Returns copies of the parameters of every member of a pack by name."""
    return [
        {
            f"{net}.{key}": value[i].clone()
            for player in pack.players.values()
            for net, views in player.views.items()
            for key, value in views.items()
        }
        for i in pack.lanes
    ]


def samples(trained: Trained, part: slice = slice(None), label: int | None = None) -> Tensor:
    """Returns samples [P, S, 1, 8, 8] of all members for some of 16 latents; conditional ones of a class."""
    pack = trained.pack
    with precision(torch.float64):
        z = torch.linspace(-1, 1, 16 * pack.z_dim).view(pack.z_dim, 16).T[part]
        labels = torch.full((len(z),), label or 0) if pack.members[0].is_conditional else None
        return torch.cat(list(pack.samples(z, labels)), 1)


def with_float(member: Member, name: str, factor: float) -> Member:
    """Returns the member with one float field, its own or its variant's, multiplied."""
    if hasattr(member, name):
        return replace(member, **{name: getattr(member, name) * factor})
    value = getattr(member.variant, name) * factor
    return replace(member, variant=replace(member.variant, **{name: value}))
