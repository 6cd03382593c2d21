"""A member: one configuration of one variant on one data set with one seed, while it trains."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from gansweep.errors import UserError, unknown
from gansweep.space import Choice, Distribution, Scalar, Uniform
from gansweep.variants import Published
from gansweep.variants.base import Variant, structure

RANGES = {
    **dict.fromkeys(("lr", "g_lr", "d_lr", "penalty_weight", "clip", "k_lr"), (0, math.inf)),
    **dict.fromkeys(("beta1", "beta2", "gamma", "k"), (0, 1)),
    "n_critic": (1, math.inf),
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """What trains. Floats (the variant's too) and the seed are its own; the rest it shares with its pack."""

    trial_id: str
    variant: Variant
    dataset: str
    architecture: str
    seed: int
    batch_size: int
    optimizer: str = "adam"
    d_batchnorm: bool = False  # in D, or in the VAE's encoder
    n_critic: int = 1  # steps of D for one of G
    g_lr: float = 1e-4  # of every player but the discriminator
    d_lr: float = 1e-4
    beta1: float = 0.5  # Adam's; RMSProp has no use for it
    beta2: float = 0.999

    @property
    def n_steps(self) -> int:
        """Steps in a round: updates of the discriminator, or of the only player."""
        return self.n_critic if "discriminator" in self.variant.players else 1


def pack_key(member: Member) -> Hashable:
    """What two members must have in common to train in one pack."""
    hints = get_type_hints(Member)
    own = {"trial_id", "seed", "variant"} | {name for name, hint in hints.items() if hint is float}
    common = {f.name: getattr(member, f.name) for f in fields(member) if f.name not in own}
    return tuple(sorted((structure(member.variant) | common).items()))


def searchable(published: Published) -> set[str]:
    """The hyperparameters that a configuration of the variant may set.

    Not what makes it another variant: its penalty, the weight of a penalty that it has not, a bound (inf)
    that it does not set.
    """
    variant = published.variant
    own = {field.name for field in fields(variant) if getattr(variant, field.name) != math.inf} - {"penalty"}
    if getattr(variant, "penalty", None) == "none":
        own -= {"penalty_weight"}
    training = {"lr", "g_lr", "d_lr", "beta1", "beta2", "d_batchnorm"}
    return own | training | ({"n_critic"} if "discriminator" in variant.players else set())


def check_values(name: str, values: Distribution | Scalar, variants: list[Variant]) -> None:
    """Raise UserError if a space gives a hyperparameter a value of the wrong kind, or out of its range."""
    hints = get_type_hints(Member) | {"lr": float}
    for variant in variants:
        hints |= get_type_hints(type(variant)) if name in {f.name for f in fields(variant)} else {}
    wanted = hints[name]
    ends = (values.low, values.high) if isinstance(values, Uniform) else None
    options: Any = values.options if isinstance(values, Choice) else ends or (values,)
    kinds = (float, int) if wanted is float else (wanted,)
    if any(type(value) not in kinds for value in options) or (ends and wanted is not float):
        raise UserError(f"{name} is of type {wanted.__name__}, but the space has {values!r}")
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if wanted in (float, int) and not all(low <= float(value) <= high for value in options):
        raise UserError(f"{name} must lie in [{low:g}, {high:g}], but the space has {values!r}")


def make_member(published: Published, hp: dict[str, Scalar], **common: Any) -> Member:
    """The member for a configuration. `lr` sets the learning rate of all players.

    common: the fields of Member that no configuration sets (trial_id, dataset, architecture, seed, ...).

    Raises:
        UserError: a hyperparameter that the variant does not have.
    """
    for name in hp:
        if name not in searchable(published):
            raise unknown(f"hyperparameter of {published.label}", name, searchable(published))
    own = {field.name for field in fields(published.variant)}
    settings: dict[str, Any] = {name: value for name, value in hp.items() if name not in own | {"lr"}}
    if "lr" in hp:
        settings = {"g_lr": hp["lr"], "d_lr": hp["lr"]} | settings
    changes: dict[str, Any] = {name: value for name, value in hp.items() if name in own}
    return Member(variant=replace(published.variant, **changes), **(common | settings))
