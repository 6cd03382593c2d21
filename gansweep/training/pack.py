"""A pack: P members trained by one vectorised step. The only module that knows of the member axis P.

Shape suffixes: P members, B samples, N parameters of a player, U updates in a round.

The parameters of each player are one [P, N] tensor; the networks see views of it. A loss is written for one
member and mapped over P; its gradients are taken outside the map, where autograd is cheapest. Nothing is ever
reduced over P, so a member that turns NaN leaves the others as they were.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.layers import BatchNorm
from gansweep.training.member import Member
from gansweep.training.optimizers import OPTIMIZERS, Optimizer
from gansweep.training.streams import Streams, derive, latents
from gansweep.variants.base import Variant, float_fields
from gansweep.variants.minimax import NonSaturating

Views = dict[str, dict[str, Tensor]]  # network -> parameter -> [P, ...]


def pack_size_for(architecture: str, shape: tuple[int, ...], on_gpu: bool) -> int:
    """How many members to train together: many where a step is dominated by its overhead, few where the
    networks fill the processor by themselves. It changes no result, only the speed."""
    nets = build(NonSaturating(), architecture, shape, batchnorm=False, seed=0)
    n_params = sum(p.numel() for net in nets.values() for p in net.parameters())
    if n_params < 1_000_000:
        return 128 if on_gpu else 16
    return 16 if on_gpu else 2


class Player:
    """The parameters of one player for all members, and its optimiser."""

    def __init__(self, members: list[Member], name: str, nets: list[dict[str, nn.Module]]) -> None:
        self.slots: list[tuple[str, str, torch.Size]] = [
            (own, key, value.shape)
            for own in members[0].variant.players[name]
            for key, value in nets[0][own].named_parameters()
        ]
        rows = [torch.cat([p.detach().flatten() for p in self._ordered(net)]) for net in nets]
        self.params_PN = torch.stack(rows)
        self.gradients_PN = torch.zeros_like(self.params_PN)
        lrs = [m.d_lr if name == "discriminator" else m.g_lr for m in members]
        self.optimizer: Optimizer = OPTIMIZERS[members[0].optimizer](
            self.params_PN, lrs, [m.beta1 for m in members], [m.beta2 for m in members]
        )
        self.views = self._views(self.params_PN)

    def step(self, gradients: list[Tensor]) -> None:
        """One step of the optimiser; gradients: [P, ...] in the order of the slots."""
        offset = 0
        for gradient in gradients:
            rows = gradient.flatten(1)
            self.gradients_PN[:, offset : offset + rows.shape[1]] = rows
            offset += rows.shape[1]
        self.optimizer.step(self.params_PN, self.gradients_PN)

    def select(self, keep: list[int]) -> None:
        """Go on with these members only."""
        self.params_PN = self.params_PN[keep]
        self.gradients_PN = torch.zeros_like(self.params_PN)
        self.optimizer.select(keep)
        self.views = self._views(self.params_PN)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes while training, [P, ...] each."""
        return {"params": self.params_PN, **self.optimizer.state}

    def _ordered(self, net: dict[str, nn.Module]) -> list[Tensor]:
        return [dict(net[own].named_parameters())[key] for own, key, _ in self.slots]

    def _views(self, flat_PN: Tensor) -> Views:
        """The parameters as the networks want them; they share memory with the flat tensor."""
        views: Views = {own: {} for own, _, _ in self.slots}
        offset = 0
        for own, key, shape in self.slots:
            part = flat_PN[:, offset : offset + shape.numel()]
            views[own][key] = part.view(-1, *shape)
            offset += shape.numel()
        return views


class Pack:
    """Members of one `pack_key` on one data set, all at the same round."""

    def __init__(self, members: list[Member], dataset: Dataset, device: torch.device) -> None:
        self.members, self.dataset, self.device = list(members), dataset, device
        first = members[0]
        self.variant = first.variant
        nets = [
            build(m.variant, m.architecture, dataset.shape, m.d_batchnorm, derive(m.seed, "init"))
            for m in members
        ]
        nets = [{name: net.to(device) for name, net in member.items()} for member in nets]
        self.nets = {name: net.requires_grad_(False) for name, net in nets[0].items()}
        self.players = {name: Player(self.members, name, nets) for name in self.variant.players}
        self.scalars = {
            name: torch.tensor([float(getattr(m.variant, name)) for m in members], device=device)
            for name in float_fields(self.variant)
        }
        self.diverged = torch.zeros(len(members), dtype=torch.bool, device=device)
        self.rounds = 0
        self.moves = {p: first.n_steps if p == "discriminator" else 1 for p in self.variant.players}
        noise = {"none": None, "sample": (), "data": dataset.shape}[self.variant.noise]
        self.streams = Streams(
            [m.seed for m in members],
            n_updates=sum(self.moves.values()),
            batch_size=first.batch_size,
            n_samples=len(dataset.train),
            z_dim=ARCHITECTURES[first.architecture].z_dim,
            prior=self.variant.prior,
            noise=noise,
            device=device,
        )

    def __len__(self) -> int:
        return len(self.members)

    def round(self) -> dict[str, dict[str, Tensor]]:
        """One pass of all players; the terms of each player's last update, [P] each."""
        draws = self.streams.next(self.rounds)
        terms: dict[str, dict[str, Tensor]] = {}
        update = 0
        for player, moves in self.moves.items():
            for _ in range(moves):
                batch = {name: value[:, update] for name, value in draws.items()}
                batch["x"] = self.dataset.batch(batch.pop("index"))
                terms[player] = self._move(player, batch)
                update += 1
        if type(self.variant).update is not Variant.update:
            self.scalars = vmap(self._updated)(self.scalars, terms)
        self.rounds += 1
        return terms

    @torch.no_grad()
    def samples(self, z_SZ: Tensor) -> Iterator[Tensor]:
        """Samples of every member from shared latents [S, z_dim], in chunks [P, S', ...] on the device.

        Batch norm uses statistics that do not depend on the chunk: those of 512 latents drawn from the prior
        with a fixed seed, measured for the weights at hand. (Lucic et al. use running averages with decay
        0.999, which a short run never fills.)
        """
        params, buffers = self._generators(), self._measured()
        draw = vmap(self._bound_generator(measuring=False), in_dims=(0, 0, None))
        for z in z_SZ.to(self.device).split(max(1, 2048 // len(self))):
            yield draw(params, buffers, z)

    def select(self, keep: list[int]) -> None:
        """Go on with these members only, in this order; their trajectories are unchanged."""
        self.members = [self.members[i] for i in keep]
        for player in self.players.values():
            player.select(keep)
        self.scalars = {name: value[keep] for name, value in self.scalars.items()}
        self.diverged = self.diverged[keep]
        self.streams.select(keep)

    def state(self, i: int) -> dict[str, Any]:
        """What member i needs to go on in any pack: a dictionary of tensors and numbers."""
        return {
            "rounds": self.rounds,
            "scalars": {name: value[i].cpu() for name, value in self.scalars.items()},
            "players": {
                name: {key: value[i].cpu().clone() for key, value in player.tensors().items()}
                for name, player in self.players.items()
            },
        }

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Go on from these states, one for each member, all of the same round."""
        self.rounds = states[0]["rounds"]
        for name, value in self.scalars.items():
            value.copy_(torch.stack([state["scalars"][name] for state in states]))
        for name, player in self.players.items():
            for key, value in player.tensors().items():
                value.copy_(torch.stack([state["players"][name][key] for state in states]))

    def generator(self, i: int) -> dict[str, Tensor]:
        """The parameters and batch-norm statistics of member i's generator, by name."""
        named = {**self._generators(), **self._measured()}
        return {name: value[i].cpu().clone() for name, value in named.items()}

    def _move(self, player: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of one player; its terms, [P] each."""
        mover = self.players[player]
        own = {n: {k: v.detach().requires_grad_() for k, v in vs.items()} for n, vs in mover.views.items()}
        others = {
            name: params
            for other in self.players.values()
            if other is not mover
            for name, params in other.views.items()
        }
        terms = vmap(self._terms(player))(own, others, self.scalars, batch)
        loss_P = sum(terms.values(), torch.zeros((), device=self.device))
        leaves = [own[name][key] for name, key, _ in mover.slots]
        mover.step(list(torch.autograd.grad(loss_P.sum(), leaves)))
        self.diverged |= ~loss_P.detach().isfinite()
        if type(self.variant).project is not Variant.project:
            self._project(player, mover)
        return {name: term.detach() for name, term in terms.items()}

    def _terms(self, player: str) -> Callable[..., dict[str, Tensor]]:
        """The loss terms of one member as a function of tensors: no P in sight."""

        def terms(own: Views, others: Views, scalars: dict[str, Any], batch: dict[str, Tensor]) -> Any:
            variant = replace(self.variant, **scalars)
            nets = {name: self._bound(name, params) for name, params in {**own, **others}.items()}
            loss = getattr(variant, f"{player}_loss")
            return loss(SimpleNamespace(**nets), SimpleNamespace(**batch))

        return terms

    def _bound(self, name: str, params: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: functional_call(self.nets[name], params, (x,))

    def _project(self, player: str, mover: Player) -> None:
        def project(scalars: dict[str, Any], params: dict[str, Tensor]) -> dict[str, Tensor]:
            return replace(self.variant, **scalars).project(player, params)

        for views in mover.views.values():
            for key, value in vmap(project)(self.scalars, views).items():
                views[key].copy_(value)

    def _updated(self, scalars: dict[str, Any], terms: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        variant = replace(self.variant, **scalars).update(terms)
        return {name: torch.as_tensor(getattr(variant, name)) for name in scalars}

    def _generators(self) -> dict[str, Tensor]:
        return next(player.views["G"] for player in self.players.values() if "G" in player.views)

    @torch.no_grad()
    def _measured(self) -> dict[str, Tensor]:
        """The generators' batch-norm statistics over 512 latents, [P, ...] each."""
        named = self.nets["G"].named_buffers()
        buffers = {name: value.expand(len(self), *value.shape).clone() for name, value in named}
        if buffers:
            z_dim = ARCHITECTURES[self.members[0].architecture].z_dim
            z = latents((512, z_dim), self.variant.prior, torch.Generator().manual_seed(0))
            measure = vmap(self._bound_generator(measuring=True), in_dims=(0, 0, None))
            measure(self._generators(), buffers, z.to(self.device))
        return buffers

    def _bound_generator(self, measuring: bool) -> Callable[..., Tensor]:
        """One member's generator with its statistics: being measured (written to the buffers) or frozen."""

        def call(params: dict[str, Tensor], buffers: dict[str, Tensor], z: Tensor) -> Tensor:
            norms = [module for module in self.nets["G"].modules() if isinstance(module, BatchNorm)]
            for norm in norms:
                norm.measuring, norm.training = measuring, measuring
            output: Tensor = functional_call(self.nets["G"], (params, buffers), (z,))
            for norm in norms:
                norm.measuring, norm.training = False, True
            return output

        return call
