"""The losses of a player and their gradients, for all members at once.

A loss is written for one member and mapped over P. Gradients are taken outside the map, where autograd is
cheapest. Only the sum that is differentiated is reduced over P; its terms are independent.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from operator import add
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gansweep.networks.options import Binding, NetworkOptions
from gansweep.training.binding import Call, networks
from gansweep.training.member import Member, pack_key
from gansweep.training.player import Views
from gansweep.training.speed import code_hash, traced
from gansweep.variants.base import Variant


class LossAndGradients(NamedTuple):
    """The loss of one player in one update.

    terms: [P] each. sums: of the terms, [P]. gradients: [P, ...] each, as the player's parameters.
    """

    terms: dict[str, Tensor]
    sums: Tensor
    gradients: list[Tensor]


class PlayerGradient:
    """The loss and gradients of one player as a function of tensors: parameters, scalars and draws."""

    def __init__(self, variant: Variant, player: str, nets: dict[str, nn.Module]) -> None:
        self.variant, self.player, self.nets = variant, player, nets

    def __call__(
        self,
        own: Views,
        others: Views,
        singular: Views,
        scalars: dict[str, Tensor],
        batch: dict[str, Tensor],
        binding: dict[str, Tensor],
    ) -> LossAndGradients:
        own = {n: {k: v.detach().requires_grad_() for k, v in vs.items()} for n, vs in own.items()}
        terms = vmap(self._terms)(own, others, singular, scalars, batch, binding)
        sums = reduce(add, terms.values())
        leaves = [value for values in own.values() for value in values.values()]
        gradients = torch.autograd.grad(sums.sum(), leaves)
        terms = {name: term.detach() for name, term in terms.items()}
        return LossAndGradients(terms, sums.detach(), list(gradients))

    def _terms(
        self,
        own: Views,
        others: Views,
        singular: Views,
        scalars: dict[str, Tensor],
        batch: dict[str, Tensor],
        binding: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Returns the loss terms of one member; its tensors have no axis P."""
        variant = replace(self.variant, **scalars)
        params = {name: {**values, **singular[name]} for name, values in {**own, **others}.items()}
        calls: dict[str, Call] = {name: partial(self._call, name, values) for name, values in params.items()}
        loss = getattr(variant, f"{self.player}_loss")
        terms: dict[str, Tensor] = loss(networks(calls, Binding(**binding)), SimpleNamespace(**batch))
        return terms

    def _call(self, name: str, params: dict[str, Tensor], x: Tensor, binding: Binding) -> Tensor:
        output: Tensor = functional_call(self.nets[name], params, (x, binding))
        return output


def traced_gradient(
    player: str,
    member: Member,
    nets: dict[str, nn.Module],
    options: NetworkOptions,
    rounds_left: Callable[[], float],
    at_once: bool,
) -> Callable[..., LossAndGradients]:
    """Returns the `PlayerGradient` of packs of a member, traced where that pays."""
    kind = type(member.variant)
    key = (kind.__module__, kind.__qualname__, pack_key(member), options.d_dropout > 0, options.d_noise > 0)
    return traced(
        PlayerGradient(member.variant, player, nets),
        (*key, player),
        code_hash(kind),
        member.compile,
        rounds_left,
        at_once,
    )
