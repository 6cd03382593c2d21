"""A pack: P members trained by one vectorised step. The only module that knows of the member axis P.

Shape suffixes: P members, S latents to sample from, U updates in a round.

The parameters of each player are one [P, N] tensor; the networks see views of it. All that a round changes is
changed in place. Nothing is ever reduced over P, so a member that turns NaN leaves the others as they were.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.layers.weighted import MatrixLayer, power_iteration
from gansweep.training.binding import is_random, options_of, sampling_labels
from gansweep.training.losses import Differentiation
from gansweep.training.member import Member, pack_key
from gansweep.training.player import Player
from gansweep.training.randomness import Streams, derive
from gansweep.training.sampling import N_MEASURED, Sampling
from gansweep.training.sizing.estimate import samples_at_once
from gansweep.training.speed.cuda_graph import WARM, Replayed
from gansweep.training.speed.precision import matmul_precision
from gansweep.training.speed.trace import Traced
from gansweep.variants.base import Variant, float_fields


class Pack:
    """Members of one `pack_key` on one data set, all at the same round."""

    def __init__(self, members: list[Member], dataset: Dataset, device: torch.device) -> None:
        self.members, self.dataset, self.device = list(members), dataset, device
        first = members[0]
        self.variant = first.variant
        architecture = ARCHITECTURES[first.architecture]
        self.z_dim, self.prior = architecture.z_dim, architecture.prior or self.variant.prior
        self.options = options = options_of(members, dataset)
        nets = [
            build(m.variant.networks, m.architecture, dataset.shape, options, derive(m.seed, "init"))
            for m in members
        ]
        nets = [{name: net.to(device) for name, net in member.items()} for member in nets]
        self.nets = {name: net.requires_grad_(False) for name, net in nets[0].items()}
        self.players = {name: Player(self.members, name, nets) for name in self.variant.players}
        for parameter in (p for net in self.nets.values() for p in net.parameters()):
            parameter.data = parameter.new_zeros(()).expand(parameter.shape)  # they are the players' now
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
        labels = sampling_labels(dataset, N_MEASURED, seed=0).to(device) if first.is_conditional else None
        self.sampling = Sampling(self.nets["G"], self.z_dim, self.prior, labels, device)
        self._settle(first.compile)

    def __len__(self) -> int:
        return len(self.members)

    def round(self) -> dict[str, dict[str, Tensor]]:
        """One pass of all players; the terms of each player's last update, [P] each, until the next round."""
        with matmul_precision(self.members[0].precision):
            terms = self._replayed(self.streams.next(self.rounds))
        self.rounds += 1
        return terms

    def trace(self) -> None:
        """Do at once, for this pack alone, what is done later to be fast: it pays after some rounds only.

        What cannot be traced raises in the next round.
        """
        for losses in self._losses.values():
            losses.key, losses.after, losses.must_trace = object(), 0, True
        self._replayed.after = WARM

    def samples(self, z_SZ: Tensor, y_S: Tensor | None = None) -> Iterator[Tensor]:
        """Samples of every member from shared latents [S, z_dim] (and labels [S], if it is conditional), in
        chunks [P, S', ...] on the device."""
        at_once = samples_at_once(self.members[0].architecture, self.dataset.shape)
        return self.sampling.samples(self._generators(), z_SZ, y_S, max(1, at_once // len(self)))

    def generate(self, i: int) -> Callable[[Tensor], Tensor]:
        """Member i's generator, which must be unconditional, as a differentiable function of latents."""
        made = cache(lambda: self.sampling.of_one(self._generators(), i))
        return lambda z: made()(z)

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
        self._settle(is_compiled=False)  # a compiler would take longer than most packs have left

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

    def generators(self) -> list[dict[str, Tensor]]:
        """For each member the parameters and batch-norm statistics of its samples, by name."""
        params = self._generators()
        named = {**params, **self.sampling.measured(params)}
        return [{name: value[i].cpu().clone() for name, value in named.items()} for i in range(len(self))]

    def _settle(self, is_compiled: bool) -> None:
        """Begin anew to find out what a round does, now that the members are others."""
        first, options = self.members[0], self.options
        key = (type(self.variant), pack_key(first), options.d_dropout > 0, options.d_noise > 0)
        self._losses = {
            player: Traced(Differentiation(self.variant, player, self.nets), (key, player), is_compiled)
            for player in self.players
        }
        self._replayed: Replayed[dict[str, dict[str, Tensor]]] = Replayed(self._round, self.device)

    def _round(self, draws: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        terms: dict[str, dict[str, Tensor]] = {}
        update = 0
        for player, moves in self.moves.items():
            for _ in range(moves):
                terms[player] = self._move(player, {name: value[:, update] for name, value in draws.items()})
                update += 1
        if type(self.variant).update is not Variant.update:
            for name, value in vmap(self._updated)(self.scalars, terms).items():
                self.scalars[name].copy_(value)
        for mover in self.players.values():
            if mover.average is not None:
                mover.average.follow(mover.params_PN)
        return terms

    def _move(self, player: str, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of one player; its terms, [P] each."""
        mover = self.players[player]
        self._iterate()
        others = {
            name: params
            for other in self.players.values()
            if other is not mover
            for name, params in other.views.items()
        }
        losses = self._losses[player](mover.views, others, self.singular, self.scalars, *self._batch(draws))
        mover.step(losses.gradients)
        self.diverged |= ~losses.sums.isfinite()
        if type(self.variant).project is not Variant.project:
            mover.project(partial(vmap(partial(self._projected, player)), self.scalars))
        return losses.terms

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

    def _iterate(self) -> None:
        """One power iteration for every spectrally normalised layer."""
        views = {name: params for player in self.players.values() for name, params in player.views.items()}
        for net, buffers in self.singular.items():
            for key in [key for key in buffers if key.endswith(".u")]:
                layer = key.removesuffix(".u")
                u, v = vmap(power_iteration)(views[net][f"{layer}.weight"], buffers[key])
                buffers[key].copy_(u)
                buffers[f"{layer}.v"].copy_(v)

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


def _singular_vectors(net: nn.Module) -> list[str]:
    """The names of the buffers of a network's spectrally normalised layers."""
    layers = [
        name for name, module in net.named_modules() if isinstance(module, MatrixLayer) and module.spectral
    ]
    return [f"{layer}.{vector}" for layer in layers for vector in ("u", "v")]
