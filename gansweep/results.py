"""Rows: one measurement of one trial at one step, append-only.

`rows.jsonl` is written by the driver alone and is the only truth about results. The tables of
`gansweep.tables` can be rebuilt from it at any time. Reading results imports neither torch nor Ray.

A row is one JSON object:

    identity    study, phase, dataset, variant, architecture, trial_id, trial_number, config_id, seed,
                sampler, sampler_seed, is_default
    hp          {name: value}: the hyperparameters of the trial
    position    step (discriminator updates so far), steps_planned, images_seen
    metrics     {name: value or null} and metric_id, n_images: null where nothing was measured
    terms       {player_term: value or null}: the named loss terms at that step
    outcome     null while the trial goes on; on its last row ok, diverged, crashed or timeout
    failure     null, or {kind, message, step}
    cost        train_seconds, eval_seconds: the trial's own share, since its start
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
from gansweep.outlines import MANIFEST, ROW, misfit, read_outlined

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
        "started_at": None,
        "time": now(),
        "files": {"log": f"logs/{pack}.log"},
    }


def now() -> str:
    """The time of day in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RowWriter:
    """Appends rows to `rows.jsonl`, durable when `append` returns.

    A measurement is written at most once per (trial_id, step), an outcome at most once per trial.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.jsonl"
        self._drop_torn_line()
        self.latest: dict[str, Row] = {}  # the last row of every trial, by trial_id
        self.finished: dict[str, Row] = {}  # that of every finished trial
        self._seen: set[tuple[str, int]] = set()
        for row in read_rows(folder):
            self._note(row)

    def append(self, rows: Iterable[Row]) -> list[Row]:
        """Write those rows that are new; return them."""
        new = []
        for row in rows:
            repeated = row["outcome"] is None and (row["trial_id"], row["step"]) in self._seen
            if repeated or row["trial_id"] in self.finished:
                continue
            self._note(row)
            new.append(row)
        if new:
            text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in new)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        return new

    def _note(self, row: Row) -> None:
        self._seen.add((row["trial_id"], row["step"]))
        self.latest[row["trial_id"]] = row
        if row["outcome"] is not None:
            self.finished[row["trial_id"]] = row

    def _drop_torn_line(self) -> None:
        """A driver killed while writing leaves half a line at the end: cut it off."""
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)


def read_rows(folder: Path) -> Iterator[Row]:
    """The rows of a study in the order they were written; an unfinished last line is passed over.

    Raises:
        UserError: a line inside the file is not a row.
    """
    path = folder / "rows.jsonl"
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise UserError(f"{path}, line {number}, is not a JSON row: restore the file") from None


def checked_rows(folder: Path) -> list[Row]:
    """The rows of a study whose folder may come from somebody else.

    Raises:
        UserError: a line is not a row, or lacks something that a row has.
    """
    rows = list(read_rows(folder))
    for number, row in enumerate(rows, 1):
        if wrong := misfit(row, ROW, "row"):
            raise UserError(f"{folder / 'rows.jsonl'}, line {number}, is damaged: {wrong}; restore the file")
    return rows


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
