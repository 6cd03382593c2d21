"""Draws samples of all members of a pack, with batch-norm statistics that do not depend on the batch.

The statistics are measured with the current weights over 512 latents, drawn from the prior with a fixed seed.
(Lucic et al. use running averages with decay 0.999, which do not converge in a short run.)
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
    """Draws samples of G for the parameters of P members.

    labels: [512], for the batch-norm statistics of a conditional G.
    """

    def __init__(
        self, net: nn.Module, z_dim: int, prior: str, labels: Tensor | None, device: torch.device
    ) -> None:
        self.net, self.labels, self.device = net, labels, device
        generator = torch.Generator().manual_seed(0)
        self.z_measured = latents((N_MEASURED, z_dim), prior, generator).to(device)
        self.norms = [module for module in net.modules() if isinstance(module, BatchNorm)]

    @torch.no_grad()
    def samples(self, params: Params, z_S: Tensor, y_S: Tensor | None, size: int) -> Iterator[Tensor]:
        """Yields samples in chunks [P, size, ...] on the device. z_S: latents [S, z_dim]. y_S: labels [S]."""
        buffers = self.measured(params)
        labels = [None] * -(-len(z_S) // size) if y_S is None else y_S.to(self.device).split(size)
        for z, y in zip(z_S.to(self.device).split(size), labels, strict=True):
            draw = partial(self.draw, measuring=False, y=y)
            yield vmap(draw, in_dims=(0, 0, None))(params, buffers, z)

    @torch.no_grad()
    def measured(self, params: Params) -> Params:
        """Returns the batch-norm statistics of the generators, [P, ...] each."""
        n_members = len(next(iter(params.values())))
        named = self.net.named_buffers()
        buffers = {name: value.expand(n_members, *value.shape).clone() for name, value in named}
        if buffers:
            measure = vmap(partial(self.draw, measuring=True, y=self.labels), in_dims=(0, 0, None))
            measure(params, buffers, self.z_measured)
        return buffers

    def member_generator(self, params: Params, i: int) -> Callable[[Tensor], Tensor]:
        """Returns the unconditional generator of member i as a differentiable function of latents."""
        named = (params, self.measured(params))
        own, frozen = ({key: value[i] for key, value in tensors.items()} for tensors in named)
        return lambda z: self.draw(own, frozen, z, measuring=False, y=None)

    def draw(self, params: Params, buffers: Params, z: Tensor, measuring: bool, y: Tensor | None) -> Tensor:
        """Returns samples of one member.

        measuring: batch norm writes its statistics to the buffers; else it reads the buffers.
        """
        for norm in self.norms:
            norm.measuring, norm.training = measuring, measuring
        output: Tensor = functional_call(self.net, (params, buffers), (z, Binding(y=y)))
        for norm in self.norms:
            norm.measuring, norm.training = False, True
        return output
