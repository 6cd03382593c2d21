"""Rows: one measurement of one trial at one step, append-only.

`rows.jsonl` is written by the driver alone and is the only truth about results. The tables of
`gansweep.results.tables` can be rebuilt from it at any time. Reading results imports neither torch nor Ray.

A row is one JSON object:

    identity    study, phase, dataset, variant, architecture, trial_id, trial_number, config_id, seed,
                sampler, sampler_seed, is_default
    hp          {name: value}: the hyperparameters of the trial
    position    step (discriminator updates so far), steps_planned, images_seen
    metrics     {name: value or null} and metric_id, n_images: null where nothing was measured
    terms       {player_term: value or null}: the named loss terms at that step
    outcome     null while the trial goes on; on its last row ok, diverged, crashed, timeout or pruned
    failure     null, or {kind, message, step}
    cost        train_seconds, eval_seconds: the trial's own share, since its start; gpus, gpu_kind: the share
                of a GPU that its pack held, 0 on a CPU, and its kind
    origin      pack, pack_size, host, device, started_at, time (UTC, ISO 8601)
    files       {sample, log}: paths relative to the study's folder, or null

No value is ever NaN or infinite: what is not finite is null, and the outcome says why.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from gansweep.errors import UserError
from gansweep.files import patiently
from gansweep.results.outlines import MANIFEST, ROW, Outline, checker, is_named, misfit, read_outlined

Row: TypeAlias = dict[str, Any]

IDENTITY = (
    "study",
    "phase",
    "dataset",
    "variant",
    "architecture",
    "trial_id",
    "trial_number",
    "config_id",
    "seed",
    "sampler",
    "sampler_seed",
    "is_default",
)
FAILED = ("diverged", "crashed", "timeout")
BLOCK = 1_000_000  # bytes of a file looked through at a time
ADDED: Row = {"gpus": None, "gpu_kind": None}  # what the rows of early versions lack
DESCRIBED = {  # of a manifest: what has an entry for each of which names
    "collapse_above": "datasets",
    "selection": "datasets",
    "spaces": "variants",
    "defaults": "variants",
}


def config_id(hp: dict[str, Any]) -> str:
    """A short hash of the hyperparameters: the same configuration has the same id in every cell and seed."""
    return hashlib.sha256(json.dumps(hp, sort_keys=True).encode()).hexdigest()[:12]


def slug(name: str) -> str:
    """A name as part of a file name: letters, digits, `_`, `-`, `.` and `@` stay, all else becomes `_`.

    >>> slug("folder:/data/cats@64")
    'folder__data_cats@64'
    """
    return "".join(c if c.isalnum() or c in "_-.@" else "_" for c in name)


def reference_file(folder: Path, dataset: str) -> Path:
    """Where a study keeps the real side of its evaluation on a data set."""
    return folder / "references" / f"{slug(dataset)}.pt"


def finite(value: float | None) -> float | None:
    """The value as a float, or None where it is missing, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def blank_row(trial: Row, study: dict[str, Any], pack: str) -> Row:
    """The row of a trial of which nothing is known yet. trial: its identity and hp; study: as resolved."""
    return {
        **{name: trial[name] for name in (*IDENTITY, "hp")},
        "step": 0,
        "steps_planned": study["steps"],
        "images_seen": 0,
        "metric_id": None,
        "n_images": study["evaluation"][trial["dataset"]]["n_images"],
        "metrics": {},
        "terms": {},
        "outcome": None,
        "failure": None,
        "train_seconds": 0.0,
        "eval_seconds": 0.0,
        "pack": pack,
        "pack_size": None,
        "host": None,
        "device": None,
        "gpus": None,
        "gpu_kind": None,
        "started_at": None,
        "time": now(),
        "files": {"log": f"logs/{pack}.log"},
    }


def now() -> str:
    """The time of day in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RowWriter:
    """Appends rows to `rows.jsonl`, durable when `append` returns.

    A measurement is written at most once per (trial_id, step), an outcome at most once per trial. The rows of
    a trial come in the order of their steps, so its last row tells which have come; of a trial that has ended
    only its name is kept in memory, and the row of one that was lost to the machine.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.jsonl"
        self._size = self._drop_torn_line()
        self.latest: dict[str, Row] = {}  # the last row of every trial that goes on, by trial_id
        self.ended: set[str] = set()  # the trials that do not
        self.lost: list[Row] = []  # the last rows of those that crashed or ran out of time
        for row in read_rows(folder):
            self._note(row)

    def append(self, rows: Iterable[Row]) -> list[Row]:
        """Write those rows that are new; return them."""
        new = []
        for row in rows:
            known = self.latest.get(row["trial_id"])
            repeated = row["outcome"] is None and known is not None and row["step"] <= known["step"]
            if repeated or row["trial_id"] in self.ended:
                continue
            self._note(row)
            new.append(row)
        if new:
            text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in new)
            patiently(lambda: self._write(text.encode()), f"{self.path} cannot be written")
        return new

    def _write(self, content: bytes) -> None:
        """Append, over what a try before may have written halfway.

        Raises:
            OSError: it failed, or this is not the file that was written so far: its disk is not mounted.
        """
        with self.path.open("rb+" if self._size else "ab") as file:
            if file.seek(0, os.SEEK_END) < self._size:
                raise OSError("it is shorter than what was written to it")
            file.truncate(self._size)
            file.seek(self._size)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(content)

    def _note(self, row: Row) -> None:
        if row["outcome"] is None:
            self.latest[row["trial_id"]] = row
            return
        self.latest.pop(row["trial_id"], None)
        self.ended.add(row["trial_id"])
        if row["outcome"] in ("crashed", "timeout"):
            self.lost.append(row)

    def _drop_torn_line(self) -> int:
        """A driver killed while writing leaves half a line at the end: cut it off. The size of the rest."""
        if not self.path.exists():
            return 0
        size = self.path.stat().st_size
        with self.path.open("rb+") as file:
            while size:
                start = max(0, size - BLOCK)
                file.seek(start)
                end = file.read(size - start).rfind(b"\n") + 1
                size = start + end
                if end:
                    break
            file.truncate(size)
        return size


def read_rows(folder: Path) -> Iterator[Row]:
    """The rows of a study in the order they were written; an unfinished last line is passed over.

    Raises:
        UserError: a line inside the file is not a row.
    """
    return RowReader(folder).new()


def checked_rows(folder: Path) -> list[Row]:
    """The rows of a study whose folder may come from somebody else.

    Raises:
        UserError: a line is not a row, or lacks something that a row has.
    """
    return list(RowReader(folder).new(ROW))


class RowReader:
    """Reads the rows of a study that may be growing: each once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.jsonl"
        self.position, self.number = 0, 0  # of the end of the last whole line

    def new(self, outline: Outline = is_named) -> Iterator[Row]:
        """The rows that have come since the last call; an unfinished last line is left for the next.

        Raises:
            UserError: a line is not a row, or is not as the outline says.
        """
        if not self.path.exists():
            return
        fits = checker(outline)
        with self.path.open("rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.position += len(line)
                self.number += 1
                row = self._parse(line)
                if not fits(row):
                    self.require(row, outline)
                yield row

    def require(self, row: Any, outline: Outline) -> None:
        """Raise UserError if the row that was read last is not as an outline says."""
        if wrong := misfit(row, outline, "row"):
            raise self._damaged(f"is damaged: {wrong}")

    def _parse(self, line: bytes) -> Row:
        try:
            row: Row = json.loads(line.decode())  # which need not find out the encoding
        except (ValueError, RecursionError):
            raise self._damaged("is not a JSON row") from None
        if isinstance(row, dict) and not ADDED.keys() <= row.keys():
            row = ADDED | row
        return row

    def _damaged(self, what: str) -> UserError:
        separator = ";" if "damaged" in what else ":"
        return UserError(f"{self.path}, line {self.number}, {what}{separator} restore the file")


def require_known(folder: Path, cells: Iterable[tuple[str, str]], manifest: dict[str, Any]) -> None:
    """Raise UserError if rows are of a (data set, variant) that the manifest does not have."""
    for dataset, variant in cells:
        if dataset not in manifest["datasets"] or variant not in manifest["variants"]:
            raise UserError(
                f"{folder} holds rows of {variant} on {dataset}, which its manifest.json does not know: "
                "restore the one or the other"
            )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a study.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = folder / "manifest.json"
    if not path.exists():
        raise UserError(f"{folder} holds no results: {path.name} is missing; run the study first")
    manifest: dict[str, Any] = read_outlined(path, MANIFEST)
    for place, names in DESCRIBED.items():
        if missing := manifest[names].keys() - manifest[place].keys():
            raise UserError(f"{path} is damaged: {place} has nothing of {min(missing)}; restore the file")
    return manifest
