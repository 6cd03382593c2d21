"""Plain PyTorch training of one member: the reference that packs are compared with."""

from dataclasses import replace
from types import SimpleNamespace

import torch

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.training.member import Member
from gansweep.training.streams import Streams, derive
from gansweep.variants.base import float_fields


class Eager:
    """Modules, torch.optim and a loop, as a tutorial has it; the member's own randomness."""

    def __init__(self, member: Member, dataset: Dataset, dtype: torch.dtype = torch.float32) -> None:
        self.member, self.dataset, self.dtype, self.rounds = member, dataset, dtype, 0
        # As inside a pack, hyperparameters are tensors of the training precision.
        floats = {name: torch.tensor(getattr(member.variant, name)) for name in float_fields(member.variant)}
        self.variant = replace(member.variant, **floats)
        nets = build(member.variant, member.architecture, dataset.shape, member.d_batchnorm,
                     derive(member.seed, "init"))  # fmt: skip
        self.nets = {name: net.to(dtype) for name, net in nets.items()}
        self.moves = {p: member.n_steps if p == "discriminator" else 1 for p in self.variant.players}
        self.optimizers = {player: self._optimizer(player) for player in self.moves}
        self.streams = Streams(
            [member.seed],
            n_updates=sum(self.moves.values()),
            batch_size=member.batch_size,
            n_samples=len(dataset.train),
            z_dim=ARCHITECTURES[member.architecture].z_dim,
            prior=self.variant.prior,
            noise={"none": None, "sample": (), "data": dataset.shape}[self.variant.noise],
            device=torch.device("cpu"),
        )

    def round(self) -> dict[str, dict[str, torch.Tensor]]:
        draws = {name: value[0] for name, value in self.streams.next(self.rounds).items()}
        terms, update = {}, 0
        for player, moves in self.moves.items():
            for _ in range(moves):
                terms[player] = self._move(player, {name: value[update] for name, value in draws.items()})
                update += 1
        self.variant = self.variant.update(terms)
        self.rounds += 1
        return terms

    def parameters(self) -> dict[str, torch.Tensor]:
        return {f"{n}.{k}": p.detach() for n, net in self.nets.items() for k, p in net.named_parameters()}

    def _move(self, player, batch):
        real = batch.pop("index")
        batch = {name: value.to(self.dtype) for name, value in batch.items()}
        batch["x"] = self.dataset.batch(real).to(self.dtype)
        for net in self.nets.values():
            net.zero_grad()
        loss = getattr(self.variant, f"{player}_loss")
        terms = loss(SimpleNamespace(**self.nets), SimpleNamespace(**batch))
        sum(terms.values()).backward()
        self.optimizers[player].step()
        with torch.no_grad():
            for name in self.variant.players[player]:
                own = dict(self.nets[name].named_parameters())
                for key, value in self.variant.project(player, own).items():
                    own[key].copy_(value)
        return {name: term.detach() for name, term in terms.items()}

    def _optimizer(self, player):
        own = [p for name in self.variant.players[player] for p in self.nets[name].parameters()]
        member = self.member
        lr = member.d_lr if player == "discriminator" else member.g_lr
        if member.optimizer == "rmsprop":
            return torch.optim.RMSprop(own, lr=lr, alpha=0.9, eps=1e-10)
        return torch.optim.Adam(own, lr=lr, betas=(member.beta1, member.beta2), eps=1e-8)
