"""Training of one member in plain PyTorch: the reference that packs are compared with."""

from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.layers.weighted import MatrixLayer, power_iteration
from gansweep.networks.options import Binding
from gansweep.training.binding import is_random, networks, options_of
from gansweep.training.member import Member
from gansweep.training.randomness import MemberRandomness, derive
from gansweep.variants.base import float_fields


class PlainTrainer:
    """Trains one member with modules, torch.optim, a loop and the member's randomness."""

    def __init__(self, member: Member, dataset: Dataset, dtype: torch.dtype = torch.float32) -> None:
        self.member, self.dataset, self.dtype, self.rounds = member, dataset, dtype, 0
        # Inside a pack hyperparameters are tensors of the training precision, so they are here, too.
        floats = {
            name: torch.tensor(getattr(member.variant, name), dtype=dtype)
            for name in float_fields(member.variant)
        }
        self.variant = replace(member.variant, **floats)
        options, seed = options_of([member], dataset), derive(member.seed, "init")
        nets = build(member.variant.networks, member.architecture, dataset.shape, options, seed)
        self.nets = {name: net.to(dtype) for name, net in nets.items()}
        self.average = {name: p.detach().clone() for name, p in self.nets["G"].named_parameters()}
        self.updates_per_round = {
            player: member.n_steps if player == "discriminator" else 1 for player in self.variant.players
        }
        self.optimizers = {player: self._optimizer(player) for player in self.updates_per_round}
        architecture = ARCHITECTURES[member.architecture]
        self.randomness = MemberRandomness(
            [member.seed],
            n_updates=sum(self.updates_per_round.values()),
            batch_size=member.batch_size,
            n_samples=len(dataset.train),
            z_dim=architecture.z_dim,
            prior=architecture.prior or self.variant.prior,
            noise={"none": None, "sample": (), "data": dataset.shape}[self.variant.noise],
            keys=is_random(options),
            device=torch.device("cpu"),
        )

    def round(self) -> dict[str, dict[str, Tensor]]:
        """Run one pass of all players. Returns the terms of each player's last update."""
        draws = {name: value[0] for name, value in self.randomness.next(self.rounds).items()}
        terms, update = {}, 0
        for player, n_updates in self.updates_per_round.items():
            for _ in range(n_updates):
                terms[player] = self._move(player, {name: value[update] for name, value in draws.items()})
                update += 1
        self.variant = self.variant.update(terms)
        for name, p in self.nets["G"].named_parameters():
            self.average[name].lerp_(p.detach(), 1 - self.member.g_ema)
        self.rounds += 1
        return terms

    def parameters(self) -> dict[str, Tensor]:
        """Returns all parameters by `network.parameter`."""
        return {f"{n}.{k}": p.detach() for n, net in self.nets.items() for k, p in net.named_parameters()}

    def _move(self, player: str, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        for net in self.nets.values():
            net.zero_grad()
        self._iterate()
        batch, binding = self._batch(draws)
        nets = networks(dict(self.nets), binding)
        terms: dict[str, Tensor] = getattr(self.variant, f"{player}_loss")(nets, batch)
        torch.stack(list(terms.values())).sum().backward()
        self.optimizers[player].step()
        with torch.no_grad():
            for name in self.variant.players[player]:
                own = dict(self.nets[name].named_parameters())
                for key, value in self.variant.project(player, dict(own)).items():
                    own[key].copy_(value)
        return {name: term.detach() for name, term in terms.items()}

    def _batch(self, draws: dict[str, Tensor]) -> tuple[SimpleNamespace, Binding]:
        index, binding = draws["index"], Binding()
        batch = SimpleNamespace(
            x=self.dataset.batch(index).to(self.dtype),
            **{name: draws[name].to(self.dtype) for name in ("z", "u") if name in draws},
        )
        if "key" in draws:
            dropout, noise = (
                torch.tensor(v, dtype=self.dtype) for v in (self.member.d_dropout, self.member.d_noise)
            )
            binding = Binding(key=draws["key"], dropout=dropout, noise=noise)
        if self.member.is_conditional:
            batch.y = self.dataset.train_labels[index]  # type: ignore[index]
            binding = binding._replace(y=batch.y)
        return batch, binding

    def _iterate(self) -> None:
        for net in self.nets.values():
            for layer in net.modules():
                if isinstance(layer, MatrixLayer) and layer.spectral:
                    layer.u, layer.v = power_iteration(layer.weight.detach(), layer.u)

    def _optimizer(self, player: str) -> torch.optim.Optimizer:
        own = [p for name in self.variant.players[player] for p in self.nets[name].parameters()]
        member = self.member
        lr = member.d_lr if player == "discriminator" else member.g_lr
        if member.optimizer == "rmsprop":
            return torch.optim.RMSprop(own, lr=lr, alpha=0.9, eps=1e-10)
        return torch.optim.Adam(own, lr=lr, betas=(member.beta1, member.beta2), eps=1e-8)
