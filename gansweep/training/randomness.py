"""The randomness of a member as data: a function of its seed and its round, never of its pack."""

import hashlib

import torch
from torch import Tensor

BLOCK = 16  # rounds drawn at once; a change of it changes every result


def derive(seed: int, *purpose: object) -> int:
    """A seed of 63 bits for a purpose, the same in every process."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Streams:
    """For each of P members: which samples, which latents and which noise each update of a round uses.

    `next(round)` gives `index` [P, U, B], `z` [P, U, B, z_dim] and, if they are needed, `u` for the variant
    and `key` [P, U] for the networks, for the U updates of that round. Each member is drawn from a generator
    of its own, seeded with (seed, block).
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

    def next(self, round_: int) -> dict[str, Tensor]:
        """The draws of one round, on the device."""
        block, offset = divmod(round_, BLOCK)
        if block != self._drawn:
            members = [self._draw(seed, block) for seed in self.seeds]
            self._block = {
                name: torch.stack([m[name] for m in members], 1).to(self.device) for name in members[0]
            }
            self._drawn = block
        return {name: value[offset] for name, value in self._block.items()}

    def select(self, keep: list[int]) -> None:
        """Go on with these members only."""
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
    """Draws from a prior: "uniform" on [-1, 1] or standard "normal"."""
    if prior == "normal":
        return torch.randn(shape, generator=generator)
    return torch.rand(shape, generator=generator) * 2 - 1
