"""Samples of all members of a pack at once, drawn with batch-norm statistics that do not depend on a batch.

The statistics are those of 512 latents drawn from the prior with a fixed seed, measured for the weights at
hand. (Lucic et al. use running averages with decay 0.999, which a short run never fills.)
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gansweep.networks.layers.batchnorm import BatchNorm
from gansweep.networks.options import Binding
from gansweep.training.randomness import latents

N_MEASURED = 512  # latents over which a generator's batch norm is measured

Params = dict[str, Tensor]  # by name, [P, ...] each


class Sampling:
    """G's samples for P members' parameters. labels: [512], those to measure with if G is conditional."""

    def __init__(
        self, net: nn.Module, z_dim: int, prior: str, labels: Tensor | None, device: torch.device
    ) -> None:
        self.net, self.labels, self.device = net, labels, device
        generator = torch.Generator().manual_seed(0)
        self.z_measured = latents((N_MEASURED, z_dim), prior, generator).to(device)
        self.norms = [module for module in net.modules() if isinstance(module, BatchNorm)]

    @torch.no_grad()
    def samples(self, params: Params, z_S: Tensor, y_S: Tensor | None, size: int) -> Iterator[Tensor]:
        """Samples from shared latents [S, z_dim] and labels [S], in chunks [P, size, ...] on the device."""
        buffers = self.measured(params)
        labels = [None] * -(-len(z_S) // size) if y_S is None else y_S.to(self.device).split(size)
        for z, y in zip(z_S.to(self.device).split(size), labels, strict=True):
            draw = partial(self.draw, measuring=False, y=y)
            yield vmap(draw, in_dims=(0, 0, None))(params, buffers, z)

    @torch.no_grad()
    def measured(self, params: Params) -> Params:
        """The generators' batch-norm statistics, [P, ...] each."""
        n_members = len(next(iter(params.values())))
        named = self.net.named_buffers()
        buffers = {name: value.expand(n_members, *value.shape).clone() for name, value in named}
        if buffers:
            measure = vmap(partial(self.draw, measuring=True, y=self.labels), in_dims=(0, 0, None))
            measure(params, buffers, self.z_measured)
        return buffers

    def of_one(self, params: Params, i: int) -> Callable[[Tensor], Tensor]:
        """Member i's generator, which must be unconditional, as a differentiable function of latents."""
        named = (params, self.measured(params))
        own, frozen = ({key: value[i] for key, value in tensors.items()} for tensors in named)
        return lambda z: self.draw(own, frozen, z, measuring=False, y=None)

    def draw(self, params: Params, buffers: Params, z: Tensor, measuring: bool, y: Tensor | None) -> Tensor:
        """One member's samples, its batch norm being measured (written to the buffers) or frozen."""
        for norm in self.norms:
            norm.measuring, norm.training = measuring, measuring
        output: Tensor = functional_call(self.net, (params, buffers), (z, Binding(y=y)))
        for norm in self.norms:
            norm.measuring, norm.training = False, True
        return output
