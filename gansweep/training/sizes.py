"""How much to do at once, judged by what the networks keep in memory. None of it changes a result."""

from functools import lru_cache

import torch

from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.memory import n_kept
from gansweep.networks.options import NetworkOptions


def pack_size_for(architecture: str, shape: tuple[int, ...], on_gpu: bool) -> int:
    """How many members to train together: many where a step is dominated by its overhead, few where the
    networks fill the processor or the memory by themselves: judged by the numbers that a round of D and G
    keeps for a batch of 64. It changes no result, only the speed."""
    roles = {"D": "discriminator", "G": "generator"}
    nets = build(roles, architecture, shape, NetworkOptions(), seed=0)
    n_params = sum(p.numel() for net in nets.values() for p in net.parameters())
    z = torch.zeros(2, ARCHITECTURES[architecture].z_dim)
    n_numbers = n_params + 64 * (n_kept(nets["G"], z) + 2 * n_kept(nets["D"], torch.zeros(2, *shape)))
    if n_numbers < 1_000_000:
        return 128 if on_gpu else 16
    return (16 if n_numbers < 400_000_000 else 4) if on_gpu else 2


@lru_cache
@torch.enable_grad()
def samples_at_once(architecture: str, shape: tuple[int, ...]) -> int:
    """How many samples a generator may make at once, so that they need no more than about a gigabyte."""
    net = build({"G": "generator"}, architecture, shape, NetworkOptions(), seed=0)["G"]
    return min(2048, 2**28 // n_kept(net, torch.zeros(2, ARCHITECTURES[architecture].z_dim)))
