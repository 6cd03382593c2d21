"""A member: a training run of one configuration of one variant on one data set with one seed."""

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
Decay: TypeAlias = Annotated[float, Within(0, 1, open=True)]  # at 1 a moving average would stay constant
COMMON = ("batch_size", "optimizer", "conditional", "precision", "compile")  # set by the study


def common(study: ResolvedStudy) -> dict[str, Any]:
    """Returns what a study sets for all its members, as fields of `Member`."""
    return {name: getattr(study, name) for name in COMMON}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One training run. Floats (those of the variant, too) and the seed may differ within a pack."""

    trial_id: str
    variant: Variant
    dataset: str
    architecture: str
    seed: int
    batch_size: int
    optimizer: str = "adam"
    conditional: str = "none"  # how labels enter D; one of CONDITIONALS
    precision: str = "highest"  # of matrix products in training; one of PRECISIONS
    compile: bool = False  # whether TorchInductor compiles the updates
    d_norm: Annotated[str, OneOf(NORMS)] = "none"  # all fields d_*: of D, or of the VAE's encoder
    d_dropout: Annotated[float, Within(0, 0.95)] = 0.0  # the probability that a hidden activation is dropped
    d_noise: Annotated[float, Within(0)] = 0.0  # standard deviation of the noise added to D's input
    d_extra_layers: Annotated[int, Within(0, 8)] = 0  # hidden layers in addition to those of the architecture
    output: Annotated[str, OneOf(OUTPUTS)] = "sigmoid"  # of G for images
    n_critic: Annotated[int, Within(1)] = 1  # updates of D for each update of G
    g_lr: Rate = 1e-4  # of every player but the discriminator
    d_lr: Rate = 1e-4
    beta1: Decay = 0.5  # of Adam; RMSProp does not use it
    beta2: Decay = 0.999
    g_ema: Decay = 0.0  # decay of the moving average of G's weights for sampling; 0: none

    @property
    def is_conditional(self) -> bool:
        """Whether G gets labels."""
        return self.conditional != "none" or self.variant.labels

    @property
    def n_steps(self) -> int:
        """Steps in a round: updates of the discriminator, or of the only player."""
        return self.n_critic if "discriminator" in self.variant.players else 1


def pack_key(member: Member) -> Hashable:
    """Returns the key that is equal for members that can train in one pack."""
    hints = get_type_hints(Member)
    own = {"trial_id", "seed", "variant"} | {name for name, hint in hints.items() if hint is float}
    common = {f.name: getattr(member, f.name) for f in fields(member) if f.name not in own}
    return tuple(sorted((structure(member.variant) | common).items()))


def searchable(published: Published) -> set[str]:
    """Returns the hyperparameters that a configuration may set; see `Variant.hyperparameters`."""
    variant = published.variant
    networks = {"d_norm", "d_dropout", "d_noise", "d_extra_layers", "output"}
    training = {"lr", "g_lr", "d_lr", "beta1", "beta2", "g_ema"}
    steps = {"n_critic"} if "discriminator" in variant.players else set()
    return {*variant.hyperparameters, *networks, *training, *steps}


def check_values(name: str, values: Distribution | Scalar, variants: list[Variant]) -> None:
    """Check the values of a hyperparameter against the field of each variant, or else of Member.

    Raises:
        UserError: a value has another type than the field, or is outside its range.
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
    """Returns the annotations of a hyperparameter; a field of a variant overrides that of Member."""
    common = get_type_hints(Member, include_extras=True) | {"lr": Rate}
    every = [common | get_type_hints(type(variant), include_extras=True) for variant in variants]
    return [hints[name] for hints in every if name in hints]


def _range_of(hint: Any, wanted: type) -> Rule | Within | OneOf | None:
    """Returns the rule of a field; without a rule, numbers must be finite."""
    if get_origin(hint) is Annotated:
        return rule_of(hint)
    return Within() if wanted in (float, int) else None


def _check_rule(
    name: str, options: Iterable[Any], values: Distribution | Scalar, rule: Rule | Within | OneOf | None
) -> None:
    if isinstance(rule, Within) and isinstance(values, Uniform):
        # The published range of beta1 includes its upper end, at which a trial diverges.
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
    """Returns the member for a configuration. `lr` sets the learning rate of all players.

    common: the fields of Member that a configuration does not set (trial_id, dataset, architecture, seed,
    ...).

    Raises:
        UserError: the variant does not have a hyperparameter of that name.
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
