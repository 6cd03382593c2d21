"""The random numbers of a member: a function of its seed and its round, independent of its pack."""

import hashlib
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.networks.options import NetworkOptions
from gansweep.training.binding import is_random
from gansweep.training.member import Member

BLOCK = 16  # rounds drawn at once; another value changes every result


def derive(seed: int, *purpose: object) -> int:
    """Returns a seed of 63 bits for a purpose, equal in every process."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class MemberRandomness:
    """Draws the indices of samples, the latents and the noise of each update, for each of P members.

    Each member has its own generator, seeded with (seed, block). U: updates of a round. B: batch size. noise:
    the shape of the noise of a sample that the variant uses; None: the variant uses none. keys: whether the
    networks need keys.
    """

    def __init__(
        self,
        seeds: list[int],
        n_updates: int,
        batch_size: int,
        n_samples: int,
        z_dim: int,
        prior: str,
        noise: tuple[int, ...] | None,
        keys: bool,
        device: torch.device,
    ) -> None:
        self.seeds, self.device = seeds, device
        self.lead = (BLOCK, n_updates, batch_size)
        self.n_samples, self.z_dim, self.prior, self.noise = n_samples, z_dim, prior, noise
        self.keys = keys
        self._block: dict[str, Tensor] = {}
        self._drawn = -1

    @classmethod
    def of(
        cls,
        members: Sequence[Member],
        dataset: Dataset,
        latents: tuple[int, str],
        n_updates: int,
        options: NetworkOptions,
        device: torch.device,
    ) -> Self:
        """What the members of a pack need. latents: their size and their prior."""
        noise: dict[str, tuple[int, ...] | None] = {"none": None, "sample": (), "data": dataset.shape}
        return cls(
            [member.seed for member in members],
            n_updates=n_updates,
            batch_size=members[0].batch_size,
            n_samples=len(dataset.train),
            z_dim=latents[0],
            prior=latents[1],
            noise=noise[members[0].variant.noise],
            keys=is_random(options),
            device=device,
        )

    def next(self, round_: int) -> dict[str, Tensor]:
        """Returns the draws of one round on the device.

        `index` [P, U, B], `z` [P, U, B, z_dim] and, if they are needed, `u` [P, U, B, ...] for the variant
        and `key` [P, U] for the networks.
        """
        block, offset = divmod(round_, BLOCK)
        if block != self._drawn:
            members = [self._draw(seed, block) for seed in self.seeds]
            self._block = {
                name: torch.stack([m[name] for m in members], 1).to(self.device) for name in members[0]
            }
            self._drawn = block
        return {name: value[offset] for name, value in self._block.items()}

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order."""
        self.seeds = [self.seeds[i] for i in keep]
        self._drawn = -1

    def _draw(self, seed: int, block: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(derive(seed, "stream", block))
        draws = {
            "index": torch.randint(self.n_samples, self.lead, generator=generator),
            "z": latents((*self.lead, self.z_dim), self.prior, generator),
        }
        if self.noise is not None:
            draws["u"] = torch.rand((*self.lead, *self.noise), generator=generator)
        if self.keys:
            draws["key"] = torch.randint(2**62, self.lead[:2], generator=generator)
        return draws


def latents(shape: tuple[int, ...], prior: str, generator: torch.Generator) -> Tensor:
    """Returns draws from a prior: "uniform" on [-1, 1], or standard "normal"."""
    if prior == "normal":
        return torch.randn(shape, generator=generator)
    return torch.rand(shape, generator=generator) * 2 - 1
