"""The parameters of one player for all members of a pack, their optimiser and their moving average.

Shape suffixes: P members, N parameters of the player.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gansweep.networks import build
from gansweep.networks.options import NetworkOptions
from gansweep.training.member import Member
from gansweep.training.optimizers import OPTIMIZERS, Optimizer
from gansweep.training.randomness import derive

Views = dict[str, dict[str, Tensor]]  # network -> parameter -> [P, ...]


def built_networks(
    members: Sequence[Member], shape: tuple[int, ...], options: NetworkOptions, device: torch.device
) -> list[dict[str, nn.Module]]:
    """Returns the networks of each member by name, with weights from its seed. shape: of a sample."""
    return [
        {
            name: net.to(device)
            for name, net in build(
                member.variant.networks, member.architecture, shape, options, derive(member.seed, "init")
            ).items()
        }
        for member in members
    ]


class Player:
    """The parameters of one player for all members. views: the same memory by network and name."""

    def __init__(self, members: list[Member], name: str, nets: list[dict[str, nn.Module]]) -> None:
        self.slots: list[tuple[str, str, torch.Size]] = [
            (own, key, value.shape)
            for own in members[0].variant.players[name]
            for key, value in nets[0][own].named_parameters()
        ]
        rows = [torch.cat([p.detach().flatten() for p in self._ordered(net)]) for net in nets]
        params_PN = torch.stack(rows)
        lrs = [m.d_lr if name == "discriminator" else m.g_lr for m in members]
        self.optimizer: Optimizer = OPTIMIZERS[members[0].optimizer](
            params_PN,
            [shape.numel() for _, _, shape in self.slots],
            lrs,
            [m.beta1 for m in members],
            [m.beta2 for m in members],
            in_rows=params_PN.device.type == "cpu",
        )
        self.views = self._views(self.params_PN)
        self.average: Average | None = None
        if "G" in members[0].variant.players[name] and any(m.g_ema for m in members):
            self.average = Average(self.params_PN, [m.g_ema for m in members])

    @property
    def params_PN(self) -> Tensor:
        """The parameters of all networks of the player, one row for each member."""
        return self.optimizer.params_PN

    def step(self, gradients: list[Tensor]) -> None:
        """Apply one step of the optimiser. gradients: [P, ...] in the order of the slots."""
        self.optimizer.step(gradients)

    def project(self, projection: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
        """Replace the parameters of each network ([P, ...] by name) by their projection."""
        for views in self.views.values():
            for key, value in projection(views).items():
                views[key].copy_(value)

    def averaged(self) -> Views:
        """Returns the parameters to sample with: the moving average, or the parameters if there is none."""
        return self.views if self.average is None else self._views(self.average.params_PN)

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order."""
        self.optimizer.select(keep)
        self.views = self._views(self.params_PN)
        if self.average is not None:
            self.average.select(keep)

    def tensors(self) -> dict[str, Tensor]:
        """Returns every tensor that changes in training, [P, ...] each."""
        average = {} if self.average is None else {"average": self.average.params_PN}
        return {"params": self.params_PN, **self.optimizer.state, **average}

    def _ordered(self, net: dict[str, nn.Module]) -> list[Tensor]:
        return [dict(net[own].named_parameters())[key] for own, key, _ in self.slots]

    def _views(self, flat_PN: Tensor) -> Views:
        """Returns the parameters by network and name; they share memory with the flat tensor."""
        views: Views = {own: {} for own, _, _ in self.slots}
        offset = 0
        for own, key, shape in self.slots:
            part = flat_PN[:, offset : offset + shape.numel()]
            views[own][key] = part.view(-1, *shape)
            offset += shape.numel()
        return views


class Average:
    """The exponential moving average of the parameters of each member, with a decay for each member.

    Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", 2019, arXiv:1806.04498,
    section 3.2. Deviations: none. With a decay of 0 the average equals the parameters.
    """

    def __init__(self, params_PN: Tensor, decays: list[float]) -> None:
        self.params_PN = params_PN.clone()
        self.decay_P1 = torch.tensor(decays, dtype=params_PN.dtype, device=params_PN.device).unsqueeze(1)

    def follow(self, params_PN: Tensor) -> None:
        """Update the average after a step of the player. params_PN: the new parameters."""
        self.params_PN.copy_(self.decay_P1 * self.params_PN + (1 - self.decay_P1) * params_PN)

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order."""
        self.params_PN, self.decay_P1 = self.params_PN[keep], self.decay_P1[keep]
