"""A pack: P members trained by one vectorised step. The only module that knows of the member axis P.

Shape suffixes: P members, B samples, S latents to sample from, U updates in a round.

The parameters of each player are one [P, N] tensor; the networks see views of it. A loss is written for one
member and mapped over P; its gradients are taken outside the map, where autograd is cheapest. Nothing is ever
reduced over P, so a member that turns NaN leaves the others as they were.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.layers import BatchNorm, Weighted, power_iteration
from gansweep.networks.options import Binding
from gansweep.training.calls import Call, is_random, networks, options_of, sampling_labels
from gansweep.training.member import Member
from gansweep.training.player import Player, Views
from gansweep.training.sizes import samples_at_once
from gansweep.training.streams import Streams, derive, latents
from gansweep.variants.base import Variant, float_fields

N_MEASURED = 512  # latents over which a generator's batch norm is measured


class Pack:
    """Members of one `pack_key` on one data set, all at the same round."""

    def __init__(self, members: list[Member], dataset: Dataset, device: torch.device) -> None:
        self.members, self.dataset, self.device = list(members), dataset, device
        first = members[0]
        self.variant = first.variant
        architecture = ARCHITECTURES[first.architecture]
        self.z_dim, self.prior = architecture.z_dim, architecture.prior or self.variant.prior
        options = options_of(members, dataset)
        nets = [
            build(m.variant.networks, m.architecture, dataset.shape, options, derive(m.seed, "init"))
            for m in members
        ]
        nets = [{name: net.to(device) for name, net in member.items()} for member in nets]
        self.nets = {name: net.requires_grad_(False) for name, net in nets[0].items()}
        self.players = {name: Player(self.members, name, nets) for name in self.variant.players}
        self.singular = {  # network -> buffer of a spectrally normalised layer -> [P, ...]
            name: {key: torch.stack([dict(n[name].named_buffers())[key] for n in nets]) for key in keys}
            for name, keys in ((name, _singular_vectors(net)) for name, net in self.nets.items())
        }
        self.scalars = {
            name: self._per_member([float(getattr(m.variant, name)) for m in members])
            for name in float_fields(self.variant)
        }
        self.dropout = self._per_member([m.d_dropout for m in members])
        self.noise = self._per_member([m.d_noise for m in members])
        self.diverged = torch.zeros(len(members), dtype=torch.bool, device=device)
        self.rounds = 0
        self.moves = {p: first.n_steps if p == "discriminator" else 1 for p in self.variant.players}
        self.streams = Streams(
            [m.seed for m in members],
            n_updates=sum(self.moves.values()),
            batch_size=first.batch_size,
            n_samples=len(dataset.train),
            z_dim=self.z_dim,
            prior=self.prior,
            noise={"none": None, "sample": (), "data": dataset.shape}[self.variant.noise],
            keys=is_random(options),
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
                terms[player] = self._move(player, {name: value[:, update] for name, value in draws.items()})
                update += 1
        if type(self.variant).update is not Variant.update:
            self.scalars = vmap(self._updated)(self.scalars, terms)
        for mover in self.players.values():
            if mover.average is not None:
                mover.average.follow(mover.params_PN)
        self.rounds += 1
        return terms

    @torch.no_grad()
    def samples(self, z_SZ: Tensor, y_S: Tensor | None = None) -> Iterator[Tensor]:
        """Samples of every member from shared latents [S, z_dim] (and labels [S], if it is conditional), in
        chunks [P, S', ...] on the device.

        Batch norm uses statistics that do not depend on the chunk: those of 512 latents drawn from the prior
        with a fixed seed, measured for the weights at hand. (Lucic et al. use running averages with decay
        0.999, which a short run never fills.)
        """
        params, buffers = self._generators(), self._measured()
        at_once = samples_at_once(self.members[0].architecture, self.dataset.shape)
        size = max(1, at_once // len(self))
        labels = [None] * -(-len(z_SZ) // size) if y_S is None else y_S.to(self.device).split(size)
        for z, y in zip(z_SZ.to(self.device).split(size), labels, strict=True):
            draw = partial(self._generate, measuring=False, y=y)
            yield vmap(draw, in_dims=(0, 0, None))(params, buffers, z)

    def generate(self, i: int) -> Callable[[Tensor], Tensor]:
        """Member i's generator, which must be unconditional, as a differentiable function of latents."""

        @cache
        def frozen() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            params, buffers = self._generators(), self._measured()
            return {k: value[i] for k, value in params.items()}, {k: value[i] for k, value in buffers.items()}

        return lambda z: self._generate(*frozen(), z, measuring=False, y=None)

    def lost(self) -> list[bool]:
        """Which members have diverged: a loss was not finite, or a parameter or an optimiser's state is not.

        (A gradient too large for its square freezes Adam for ever, at losses that stay finite.)
        """
        lost = self.diverged.clone()
        for player in self.players.values():
            for value in player.tensors().values():
                lost |= ~value.reshape(len(self), -1).isfinite().all(1)
        return lost.tolist()

    def select(self, keep: list[int]) -> None:
        """Go on with these members only, in this order; their trajectories are unchanged."""
        self.members = [self.members[i] for i in keep]
        for player in self.players.values():
            player.select(keep)
        self.scalars = {name: value[keep] for name, value in self.scalars.items()}
        self.singular = {
            net: {key: value[keep] for key, value in buffers.items()}
            for net, buffers in self.singular.items()
        }
        self.dropout, self.noise = self.dropout[keep], self.noise[keep]
        self.diverged = self.diverged[keep]
        self.streams.select(keep)

    def state(self, i: int) -> dict[str, Any]:
        """What member i needs to go on in any pack: a dictionary of tensors and numbers."""

        def member(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {key: value[i].cpu().clone() for key, value in tensors.items()}

        return {
            "rounds": self.rounds,
            "scalars": member(self.scalars),
            "singular": {net: member(buffers) for net, buffers in self.singular.items()},
            "players": {name: member(player.tensors()) for name, player in self.players.items()},
        }

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Go on from these states, one for each member, all of the same round."""

        def put(tensors: dict[str, Tensor], saved: list[dict[str, Tensor]]) -> None:
            for key, value in tensors.items():
                value.copy_(torch.stack([state[key] for state in saved]))

        self.rounds = states[0]["rounds"]
        put(self.scalars, [state["scalars"] for state in states])
        for net, buffers in self.singular.items():
            put(buffers, [state["singular"][net] for state in states])
        for name, player in self.players.items():
            saved = [state["players"][name] for state in states]
            # One saved where nobody had an average has none: it is the parameters themselves.
            put(player.tensors(), [{"average": tensors["params"]} | tensors for tensors in saved])

    def generator(self, i: int) -> dict[str, Tensor]:
        """The parameters and batch-norm statistics that member i's samples are made with, by name."""
        named = {**self._generators(), **self._measured()}
        return {name: value[i].cpu().clone() for name, value in named.items()}

    def _move(self, player: str, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of one player; its terms, [P] each."""
        mover = self.players[player]
        self._iterate()
        own = {n: {k: v.detach().requires_grad_() for k, v in vs.items()} for n, vs in mover.views.items()}
        others = {
            name: params
            for other in self.players.values()
            if other is not mover
            for name, params in other.views.items()
        }
        batch, binding = self._batch(draws)
        terms = vmap(partial(self._terms, player))(own, others, self.singular, self.scalars, batch, binding)
        loss_P = sum(terms.values(), torch.zeros((), device=self.device))
        leaves = [own[name][key] for name, key, _ in mover.slots]
        mover.step(list(torch.autograd.grad(loss_P.sum(), leaves)))
        self.diverged |= ~loss_P.detach().isfinite()
        if type(self.variant).project is not Variant.project:
            mover.project(partial(vmap(partial(self._projected, player)), self.scalars))
        return {name: term.detach() for name, term in terms.items()}

    def _batch(self, draws: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What losses see of one update, and what their networks are bound to, [P, ...] each."""
        index = draws["index"]
        batch = {"x": self.dataset.batch(index)} | {n: draws[n] for n in ("z", "u") if n in draws}
        binding = {}
        if "key" in draws:
            binding = {"key": draws["key"], "dropout": self.dropout, "noise": self.noise}
        if self.members[0].is_conditional:
            batch["y"] = binding["y"] = self.dataset.train_labels[index]  # type: ignore[index]
        return batch, binding

    def _terms(
        self,
        player: str,
        own: Views,
        others: Views,
        singular: Views,
        scalars: dict[str, Any],
        batch: dict[str, Tensor],
        binding: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """The loss terms of one member: no P in sight."""
        variant = replace(self.variant, **scalars)
        params = {name: {**values, **singular[name]} for name, values in {**own, **others}.items()}
        calls = {name: self._call(name, values) for name, values in params.items()}
        loss = getattr(variant, f"{player}_loss")
        terms: dict[str, Tensor] = loss(networks(calls, Binding(**binding)), SimpleNamespace(**batch))
        return terms

    def _call(self, name: str, params: dict[str, Tensor]) -> Call:
        return lambda x, binding: functional_call(self.nets[name], params, (x, binding))

    def _iterate(self) -> None:
        """One power iteration for every spectrally normalised layer."""
        views = {name: params for player in self.players.values() for name, params in player.views.items()}
        for net, buffers in self.singular.items():
            for key in [key for key in buffers if key.endswith(".u")]:
                layer = key.removesuffix(".u")
                u, v = vmap(power_iteration)(views[net][f"{layer}.weight"], buffers[key])
                buffers[key], buffers[f"{layer}.v"] = u, v

    def _projected(
        self, player: str, scalars: dict[str, Any], params: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        return replace(self.variant, **scalars).project(player, params)

    def _updated(self, scalars: dict[str, Any], terms: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        variant = replace(self.variant, **scalars).update(terms)
        return {name: torch.as_tensor(getattr(variant, name)) for name in scalars}

    def _per_member(self, values: list[float]) -> Tensor:
        return torch.tensor(values, device=self.device)

    def _generators(self) -> dict[str, Tensor]:
        return next(player.averaged()["G"] for player in self.players.values() if "G" in player.views)

    @torch.no_grad()
    def _measured(self) -> dict[str, Tensor]:
        """The generators' batch-norm statistics over 512 latents, [P, ...] each."""
        named = self.nets["G"].named_buffers()
        buffers = {name: value.expand(len(self), *value.shape).clone() for name, value in named}
        if buffers:
            z = latents((N_MEASURED, self.z_dim), self.prior, torch.Generator().manual_seed(0))
            y = None
            if self.members[0].is_conditional:
                y = sampling_labels(self.dataset, N_MEASURED, seed=0).to(self.device)
            measure = vmap(partial(self._generate, measuring=True, y=y), in_dims=(0, 0, None))
            measure(self._generators(), buffers, z.to(self.device))
        return buffers

    def _generate(
        self,
        params: dict[str, Tensor],
        buffers: dict[str, Tensor],
        z: Tensor,
        measuring: bool,
        y: Tensor | None,
    ) -> Tensor:
        """One member's samples, its batch norm being measured (written to the buffers) or frozen."""
        norms = [module for module in self.nets["G"].modules() if isinstance(module, BatchNorm)]
        for norm in norms:
            norm.measuring, norm.training = measuring, measuring
        output: Tensor = functional_call(self.nets["G"], (params, buffers), (z, Binding(y=y)))
        for norm in norms:
            norm.measuring, norm.training = False, True
        return output


def _singular_vectors(net: nn.Module) -> list[str]:
    """The names of the buffers of a network's spectrally normalised layers."""
    layers = [
        name for name, module in net.named_modules() if isinstance(module, Weighted) and module.spectral
    ]
    return [f"{layer}.{vector}" for layer in layers for vector in ("u", "v")]
