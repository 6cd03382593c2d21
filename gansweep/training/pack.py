"""A pack: P members trained by one vectorised step. The only module that knows the member axis P.

Shape suffixes: P lanes, one for each member at first, S latents to sample from, U updates in a round.

The parameters of each player are one [P, N] tensor; the networks use views of this tensor. A round changes
its tensors in place. Nothing is reduced over P, so a member that turns NaN leaves the others unchanged.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor
from torch.func import vmap

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES
from gansweep.training.binding import batch_and_binding, options_of, sampling_labels
from gansweep.training.checkpoints import MemberState
from gansweep.training.losses import traced_gradient
from gansweep.training.member import Member
from gansweep.training.player import Player, Views, built_networks
from gansweep.training.precision import matmul_precision
from gansweep.training.randomness import MemberRandomness
from gansweep.training.sampling import N_MEASURED, Params, Sampling
from gansweep.training.sizing.estimate import samples_at_once
from gansweep.training.spectral import SingularVectors
from gansweep.training.speed import cuda_graphed
from gansweep.variants.base import Variant, float_fields

Terms = dict[str, dict[str, Tensor]]  # player -> term of its loss -> [P]


class Pack:
    """Members of one `pack_key` on one data set, all at the same round.

    n_rounds: how many it will train, which decides whether to trace it pays; 0: a few.
    """

    def __init__(
        self, members: list[Member], dataset: Dataset, device: torch.device, n_rounds: int = 0
    ) -> None:
        self.members, self.dataset, self.device, self.n_rounds = list(members), dataset, device, n_rounds
        first = members[0]
        self.variant = first.variant
        architecture = ARCHITECTURES[first.architecture]
        self.z_dim, self.prior = architecture.z_dim, architecture.prior or self.variant.prior
        self.options = options_of(members, dataset)
        self._build_players()
        self.scalars = {
            name: self._per_member([float(getattr(m.variant, name)) for m in members])
            for name in float_fields(self.variant)
        }
        rates = {"dropout": [m.d_dropout for m in members], "noise": [m.d_noise for m in members]}
        self.rates = {name: self._per_member(values) for name, values in rates.items()}
        self.lanes = list(range(len(members)))  # where each member stands in tensors of [P, ...]
        self.diverged = torch.zeros(len(members), dtype=torch.bool, device=device)
        self.rounds = 0
        self.updates_per_round = {
            player: first.n_steps if player == "discriminator" else 1 for player in self.variant.players
        }
        n_updates, latents = sum(self.updates_per_round.values()), (self.z_dim, self.prior)
        self.randomness = MemberRandomness.of(members, dataset, latents, n_updates, self.options, device)
        labels = sampling_labels(dataset, N_MEASURED, seed=0).to(device) if first.is_conditional else None
        self.sampling = Sampling(self.nets["G"], self.z_dim, self.prior, labels, device)
        self._is_compiled = first.compile
        self._rebuild_round()

    def __len__(self) -> int:
        return len(self.members)

    def round(self) -> Terms:
        """Update all players once, D as often as a round requires.

        Returns the terms of the last update of each player; their tensors are valid until the next round.
        """
        with matmul_precision(self.members[0].precision):
            terms = self._run_round(self.randomness.next(self.rounds))
        self.rounds += 1
        return {player: self._own(values) for player, values in terms.items()}

    def trace(self) -> None:
        """Trace in the next round, for this pack alone. What cannot be traced raises then."""
        self._rebuild_round(at_once=True)

    def samples(self, z_SZ: Tensor, y_S: Tensor | None = None) -> Iterator[Tensor]:
        """Yields samples of every member in chunks [P, S', ...] on the device.

        z_SZ: latents [S, z_dim] that all members share. y_S: labels [S], for conditional members.
        """
        at_once = samples_at_once(self.members[0].architecture, self.dataset.shape)
        return self.sampling.samples(self._generators(), z_SZ, y_S, max(1, at_once // len(self)))

    def generate(self, i: int) -> Callable[[Tensor], Tensor]:
        """Returns the unconditional generator of member i as a differentiable function of latents."""
        made = cache(lambda: self.sampling.member_generator(self._generators(), i))
        return lambda z: made()(z)

    def diverged_members(self) -> list[bool]:
        """Returns for each member whether a loss, a parameter or an optimiser state is not finite.

        (A gradient whose square overflows freezes Adam for ever, at losses that stay finite.)
        """
        diverged = self.diverged.clone()
        for player in self.players.values():
            for value in player.tensors().values():
                diverged |= ~value.reshape(len(value), -1).isfinite().all(1)
        return diverged[self.lanes].tolist()

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order; their trajectories are unchanged.

        Lanes of the others train on, unseen, until half of the lanes are theirs: fewer lanes are another
        program, which would have to be traced.
        """
        self.members = [self.members[i] for i in keep]
        self.lanes = [self.lanes[i] for i in keep]
        if 2 * len(self.lanes) <= len(self.diverged):
            self._drop_lanes()

    def _drop_lanes(self) -> None:
        """Go on with the lanes of the members alone."""
        keep, self.lanes = self.lanes, list(range(len(self.lanes)))
        for player in self.players.values():
            player.select(keep)
        self.scalars = {name: value[keep] for name, value in self.scalars.items()}
        self.singular.select(keep)
        self.rates = {name: value[keep] for name, value in self.rates.items()}
        self.diverged = self.diverged[keep]
        self.randomness.select(keep)
        self._is_compiled = False  # a compiler would take longer than most packs have left
        self._rebuild_round()

    def _own(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Returns the rows of the members, in their order, of tensors with a row for each lane."""
        if len(self.lanes) == len(self.diverged):
            return tensors
        return {name: value[self.lanes] for name, value in tensors.items()}

    def state(self, i: int) -> MemberState:
        """Returns what member i needs to continue in any pack."""

        def member(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {key: value[self.lanes[i]].cpu().clone() for key, value in tensors.items()}

        return {
            "rounds": self.rounds,
            "scalars": member(self.scalars),
            "singular": {net: member(buffers) for net, buffers in self.singular.buffers.items()},
            "players": {name: member(player.tensors()) for name, player in self.players.items()},
        }

    def restore(self, states: Sequence[MemberState]) -> None:
        """Continue from these states, one for each member, all of the same round."""

        def put(tensors: dict[str, Tensor], saved: list[dict[str, Tensor]]) -> None:
            for key, value in tensors.items():
                value[self.lanes] = torch.stack([state[key] for state in saved]).to(value)

        self.rounds = states[0]["rounds"]
        put(self.scalars, [state["scalars"] for state in states])
        for net, buffers in self.singular.buffers.items():
            put(buffers, [state["singular"][net] for state in states])
        for name, player in self.players.items():
            saved = [state["players"][name] for state in states]
            # A pack without moving averages saves none: the average is then the parameters themselves.
            put(player.tensors(), [{"average": tensors["params"]} | tensors for tensors in saved])

    def generator_weights(self) -> Tensor:
        """Returns a copy of the weights of the generators, not averaged, [len(self), N]."""
        return self._generator_player().params_PN[self.lanes]

    def generators(self) -> list[dict[str, Tensor]]:
        """Returns for each member the parameters and batch-norm statistics of its samples, by name."""
        params = self._generators()
        named = {**params, **self.sampling.measured(params)}
        return [{name: value[i].cpu().clone() for name, value in named.items()} for i in range(len(self))]

    def _build_players(self) -> None:
        """Build the networks of all members and move their parameters into the players."""
        nets = built_networks(self.members, self.dataset.shape, self.options, self.device)
        self.nets = {name: net.requires_grad_(False) for name, net in nets[0].items()}
        self.players = {name: Player(self.members, name, nets) for name in self.variant.players}
        for parameter in (p for net in self.nets.values() for p in net.parameters()):
            parameter.data = parameter.new_zeros(()).expand(parameter.shape)  # the player has a copy
        self.singular = SingularVectors(nets)

    def _rebuild_round(self, at_once: bool = False) -> None:
        """Discard views, traces and CUDA graphs, which hold for one set of members. at_once: see `trace`."""
        networks = [(name, net) for name, player in self.players.items() for net in player.views.items()]
        self._views: dict[str, Views] = {  # parameters of all networks, except those of the named player
            name: dict(net for other, net in networks if other != name) for name in ("", *self.players)
        }
        member = replace(self.members[0], compile=self._is_compiled)
        self._gradients = {
            player: traced_gradient(player, member, self.nets, self.options, self._rounds_left, at_once)
            for player in self.players
        }
        self._run_round = cuda_graphed(self._round, self.device, at_once, self._rounds_left)

    def _round(self, draws: dict[str, Tensor]) -> Terms:
        terms: Terms = {}
        update = 0
        for player, n_updates in self.updates_per_round.items():
            for _ in range(n_updates):
                own = {name: value[:, update] for name, value in draws.items()}
                terms[player] = self._update_player(player, own)
                update += 1
        if type(self.variant).update is not Variant.update:
            for name, value in vmap(self._updated)(self.scalars, terms).items():
                self.scalars[name].copy_(value)
        for updated in self.players.values():
            if updated.average is not None:
                updated.average.follow(updated.params_PN)
        return terms

    def _update_player(self, name: str, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update one player once. Returns the terms of its loss, [P] each."""
        player, first = self.players[name], self.members[0]
        self.singular.iterate(self._views[""])
        state = player.views, self._views[name], self.singular.buffers, self.scalars
        losses = self._gradients[name](
            *state, *batch_and_binding(draws, self.dataset, self.rates, first.is_conditional)
        )
        player.step(losses.gradients)
        self.diverged |= ~losses.sums.isfinite()
        if type(self.variant).project is not Variant.project:
            player.project(partial(vmap(partial(self._projected, name)), self.scalars))
        return losses.terms

    def _projected(self, player: str, scalars: dict[str, Tensor], params: Params) -> Params:
        return replace(self.variant, **scalars).project(player, params)

    def _updated(self, scalars: dict[str, Tensor], terms: Terms) -> dict[str, Tensor]:
        variant = replace(self.variant, **scalars).update(terms)
        return {name: torch.as_tensor(getattr(variant, name)) for name in scalars}

    def _per_member(self, values: list[float]) -> Tensor:
        return torch.tensor(values, device=self.device)

    def _generators(self) -> dict[str, Tensor]:
        return self._own(self._generator_player().averaged()["G"])

    def _generator_player(self) -> Player:
        return next(player for player in self.players.values() if "G" in player.views)

    def _rounds_left(self) -> int:
        return self.n_rounds - self.rounds
