"""Binds labels, randomness and options to the networks of a member, so that losses pass inputs alone."""

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.networks.options import Binding, NetworkOptions
from gansweep.training.member import Member
from gansweep.variants.base import Network

Call = Callable[[Tensor, Binding], Tensor]


def options_of(members: list[Member], dataset: Dataset) -> NetworkOptions:
    """Returns the options of the networks of a pack; dropout and noise are built if any member uses them."""
    first = members[0]
    return NetworkOptions(
        d_norm=first.d_norm,
        d_dropout=max(member.d_dropout for member in members),
        d_noise=max(member.d_noise for member in members),
        d_extra_layers=first.d_extra_layers,
        output=first.output,
        conditional=first.conditional,
        n_classes=dataset.n_classes if first.is_conditional else 0,
    )


def is_random(options: NetworkOptions) -> bool:
    """Whether a call of a network needs a key."""
    return options.d_dropout > 0 or options.d_noise > 0


def bind(call: Call, binding: Binding) -> Network:
    """Returns a network as a function of its input alone; each call within one loss gets a different key."""
    calls = count()

    def network(x: Tensor) -> Tensor:
        i = next(calls)
        return call(x, _with_key(binding, i))

    return network


def _with_key(binding: Binding, offset: int) -> Binding:
    return binding if binding.key is None else binding._replace(key=binding.key + offset)


def networks(calls: dict[str, Call], binding: Binding) -> SimpleNamespace:
    """Returns the networks of a member as attributes, as losses call them; their keys differ."""
    bindings = {name: _with_key(binding, i << 32) for i, name in enumerate(sorted(calls))}
    return SimpleNamespace(**{name: bind(call, bindings[name]) for name, call in calls.items()})


def batch_and_binding(
    draws: dict[str, Tensor], dataset: Dataset, rates: dict[str, Tensor], is_conditional: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns what the losses of one update are given, and what is bound to their networks: [P, ...].

    draws: see `MemberRandomness.next`, of one update. rates: of dropout and noise, [P].
    """
    index = draws["index"]
    batch = {"x": dataset.batch(index)} | {name: draws[name] for name in ("z", "u") if name in draws}
    binding = {"key": draws["key"], **rates} if "key" in draws else {}
    if is_conditional:
        assert dataset.train_labels is not None  # such a conditional study is refused at its start
        batch["y"] = binding["y"] = dataset.train_labels[index]
    return batch, binding


def sampling_labels(dataset: Dataset, n: int, seed: int) -> Tensor:
    """Returns labels to sample with, int64 [n], in the proportions of the training set."""
    assert dataset.train_labels is not None  # such a conditional study is refused at its start
    labels = dataset.train_labels.cpu()
    index = torch.randint(len(labels), (n,), generator=torch.Generator().manual_seed(seed))
    return labels[index]
