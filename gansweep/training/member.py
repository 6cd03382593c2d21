"""A member: a training run of one configuration of one variant on one data set with one seed."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from typing import Annotated, Any, TypeAlias, get_type_hints

from gansweep.errors import unknown
from gansweep.fields import Field, OneOf, Within, field_of
from gansweep.networks.options import NORMS, OUTPUTS
from gansweep.results.study_file import ResolvedStudy
from gansweep.space import Choice, Scalar, Space
from gansweep.variants import Published
from gansweep.variants.base import Variant, structure

Rate: TypeAlias = Annotated[float, Within(0, 1)]
Decay: TypeAlias = Annotated[float, Within(0, 1, open=True)]  # at 1 a moving average would stay constant
NETWORKS = ("d_norm", "d_dropout", "d_noise", "d_extra_layers", "output")  # searchable for every variant
TRAINING = ("lr", "g_lr", "d_lr", "beta1", "beta2", "g_ema")
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
    common = {name: getattr(member, name) for name in _common_fields()}
    return tuple(sorted((structure(member.variant) | common).items()))


@cache
def _common_fields() -> tuple[str, ...]:
    """The fields in which members of a pack are equal, beside the variant."""
    own = {"trial_id", "seed", "variant"} | {n for n, hint in get_type_hints(Member).items() if hint is float}
    return tuple(field.name for field in fields(Member) if field.name not in own)


def searchable(published: Published) -> set[str]:
    """Returns the hyperparameters that a configuration may set; see `Variant.hyperparameters`."""
    steps = {"n_critic"} if "discriminator" in published.variant.players else set()
    return {*published.variant.hyperparameters, *NETWORKS, *TRAINING, *steps}


def fields_of(published: Published) -> dict[str, Field]:
    """Returns what each searchable hyperparameter may be; a field of a variant overrides that of Member."""
    variant = get_type_hints(type(published.variant), include_extras=True)
    hints = get_type_hints(Member, include_extras=True) | {"lr": Rate} | variant
    return {name: field_of(hints[name]) for name in sorted(searchable(published))}


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
