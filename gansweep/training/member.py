"""A member: one configuration of one variant on one data set with one seed, while it trains."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from gansweep.errors import unknown
from gansweep.space import Scalar
from gansweep.variants import Published
from gansweep.variants.base import Variant, structure


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
