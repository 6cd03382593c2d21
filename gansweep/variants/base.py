"""The base of all variants: a differentiable game between players, in plain PyTorch for one member."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Protocol, Self, TypeAlias, get_type_hints

from torch import Tensor

from gansweep.errors import unknown
from gansweep.fields import Within as Within
from gansweep.variants.penalties import N_PASSES_OF_A_SLOPE, PENALTIES

Network: TypeAlias = Callable[[Tensor], Tensor]
Terms: TypeAlias = dict[str, Tensor]
"""Named scalar terms of a loss. The player minimises their sum."""


class Networks(Protocol):
    """The networks of one member, each a function of a batch. `Variant.networks` names those that exist."""

    G: Network  # z [B, z_dim] -> x
    D: Network  # x -> scores [B]; an autoencoder: x -> x; auxiliary: x -> [B, 1 + n_classes], score first
    E: Network  # x -> [B, 2 * z_dim]: mean and raw scale of the latent


class Batch(Protocol):
    """The data of one update of one member.

    x: [B, C, H, W] images in [0, 1], or [B, d] vectors.
    z: [B, z_dim] from the variant's prior.
    u: uniform in [0, 1), of the shape that `Variant.noise` names; present unless that is "none".
    y: [B] int64, the classes of x and of G(z); present if `Variant.labels`.
    """

    x: Tensor
    y: Tensor
    z: Tensor
    u: Tensor


class Data(Protocol):
    """The facts about a data set (`gansweep.data.Dataset`) that a variant may check."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """ "image", whose values lie in [0, 1], or "vector"."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One objective. Its fields are the hyperparameters of the objective itself.

    Float fields may differ between the members of a pack; a field of any other type is common to the pack.
    While a pack trains, a float field holds the member's 0-d tensor, so a loss must use the field as a number
    and must not branch on it. `Annotated[float, Within(0, 1)]` states the range that a study may search.

    A subclass has one method `<player>_loss(nets, batch) -> Terms` per player. Each loss is differentiated
    with respect to the networks of its own player only, so no tensor needs a detach. Players are updated in
    the order of `players`: the discriminator `n_critic` times a round, every other player once.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"discriminator": ("D",), "generator": ("G",)}
    networks: ClassVar[Mapping[str, str]] = {"D": "discriminator", "G": "generator"}
    prior: ClassVar[str] = "uniform"  # of z: "uniform" on [-1, 1], or "normal" (standard)
    labels: ClassVar[bool] = False  # whether losses use `batch.y`

    @property
    def hyperparameters(self) -> frozenset[str]:
        """The fields that a configuration may set.

        Fields that would make it another variant are not among them, nor fields without an effect.
        """
        return frozenset(field.name for field in fields(self))

    @property
    def noise(self) -> str:
        """The shape of `batch.u`: "none", "sample" ([B]) or "data" (the shape of x)."""
        return "none"

    @property
    def n_extra_passes(self) -> int:
        """Passes of D that a loss keeps in memory besides the pass of its batch (to size packs)."""
        return 0

    def check_data(self, name: str, dataset: Data) -> None:
        """Refuse a data set whose samples the losses cannot handle. name: the variant's, for the message.

        Raises:
            UserError: the variant cannot be trained on the data set.
        """

    def project(self, player: str, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Returns the player's parameters after its step, projected onto their allowed set."""
        return params

    def update(self, terms: dict[str, Terms]) -> Self:
        """Returns the variant for the next round, given the terms of this round by player."""
        return self


@dataclass(frozen=True, kw_only=True)
class PenalizedGAN(Variant, ABC):
    """A game in which D is trained through its scores, with an optional penalty on the gradient of D."""

    penalty: str = "none"  # or a key of PENALTIES
    penalty_weight: Annotated[float, Within(0)] = 0.0

    def __post_init__(self) -> None:
        if self.penalty not in ("none", *PENALTIES):
            raise unknown("penalty", self.penalty, ("none", *PENALTIES))

    @property
    def noise(self) -> str:
        return PENALTIES[self.penalty].noise if self.penalty in PENALTIES else "none"

    @property
    def n_extra_passes(self) -> int:
        return 0 if self.penalty == "none" else N_PASSES_OF_A_SLOPE

    @property
    def hyperparameters(self) -> frozenset[str]:
        return (
            super().hyperparameters - {"penalty"} - ({"penalty_weight"} if self.penalty == "none" else set())
        )

    @abstractmethod
    def discriminator_terms(self, real: Tensor, fake: Tensor) -> Terms:
        """Returns D's loss. real, fake: [B] scores."""

    def discriminator_loss(self, nets: Networks, batch: Batch) -> Terms:
        fake = nets.G(batch.z)
        terms = self.discriminator_terms(nets.D(batch.x), nets.D(fake))
        if self.penalty == "none":
            return terms
        noise = () if self.noise == "none" else (batch.u,)
        slope = PENALTIES[self.penalty].function(nets.D, batch.x, fake, *noise)
        return {**terms, "penalty": self.penalty_weight * slope}


@dataclass(frozen=True, kw_only=True)
class ScoreGAN(PenalizedGAN):
    """A game in which G, too, is trained through D's scores, of G's samples only."""

    @abstractmethod
    def generator_terms(self, fake: Tensor) -> Terms:
        """Returns G's loss. fake: [B] scores."""

    def generator_loss(self, nets: Networks, batch: Batch) -> Terms:
        return self.generator_terms(nets.D(nets.G(batch.z)))


def float_fields(variant: Variant) -> tuple[str, ...]:
    """Returns the names of the fields that may differ between the members of a pack."""
    hints = get_type_hints(type(variant))
    return tuple(field.name for field in fields(variant) if hints[field.name] is float)


def structure(variant: Variant) -> dict[str, object]:
    """Returns the class and the fields that all members of a pack have in common."""
    floats = float_fields(variant)
    common = {f.name: getattr(variant, f.name) for f in fields(variant) if f.name not in floats}
    return {"class": type(variant).__name__, **common}
