"""The JSON files of a study's folder besides its rows: typed, and checked while they are read.

The names of the fields are those of the JSON objects, which are written with sorted keys.
"""

import json
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gansweep.errors import UserError
from gansweep.results.folder import StudyFolder
from gansweep.results.plan import Budget, Plan
from gansweep.results.row import FileName, Integer, require_time
from gansweep.space import Choice, Distribution, Scalar, Space, Uniform

Record = TypeVar("Record")
PLACE = re.compile(r"^(.*?)(?: - at `\$?(.*)`)?$", re.DOTALL)


class StoredDistribution(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A distribution of a search space: `{"loguniform": [1e-5, 0.01]}`, exactly one of the three."""

    uniform: tuple[float, float] | None = None
    loguniform: tuple[float, float] | None = None
    choice: tuple[Scalar, ...] | None = None

    def __post_init__(self) -> None:
        self.distribution()

    def distribution(self) -> Distribution:
        """Returns the distribution.

        Raises:
            UserError: its range is empty or not finite, or a choice has fewer than two values.
            ValueError: it is not exactly one of the three.
        """
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a distribution is one of uniform, loguniform and choice")
        if self.choice is not None:
            return Choice(self.choice)
        low, high = self.uniform or self.loguniform or (0.0, 0.0)
        return Uniform(low, high, log=self.loguniform is not None)


StoredSpace = dict[str, StoredDistribution | Scalar]


def stored_space(space: Space) -> StoredSpace:
    """Returns a search space as JSON files hold it, by name."""
    return {name: _stored(space[name]) for name in sorted(space)}


def _stored(value: Distribution | Scalar) -> StoredDistribution | Scalar:
    if isinstance(value, Choice):
        return StoredDistribution(choice=value.options)
    if isinstance(value, Uniform):
        ends = value.low, value.high
        return StoredDistribution(loguniform=ends) if value.log else StoredDistribution(uniform=ends)
    return value


def space_of(stored: StoredSpace) -> Space:
    """The inverse of `stored_space`."""
    return {
        name: value.distribution() if isinstance(value, StoredDistribution) else value
        for name, value in stored.items()
    }


class ResolvedStudy(Plan, frozen=True, kw_only=True):
    """A study with every default filled in: what workers read and a resumed run is compared with."""

    schema: Literal["gansweep.study/1"] = "gansweep.study/1"
    name: str
    question: str = ""
    spaces: dict[str, StoredSpace]  # by variant
    defaults: dict[str, dict[str, Scalar]]  # by variant: the hyperparameters of trial 0
    architectures: dict[str, str]  # by data set
    evaluation: dict[str, dict[str, Any]]  # by data set: the fields of an Evaluation
    data_sha256: dict[str, str]  # by data set
    sampler: str
    batch_size: int
    optimizer: str
    conditional: str
    same_configurations: bool = False
    time_limit_seconds: float = 86_400.0
    precision: str = "highest"
    compile: bool = False

    def n_images(self, dataset: str) -> int:
        """Returns how many images an evaluation generates."""
        return int(self.evaluation[dataset]["n_images"])

    def space(self, variant: str) -> Space:
        """Returns the search space of a variant."""
        return space_of(self.spaces[variant])

    def to_json(self) -> dict[str, Any]:
        """Returns the content of study.json. Options that came later are absent where they are not used, so
        that the fingerprint of a study does not change with them."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        unused = {"precision": "highest", "compile": False, "halving": None}
        return {name: value for name, value in values.items() if (name, value) not in unused.items()}


class Git(Struct, frozen=True):
    """The checkout that a study ran from."""

    commit: str
    dirty: bool


class DatasetRecord(Struct, frozen=True, kw_only=True):
    """A data set as the manifest describes it."""

    label: str
    n_train: int
    n_test: int
    n_validation: int = 0
    n_classes: int = 0
    shape: list[int]
    preprocessing: str
    sha256: str


class MetricRecord(Struct, frozen=True, kw_only=True):
    """How a metric was measured: its hash is the `metric_id` of rows. UNSET: absent in the file."""

    dataset: str
    dataset_sha256: str | UnsetType = UNSET
    extractor: str
    split: str
    n_images: int
    n_real: int
    n_test: int | UnsetType = UNSET
    resize: str | UnsetType = UNSET
    precision: str | UnsetType = UNSET
    settings: dict[str, float | int] | UnsetType = UNSET
    torch_fidelity: str | UnsetType = UNSET
    weights_sha256: str | UnsetType | None = UNSET
    manifold: dict[str, float | int] | UnsetType = UNSET
    second: dict[str, str | None] | UnsetType = UNSET
    floor: dict[str, float] | None  # FIDs of the training images, which no generator need beat

    def description(self) -> dict[str, Any]:
        """Returns what the `metric_id` is the hash of."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if name != "floor"}


class VariantRecord(Struct, frozen=True, kw_only=True):
    """A variant: what it is, where it was published, how figures draw it."""

    label: str
    family: str = ""
    settings: dict[str, Scalar | None] = {}
    source: str
    deviations: list[str]
    hue: str
    marker: str


class Manifest(Struct, frozen=True, kw_only=True):
    """All that a reader needs to judge the rows of a study."""

    schema: str = "gansweep.manifest/1"
    created: str
    updated: str
    wall_seconds: float
    study: str
    question: str
    command: str
    gansweep: str
    git: Git | None
    python: str
    platform: str
    packages: dict[str, str]
    hardware: dict[str, Any]
    packing: dict[str, dict[str, Any]] = {}  # by data set: the fields of a `Packing`
    datasets: dict[str, DatasetRecord]
    metrics: dict[str, MetricRecord]  # by metric_id
    collapse_above: dict[str, float]  # by data set: FID of an untrained generator
    variants: dict[str, VariantRecord]
    spaces: dict[str, StoredSpace]
    defaults: dict[str, dict[str, Scalar]]
    selection: dict[str, str]  # by data set: the images whose FID selects, "test" or "validation"
    same_configurations: bool
    budget: Budget
    sampler: str
    sampler_seed: Integer
    planned_trials: Integer

    def __post_init__(self) -> None:
        require_time(self.created)
        require_time(self.updated)
        for place in ("collapse_above", "selection"):
            self._require_all(place, self.datasets)
        for place in ("spaces", "defaults"):
            self._require_all(place, self.variants)

    def _require_all(self, place: str, names: dict[str, Any]) -> None:
        if missing := names.keys() - getattr(self, place).keys():
            raise ValueError(f"{place} has no entry for {min(missing)}")

    @property
    def plan(self) -> Plan:
        return Plan(
            **{name: getattr(self.budget, name) for name in Budget.__struct_fields__},
            datasets=tuple(self.datasets),
            variants=tuple(self.variants),
            seed=self.sampler_seed,
        )

    def space(self, variant: str) -> Space:
        """Returns the search space of a variant."""
        return space_of(self.spaces[variant])

    def to_json(self) -> dict[str, Any]:
        """Returns the content of manifest.json."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        if self.budget.halving is None:
            del values["budget"]["halving"]
        return values


class Incident(Struct, frozen=True, kw_only=True):
    """A pack that failed, and what was done about it."""

    time: str
    pack: FileName
    trials: list[str]  # ids of its trials that had not ended
    kind: str  # worker_died, node_lost, oom, hang, Stopped, or the name of the exception that was raised
    message: str
    # again: the pack was queued once more; halved: as two packs; ended: its only trial crashed or ran out of
    # time; stopped: the run ended, no trial did
    action: str

    def __post_init__(self) -> None:
        require_time(self.time)


class Finalist(Struct, frozen=True, kw_only=True):
    """The best trial of a cell, measured again with the weights after its last step."""

    dataset: str
    variant: str
    trial_id: str
    phase: str
    metric_id: str
    draws: list[float]  # the FID of fresh latents
    sizes: list[int]  # numbers of images
    fids: list[float]  # the FID of so many
    fid_infinity: float  # of infinitely many, see `gansweep.evaluation.metrics.fid_infinity`
    slope: float
    neighbours: str | None  # a picture of the training images that are most similar to samples


class FinalistsFile(Struct, frozen=True, kw_only=True):
    """The content of finalists.json."""

    schema: str = "gansweep.finalists/1"
    finalists: list[Finalist]


def decode(
    content: bytes, kind: type[Record], name: str, decoder: msgspec.json.Decoder[Record] | None = None
) -> Record:
    """Returns a JSON value as a record. name: of the record, for the message. decoder: for many of a kind.

    Raises:
        UserError: it is not JSON, or not such a record: says where and why.
    """
    try:
        return _decode(content, decoder or msgspec.json.Decoder(kind))
    except msgspec.ValidationError as error:
        raise UserError(f"damaged: {first_error(error, name)}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"damaged: it is not JSON ({error})") from None
    except UserError as error:
        raise UserError(f"damaged: {error}") from None


def _decode(content: bytes, decoder: msgspec.json.Decoder[Record]) -> Record:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # msgspec refuses lone surrogates, which texts of the system may contain
        return msgspec.convert(json.loads(content, parse_constant=_refuse), decoder.type)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def first_error(error: msgspec.ValidationError, name: str) -> str:
    """Returns the first thing that is wrong with a record: `manifest.git.dirty: expected bool, got int`."""
    found = PLACE.match(str(error))
    what, place = found.groups() if found else (str(error), "")
    return f"{name}{place or ''}: {what[:1].lower()}{what[1:]}".replace("`", "")


def read_record(file: Path, kind: type[Record]) -> Record:
    """Returns the record that a file holds.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return decode(file.read_bytes(), kind, file.stem)
    except UserError as error:
        raise UserError(f"{file} is {error}; restore it from a copy") from None


def read_study(folder: Path) -> ResolvedStudy:
    """Returns the resolved study of a results folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = StudyFolder(folder).study
    if not file.exists():
        raise UserError(f"there are no results in {folder}: {file.name} is missing; run the study first")
    return read_record(file, ResolvedStudy)


def read_manifest(folder: Path) -> Manifest:
    """Returns the manifest of a study.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = StudyFolder(folder).manifest
    if not file.exists():
        raise UserError(f"{folder} holds no results: {file.name} is missing; run the study first")
    return read_record(file, Manifest)


def read_finalists(folder: Path) -> list[Finalist]:
    """Returns the finalists that were measured; none if there is no file.

    Raises:
        UserError: the file is damaged.
    """
    file = StudyFolder(folder).finalists
    return read_record(file, FinalistsFile).finalists if file.exists() else []
