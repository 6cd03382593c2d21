"""The JSON files of a study's folder besides rows and study: manifest, incidents, finalists.

The names of the fields are those of the JSON objects, which are written with sorted keys.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gansweep.errors import Damaged, UserError
from gansweep.results.decoding import read_record
from gansweep.results.folder import StudyFolder
from gansweep.results.plan import Budget, Plan
from gansweep.results.row import FileName, Integer, epoch
from gansweep.results.study_file import StoredSpace, read_study, space_of
from gansweep.space import Scalar, Space


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

    def description(self) -> dict[str, object]:
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


class Hardware(Struct, frozen=True, kw_only=True):
    """What a Ray cluster has now, and with all that its autoscaler may add."""

    nodes: int
    cpus: int
    gpus: int
    gpu_kinds: list[str] = []
    most_cpus: int = 0  # with all that may be added
    most_gpus: int = 0
    gpus_of_a_node: int = 0  # the most of one node, present or not, that also has a CPU for a pack
    gb_per_cpu: float | None = None  # least memory of a node for each of its CPUs, 10^9 bytes; None: unknown


class Manifest(Struct, frozen=True, kw_only=True):
    """All that a reader needs to judge the rows of a study."""

    schema: str = "gansweep.manifest/1"
    created: str
    updated: str
    wall_seconds: float
    study: str
    fingerprint: str | None = None  # of the resolved study; null in studies of gansweep 0.1.0
    question: str
    command: str
    gansweep: str
    git: Git | None
    python: str
    platform: str
    packages: dict[str, str]
    hardware: Hardware
    packing: dict[str, dict[str, Any]] = {}  # by data set: the fields of a `Packing`
    datasets: dict[str, DatasetRecord]
    metrics: dict[str, MetricRecord]  # by metric_id
    collapse_above: dict[str, float]  # by data set: FID of what has learned nothing, see prepare
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
        epoch(self.created)
        epoch(self.updated)
        for place in ("collapse_above", "selection"):
            self._require_all(place, self.datasets)
        for place in ("spaces", "defaults"):
            self._require_all(place, self.variants)

    def _require_all(self, place: str, names: Mapping[str, object]) -> None:
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

    def to_json(self) -> dict[str, object]:
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
        epoch(self.time)


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
    fingerprint: str | None = None  # of the resolved study; null in studies of gansweep 0.1.0
    finalists: list[Finalist]


def read_manifest(folder: str | Path) -> Manifest:
    """Returns the manifest of a study.

    Raises:
        UserError: there is none.
        Damaged: it is damaged, or of another study than study.json.
    """
    files = StudyFolder(Path(folder))
    if not files.manifest.exists():
        raise UserError(f"{folder} holds no results: {files.manifest.name} is missing; run the study first")
    manifest = read_record(files.manifest, Manifest)
    if manifest.fingerprint not in (None, fingerprint_of(files.path)):
        raise Damaged(
            f"manifest.json and study.json in {folder} are of different studies: "
            "restore the right one from a copy"
        )
    return manifest


def fingerprint_of(folder: Path) -> str:
    """Returns the fingerprint of a study by its study.json, else its manifest; "" where neither has one."""
    files = StudyFolder(folder)
    if files.study.exists():
        return read_study(folder).fingerprint
    return (read_record(files.manifest, Manifest).fingerprint or "") if files.manifest.exists() else ""


def read_finalists(folder: Path) -> list[Finalist]:
    """Returns the finalists that were measured; none if there is no file.

    Raises:
        Damaged: the file is damaged, or of another study.
    """
    files = StudyFolder(folder)
    if not os.path.lexists(files.finalists):
        return []
    found = read_record(files.finalists, FinalistsFile)
    if found.fingerprint not in (None, fingerprint_of(folder)):
        raise Damaged(f"{files.finalists} is of another study; restore it from a copy")
    return found.finalists
