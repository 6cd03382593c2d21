"""`study.json`: a study with every default filled in, and its search spaces as JSON."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gansweep.errors import UserError
from gansweep.results.decoding import read_record
from gansweep.results.folder import StudyFolder
from gansweep.results.plan import Plan
from gansweep.space import Choice, Distribution, Scalar, Space, Uniform


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


MAY_CHANGE = ("trials", "question")  # fields of a study that may differ when it is resumed
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
    revisions: dict[str, int] = msgspec.field(default_factory=dict)  # by variant: `Published.revision`

    def n_images(self, dataset: str) -> int:
        """Returns how many images an evaluation generates."""
        return int(self.evaluation[dataset]["n_images"])

    def space(self, variant: str) -> Space:
        """Returns the search space of a variant."""
        return space_of(self.spaces[variant])

    @property
    def fingerprint(self) -> str:
        """The hash of all that results hang on. A larger `trials` or another question change no result."""
        own = {name: value for name, value in self.to_json().items() if name not in MAY_CHANGE}
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        """Returns the content of study.json. Options that came later are absent where they are not used, so
        that the fingerprint of a study does not change with them."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        unused = {"precision": "highest", "compile": False, "halving": None, "revisions": {}}
        return {name: value for name, value in values.items() if name not in unused or value != unused[name]}


def read_study(folder: Path) -> ResolvedStudy:
    """Returns the resolved study of a results folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = StudyFolder(folder).study
    if not file.exists():
        raise UserError(f"there are no results in {folder}: {file.name} is missing; run the study first")
    return read_record(file, ResolvedStudy)
