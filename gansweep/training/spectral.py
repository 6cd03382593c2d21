"""Spectral norm in a pack: the singular vectors of all members and their power iterations.

Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957,
algorithm 1: one iteration before each update.
"""

import torch
from torch import nn
from torch.func import vmap

from gansweep.networks.layers.weighted import MatrixLayer, power_iteration
from gansweep.training.player import Views


class SingularVectors:
    """The estimates u and v of the first singular vectors of each spectrally normalised layer.

    buffers: network -> name of the buffer -> [P, ...].
    """

    def __init__(self, nets: list[dict[str, nn.Module]]) -> None:
        self.buffers: Views = {}
        for name, net in nets[0].items():
            members = [dict(member[name].named_buffers()) for member in nets]
            self.buffers[name] = {
                key: torch.stack([buffers[key] for buffers in members]) for key in _buffer_names(net)
            }

    def iterate(self, views: Views) -> None:
        """Run one power iteration for every layer, in place. views: the parameters of all networks."""
        for net, buffers in self.buffers.items():
            for key in [key for key in buffers if key.endswith(".u")]:
                layer = key.removesuffix(".u")
                u, v = vmap(power_iteration)(views[net][f"{layer}.weight"], buffers[key])
                buffers[key].copy_(u)
                buffers[f"{layer}.v"].copy_(v)

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order."""
        self.buffers = {
            net: {key: value[keep] for key, value in buffers.items()} for net, buffers in self.buffers.items()
        }


def _buffer_names(net: nn.Module) -> list[str]:
    """Returns the names of the singular vectors of a network's spectrally normalised layers."""
    layers = [
        name for name, module in net.named_modules() if isinstance(module, MatrixLayer) and module.spectral
    ]
    return [f"{layer}.{vector}" for layer in layers for vector in ("u", "v")]
