"""Contracts on what a variant states about itself, checked without training."""

import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import count
from types import SimpleNamespace
from typing import get_type_hints

import torch
from torch import Tensor

from gansweep.contracts.breach import ContractBroken, running
from gansweep.contracts.specimen import N_CLASSES, Specimen
from gansweep.errors import UserError
from gansweep.space import mistake
from gansweep.training.member import fields_of, possible_variants, searchable
from gansweep.variants import VARIANTS
from gansweep.variants.base import Variant
from gansweep.variants.published import HUES, MARKERS

ROLES = ("generator", "decoder", "discriminator", "autoencoder", "encoder", "auxiliary")
FIELD_TYPES = (float, int, bool, str)
EXTREME = 30.0  # a score whose sigmoid is 1 in float32


def game(specimen: Specimen) -> None:
    """A variant is a frozen dataclass: a loss per player, a player per network."""
    variant = specimen.published.variant
    kind = type(variant)
    if not isinstance(variant, Variant) or "__dataclass_params__" not in vars(kind):
        raise ContractBroken(
            f"{kind.__name__} must be a Variant decorated by @dataclass(frozen=True, kw_only=True)"
        )
    for field in fields(variant):
        if (hint := get_type_hints(kind)[field.name]) not in FIELD_TYPES:
            raise ContractBroken(
                f"field {field.name} must be a float, int, bool or str, but is of type {hint}"
            )
    for player in variant.players:
        if not callable(getattr(variant, f"{player}_loss", None)):
            raise ContractBroken(f"player {player!r} needs a method {player}_loss(nets, batch)")
    owned = sorted(name for own in variant.players.values() for name in own)
    if owned != sorted(variant.networks) or "G" not in owned:
        raise ContractBroken(
            f"each of the networks {sorted(variant.networks)} needs one player, but {owned} have one"
        )
    for name, role in variant.networks.items():
        _require_one_of(f"the role of {name}", role, ROLES)
    _require_one_of("prior", variant.prior, ("uniform", "normal"))
    _require_one_of("noise", variant.noise, ("none", "sample", "data"))


def source(specimen: Specimen) -> None:
    """The docstring states author, year, arXiv id and deviations."""
    published = specimen.published
    for text in published.sources:
        if not re.search(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", text):
            raise ContractBroken(f"Source must name an arXiv id like arXiv:1406.2661, but is {text!r}")
        if not re.search(r"\b(19|20)\d\d\b", re.sub(r"arXiv:\S+", "", text)):
            raise ContractBroken(f"Source must name the year of publication, but is {text!r}")
    for text in published.deviations:
        if not (re.match(r"(none\.|1\. \S)", text) and text.endswith((".", ")"))):
            raise ContractBroken(
                f'Deviations must be "none." or sentences numbered from "1. ", but is {text!r}'
            )


def spaces(specimen: Specimen) -> None:
    """Default, wide and narrow set the same hyperparameters, in their ranges."""
    published = specimen.published
    named = {"default": published.default, "wide": published.wide, "narrow": published.narrow}
    for which, values in named.items():
        for name, value in values.items():
            if name not in searchable(published):
                raise ContractBroken(
                    f"{which} sets {name!r}, which is not a hyperparameter of {specimen.name}"
                )
            if wrong := mistake(name, value, fields_of(published)[name]):
                raise ContractBroken(f"{which}: {wrong}")
        try:
            possible_variants(published, dict(values))
        except UserError as error:
            raise ContractBroken(f"{which}: {error}") from None
        if other := set(values) ^ set(published.default):
            raise ContractBroken(
                f"default and {which} must set the same, but only one of them sets {sorted(other)}"
            )


def looks(specimen: Specimen) -> None:
    """Label and (hue, marker) are unique among all variants."""
    published = specimen.published
    _require_one_of("hue", published.hue, HUES)
    _require_one_of("marker", published.marker, MARKERS)
    for name, other in VARIANTS.items():
        if name == specimen.name:
            continue
        if other.label == published.label:
            raise ContractBroken(f"label {published.label!r} is that of {name} already")
        if (other.hue, other.marker) == (published.hue, published.marker):
            raise ContractBroken(f"{name} is a {published.hue} {published.marker} already: take another pair")


def extremes(specimen: Specimen) -> None:
    """Losses and gradients are finite at scores of 30 and -30, in float32."""
    variant = specimen.published.variant
    if variant.networks.get("D") not in ("discriminator", "auxiliary"):
        return
    width = (1 + N_CLASSES,) if variant.networks["D"] == "auxiliary" else ()
    images = torch.linspace(0, 1, 4 * 64).view(4, 1, 8, 8)
    u = images if variant.noise == "data" else images[:, 0, 0, 0]
    batch = SimpleNamespace(x=images, z=images[:, 0, :2].flatten(1), u=u, y=torch.arange(4) % N_CLASSES)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0]).view(4, *[1] * len(width)).expand(4, *width)
    scores = (EXTREME * signs).clone().requires_grad_()
    for player in variant.players:
        calls = count()

        def D(x: Tensor, calls: Iterator[int] = calls) -> Tensor:
            # The roll by one per call pairs each sign on a real sample with each sign on a fake one.
            return scores.roll(next(calls), 0) + 0 * x.sum()

        with running(variant, f"at scores of {EXTREME:g}"):
            terms = getattr(variant, f"{player}_loss")(
                SimpleNamespace(D=D, G=lambda z: images.flip(0)), batch
            )
            for name, term in terms.items():
                if not term.isfinite():
                    raise ContractBroken(
                        f"{player}'s term {name!r} is {term.item()} at scores of ±{EXTREME:g}"
                    )
        (slope,) = torch.autograd.grad(sum(terms.values(), torch.zeros(())), scores)
        if not slope.isfinite().all():
            raise ContractBroken(f"{player}'s loss has no finite slope at scores of ±{EXTREME:g}")


def _require_one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ContractBroken(f"{what} must be one of {', '.join(allowed)}, but is {value!r}")
