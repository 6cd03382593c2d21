"""A member: one configuration of one variant on one data set with one seed, while it trains."""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from gansweep.errors import UserError, unknown
from gansweep.networks.options import NORMS, OUTPUTS
from gansweep.results.study_file import ResolvedStudy
from gansweep.space import Choice, Distribution, Scalar, Uniform
from gansweep.variants import Published
from gansweep.variants.base import Variant, structure

RANGES = {
    **dict.fromkeys(("lr", "g_lr", "d_lr", "penalty_weight", "clip", "k_lr", "d_noise"), (0, math.inf)),
    **dict.fromkeys(("class_weight", "margin"), (0, math.inf)),
    **dict.fromkeys(("beta1", "beta2", "gamma", "k", "g_ema", "real_label"), (0, 1)),
    "pi": (0.01, 0.99),
    "alpha": (0.01, 0.9),  # nearer 1 squared gradients leave float32 at an untrained D
    "d_dropout": (0, 0.95),
    "d_extra_layers": (0, 8),
    "n_critic": (1, math.inf),
}
BELOW = {"beta1", "beta2", "g_ema"}  # at 1, a moving average stays where it began
NAMES = {"d_norm": NORMS, "output": OUTPUTS}  # what a hyperparameter of type str may be


COMMON = ("batch_size", "optimizer", "conditional", "precision", "compile")  # what a study sets for all


def common(study: ResolvedStudy) -> dict[str, Any]:
    """Returns what a study sets for all its members, as fields of `Member`."""
    return {name: getattr(study, name) for name in COMMON}


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
    conditional: str = "none"  # how labels enter D; one of CONDITIONALS
    precision: str = "highest"  # of products of matrices while it trains; one of PRECISIONS
    compile: bool = False  # whether a compiler makes one program of a round
    d_norm: str = "none"  # of D, or of the VAE's encoder, as all that begins with d_; one of NORMS
    d_dropout: float = 0.0  # the probability that a hidden activation is dropped
    d_noise: float = 0.0  # standard deviation of the noise on what D sees
    d_extra_layers: int = 0  # hidden layers more than the architecture has
    output: str = "sigmoid"  # of G for images; one of OUTPUTS
    n_critic: int = 1  # steps of D for one of G
    g_lr: float = 1e-4  # of every player but the discriminator
    d_lr: float = 1e-4
    beta1: float = 0.5  # Adam's; RMSProp has no use for it
    beta2: float = 0.999
    g_ema: float = 0.0  # decay of the average of G's weights that samples are drawn with; 0: no average

    @property
    def is_conditional(self) -> bool:
        """Whether G is given labels."""
        return self.conditional != "none" or self.variant.labels

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
    """The hyperparameters that a configuration of the variant may set: see `Variant.hyperparameters`."""
    variant = published.variant
    networks = {"d_norm", "d_dropout", "d_noise", "d_extra_layers", "output"}
    training = {"lr", "g_lr", "d_lr", "beta1", "beta2", "g_ema"}
    steps = {"n_critic"} if "discriminator" in variant.players else set()
    return {*variant.hyperparameters, *networks, *training, *steps}


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
    if wanted is str:
        _check_names(name, options, variants)
    if wanted in (float, int):
        _check_range(name, options, values)


def _check_range(name: str, options: Iterable[float], values: Distribution | Scalar) -> None:
    low, high = RANGES.get(name, (-math.inf, math.inf))
    # The published range of beta1 has both ends; a trial that a sampler puts on the upper one diverges.
    is_open = high == math.inf or (name in BELOW and not isinstance(values, Uniform))
    if not all(low <= value < high or (value == high and not is_open) for value in options):
        end = ")" if is_open else "]"
        raise UserError(f"{name} must lie in [{low:g}, {high:g}{end}, but the space has {values!r}")


def _check_names(name: str, options: Iterable[str], variants: list[Variant]) -> None:
    for option in options:
        if name in NAMES and option not in NAMES[name]:
            raise unknown(name, option, NAMES[name])
        for variant in variants:
            if name in {field.name for field in fields(variant)}:
                replace(variant, **{name: option})  # refuses what it does not know


def make_member(published: Published, hp: Mapping[str, Scalar], **common: Any) -> Member:
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
