"""A member: one configuration of one variant on one data set with one seed, while it trains."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from gansweep.errors import UserError, unknown
from gansweep.fields import OneOf, Rule, Within, rule_of
from gansweep.networks.options import NORMS, OUTPUTS
from gansweep.results.study_file import ResolvedStudy
from gansweep.space import Choice, Distribution, Scalar, Space, Uniform
from gansweep.variants import Published
from gansweep.variants.base import Variant, structure

Rate: TypeAlias = Annotated[float, Within(0)]
Decay: TypeAlias = Annotated[float, Within(0, 1, open=True)]  # at 1, a moving average never moves
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
    d_norm: Annotated[str, OneOf(NORMS)] = "none"  # of D, or of the VAE's encoder, as all that begins with d_
    d_dropout: Annotated[float, Within(0, 0.95)] = 0.0  # the probability that a hidden activation is dropped
    d_noise: Annotated[float, Within(0)] = 0.0  # standard deviation of the noise on what D sees
    d_extra_layers: Annotated[int, Within(0, 8)] = 0  # hidden layers more than the architecture has
    output: Annotated[str, OneOf(OUTPUTS)] = "sigmoid"  # of G for images
    n_critic: Annotated[int, Within(1)] = 1  # steps of D for one of G
    g_lr: Rate = 1e-4  # of every player but the discriminator
    d_lr: Rate = 1e-4
    beta1: Decay = 0.5  # Adam's; RMSProp has no use for it
    beta2: Decay = 0.999
    g_ema: Decay = 0.0  # decay of the average of G's weights that samples are drawn with; 0: no average

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
    """Check the values of a hyperparameter in a space against the field of each variant, else of Member.

    Raises:
        UserError: a value of another type than the field's, or outside its range.
    """
    ends = (values.low, values.high) if isinstance(values, Uniform) else None
    options: Any = values.options if isinstance(values, Choice) else ends or (values,)
    for hint in _hints_of(name, variants):
        wanted = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        kinds = (float, int) if wanted is float else (wanted,)
        if any(type(value) not in kinds for value in options) or (ends and wanted is not float):
            raise UserError(f"{name} is of type {wanted.__name__}, but the space has {values!r}")
        if wanted is str:
            _check_names(name, options, variants)
        _check_rule(name, options, values, _range_of(hint, wanted))


def _hints_of(name: str, variants: list[Variant]) -> list[Any]:
    """The annotations of a hyperparameter; a variant's own field comes before that of Member."""
    common = get_type_hints(Member, include_extras=True) | {"lr": Rate}
    every = [common | get_type_hints(type(variant), include_extras=True) for variant in variants]
    return [hints[name] for hints in every if name in hints]


def _range_of(hint: Any, wanted: type) -> Rule | Within | OneOf | None:
    """The rule that a field states; every number must at least be finite."""
    if get_origin(hint) is Annotated:
        return rule_of(hint)
    return Within() if wanted in (float, int) else None


def _check_rule(
    name: str, options: Iterable[Any], values: Distribution | Scalar, rule: Rule | Within | OneOf | None
) -> None:
    if isinstance(rule, Within) and isinstance(values, Uniform):
        # The published range of beta1 has both ends; a trial that a sampler puts on the upper one diverges.
        rule = replace(rule, open=False)
    for option in options:
        if rule is None or rule.holds(option):
            continue
        if isinstance(rule, OneOf):
            raise unknown(name, option, rule.names)
        is_range = isinstance(rule, Within)
        words = f"must lie in {rule}" if is_range else f"must be {rule.words}"
        raise UserError(f"{name} {words}, but the space has {values!r}")


def _check_names(name: str, options: Iterable[str], variants: list[Variant]) -> None:
    for option in options:
        for variant in variants:
            if name in {field.name for field in fields(variant)}:
                replace(variant, **{name: option})  # raises for an unknown name


def possible_variants(published: Published, space: Space) -> list[Variant]:
    """Returns the variants that configurations of a space may have, apart from their floats."""
    own = structure(published.variant).keys() & {field.name for field in fields(published.variant)}
    settings = {name: value for name, value in {**published.default, **space}.items() if name in own}
    choices = [value.options if isinstance(value, Choice) else (value,) for value in settings.values()]
    changes: list[dict[str, Any]] = [dict(zip(settings, chosen, strict=True)) for chosen in product(*choices)]
    return [replace(published.variant, **change) for change in changes]


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
