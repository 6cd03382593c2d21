"""Rows: one measurement of one trial at one step, as `rows.jsonl` stores them.

The names and the order of the fields are those of the JSON objects. No number is NaN or infinite: a value
that is not finite is null, and the outcome says why.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, Self

import msgspec
from msgspec import Meta, Struct, structs

from gansweep.space import Scalar

Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # what a column of whole numbers can hold
FILE_NAME = r"\A[\w@+-][\w@.+-]*\Z"
LONGEST_SLUG = 150  # bytes of the 255 of a file's name: variant, phase, seed, figure and suffix take the rest
FileName = Annotated[str, Meta(pattern=FILE_NAME)]  # files are named after it, none of them in another folder


class Phase(StrEnum):
    """The part of a study that a trial belongs to; see `gansweep.results.phases`."""

    SEARCH = "search"
    SELECT = "select"
    CONFIRM = "confirm"
    REPLICATE = "replicate"


class Outcome(StrEnum):
    """How a trial ended."""

    OK = "ok"
    COLLAPSED = "collapsed"  # ok, but no better than what has learned nothing; tables only, never in a row
    DIVERGED = "diverged"
    FROZEN = "frozen"  # the generator, or every term of the loss, no longer changes
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    PRUNED = "pruned"  # stopped early by successive halving


FAILED = (Outcome.DIVERGED, Outcome.FROZEN, Outcome.CRASHED, Outcome.TIMEOUT)


class Cell(NamedTuple):
    """A variant on a data set."""

    dataset: str
    variant: str


class Status(StrEnum):
    """How far a trial has come, in tables; of a pruned one they say "pruned"."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Failure(Struct, frozen=True, kw_only=True):
    """Why a trial failed."""

    kind: str
    message: str
    step: Integer


class Trial(Struct, frozen=True, kw_only=True):
    """What identifies a trial, and its hyperparameters."""

    study: str
    phase: Phase
    dataset: str
    variant: str
    architecture: str
    trial_id: FileName
    trial_number: Integer  # in the search of its cell; 0 is the published default
    config_id: str  # see `config_id`
    seed: Integer
    sampler: str
    sampler_seed: Integer
    is_default: bool
    hp: dict[str, Scalar]

    @property
    def cell(self) -> Cell:
        return Cell(self.dataset, self.variant)


class Row(Trial, frozen=True, kw_only=True):
    """A measurement of a trial, or its end, or both."""

    step: Integer  # updates of the discriminator (of the only player, for a VAE) so far
    steps_planned: Integer
    images_seen: Integer
    metric_id: str | None  # hash of how it was measured; null where nothing was
    n_images: Integer
    metrics: dict[str, float | None]
    terms: dict[str, float | None]  # loss terms at that step, by `<player>_<term>`
    outcome: Outcome | None  # null unless the trial ends with this row
    failure: Failure | None
    train_seconds: float  # the trial's share of the time of its pack, since its start
    eval_seconds: float
    pack: FileName
    pack_size: Integer | None
    host: str | None
    device: str | None
    gpus: float | None = None  # share of a GPU that the pack held; 0 on a CPU
    gpu_kind: str | None = None
    started_at: str | None  # UTC, ISO 8601
    time: str
    files: dict[str, str | None]  # paths relative to the study's folder: sample, log

    def __post_init__(self) -> None:
        epoch(self.time)
        epoch(self.time if self.started_at is None else self.started_at)
        if self.outcome == Outcome.COLLAPSED:
            raise ValueError("a row cannot have the outcome 'collapsed', which only tables know")

    @classmethod
    def first(cls, trial: Trial, pack: str, steps_planned: int, n_images: int) -> Self:
        """Returns the row of a trial that has not been measured yet."""
        return cls(
            **fields_of(trial),
            step=0,
            steps_planned=steps_planned,
            images_seen=0,
            metric_id=None,
            n_images=n_images,
            metrics={},
            terms={},
            outcome=None,
            failure=None,
            train_seconds=0.0,
            eval_seconds=0.0,
            pack=pack,
            pack_size=None,
            host=None,
            device=None,
            started_at=None,
            time=now(),
            files={"log": f"logs/{pack}.log"},
        )

    @property
    def trial(self) -> Trial:
        return Trial(**fields_of(self))

    @property
    def fid(self) -> float | None:
        return self.metrics.get("fid")

    @property
    def is_score(self) -> bool:
        """Whether something was measured, of a trial that had not failed."""
        return bool(self.metrics) and not self.failure

    def report(self, before: "Report | None" = None) -> "Report":
        """Returns what a search needs to know. before: of the same trial, to share its memory."""
        like = before if before and before.hp == self.hp else self
        seen = self.step, self.fid, self.is_score, self.outcome
        return Report(like.cell, like.trial_id, self.trial_number, like.hp, *seen)

    def ended(self, outcome: Outcome, failure: Failure | None = None) -> Self:
        """Returns the last row of a trial whose latest row is this one: an end without a measurement."""
        return structs.replace(self, metrics={}, terms={}, outcome=outcome, failure=failure, time=now())


class Report(Struct, frozen=True, gc=False):  # there may be very many
    """What a search needs to know of a row: a tenth of its memory."""

    cell: Cell
    trial_id: str
    trial_number: int
    hp: dict[str, Scalar]
    step: int
    fid: float | None
    is_score: bool
    outcome: Outcome | None


IDENTITY = tuple(name for name in Trial.__struct_fields__ if name != "hp")


def fields_of(trial: Trial) -> dict[str, Any]:
    """Returns the fields of `Trial` that a trial or a row has, by name."""
    return {name: getattr(trial, name) for name in Trial.__struct_fields__}


def to_json(record: Struct) -> str:
    """Returns a record as one line of JSON, without the line feed.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(msgspec.to_builtins(record), allow_nan=False)


def is_file_name(text: str) -> bool:
    """Whether a text may be the name of a file or folder: it leads nowhere else.

    >>> [is_file_name(text) for text in ("digits-ns-0003", "../ns", ".", "/tmp/x")]
    [True, False, False, False]
    """
    return re.search(FILE_NAME, text) is not None


@lru_cache(maxsize=1024)  # the trials of a pack report together, so rows that follow have the same times
def epoch(text: str) -> float:
    """Returns a time as `now` gives it in seconds since 1970; raises ValueError where it is none."""
    if (time := datetime.fromisoformat(text)).tzinfo is None:
        raise ValueError(f"time without a time zone: {text!r}")
    return time.timestamp()


def config_id(hp: Mapping[str, object]) -> str:
    """Returns a short hash of hyperparameters: equal configurations have equal ids in every cell and seed."""
    return hashlib.sha256(json.dumps(hp, sort_keys=True).encode()).hexdigest()[:12]


def slug(name: str) -> str:
    """Returns a name as part of a file name: all but letters, digits, `_`, `-`, `.` and `@` becomes `_`.

    Of a name of more than LONGEST_SLUG bytes the end is kept, behind a hash of the whole.

    >>> slug("folder:/data/cats@64")
    'folder__data_cats@64'
    """
    text = "".join(c if c.isalnum() or c in "_-.@" else "_" for c in name)
    if len(text.encode()) <= LONGEST_SLUG:
        return text
    whole = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{whole}-{text.encode()[len(whole) + 1 - LONGEST_SLUG :].decode(errors='ignore')}"


def finite(value: float | None) -> float | None:
    """Returns the value as a float, or None where it is missing, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def now() -> str:
    """Returns the present time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
