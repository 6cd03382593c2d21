"""The tables `trials` and `evaluations`, made from the rows: in memory, and as Parquet and CSV."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from gansweep.files import dump_json, write_atomically
from gansweep.results import columns, csv
from gansweep.results.folder import StudyFolder
from gansweep.results.metrics import METRICS
from gansweep.results.records import read_manifest
from gansweep.results.row import FAILED, IDENTITY, Outcome, Row, Status
from gansweep.results.row_file import read_rows


def _unmeasured() -> dict[str, None]:
    """The metrics that every table has a column for, as null."""
    return dict.fromkeys(name for name, metric in METRICS.items() if metric.in_all_tables)


def evaluations_table(rows: Iterable[Row]) -> pd.DataFrame:
    """One line per measurement; key (trial_id, step)."""
    lines = []
    for row in rows:
        if not row.metrics:
            continue
        lines.append(
            _fields(row, "study", "phase", "dataset", "variant", "trial_id", "step")
            | _fields(row, "images_seen", "metric_id", "n_images")
            | _unmeasured()
            | row.metrics
            | {f"loss_{name}": value for name, value in sorted(row.terms.items())}
            | _fields(row, "train_seconds", "eval_seconds")
            | {"is_final": row.outcome is not None}
        )
    return columns.typed("evaluations", lines)


def trials_table(rows: Iterable[Row], collapse_above: dict[str, float]) -> pd.DataFrame:
    """One line per trial; key trial_id.

    A trial that ended well but whose best FID is not below `collapse_above[dataset]` has outcome `collapsed`.
    `fid` is of the last evaluation; `fid_best` is the lowest, which selects a checkpoint; `fid_reported` is
    that checkpoint's FID to the test set, the same number unless a validation set selects.
    """
    by_trial: dict[str, list[Row]] = {}
    for row in rows:
        by_trial.setdefault(row.trial_id, []).append(row)
    histories = sorted(by_trial.values(), key=lambda history: (*history[0].cell, history[0].trial_number))
    return columns.typed("trials", [_trial_line(history, collapse_above) for history in histories])


def _fields(row: Row, *names: str) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}


def _trial_line(history: list[Row], collapse_above: dict[str, float]) -> dict[str, object]:
    first, last = history[0], history[-1]
    best = min((row for row in history if row.fid is not None), key=_fid, default=None)
    fid = best.fid if best else None
    outcome, failure = last.outcome, last.failure
    threshold = collapse_above.get(last.dataset, math.inf)
    if outcome == Outcome.OK and (fid is None or fid >= threshold):
        outcome = Outcome.COLLAPSED
    return (
        {"schema_version": "gansweep.trials/1"}
        | _fields(last, *IDENTITY)
        | {"status": _status(outcome), "outcome": outcome}
        | {"failure_kind": failure and failure.kind, "failure_message": failure and failure.message}
        | {"failed_step": failure and failure.step}
        | _fields(last, "metric_id", "n_images")
        | _unmeasured()
        | last.metrics
        | {"fid_best": fid, "fid_best_step": best and best.step}
        | {"fid_reported": best and best.metrics.get("test_fid", fid)}
        | {"steps": last.step}
        | _fields(last, "steps_planned", "images_seen", "train_seconds", "eval_seconds")
        | _fields(last, "pack", "pack_size", "host", "device")
        | ({} if last.gpus is None else _fields(last, "gpus", "gpu_kind"))
        | {"started_at": first.started_at, "finished_at": last.time if outcome else None}
        | {f"{name}_path": last.files.get(name) for name in ("sample", "log")}
        | {f"hp_{name}": value for name, value in sorted(last.hp.items())}
        | {"hparams_json": json.dumps(last.hp, sort_keys=True)}
    )


def _fid(row: Row) -> float:
    return math.inf if row.fid is None else row.fid


def _status(outcome: Outcome | None) -> str:
    if outcome is None:
        return Status.RUNNING
    if outcome == Outcome.PRUNED:
        return str(outcome)
    return Status.FAILED if outcome in FAILED else Status.COMPLETED


def read_tables(
    folder: str | Path, collapse_above: dict[str, float] | None = None
) -> dict[str, pd.DataFrame]:
    """The tables `trials` and `evaluations` of a study's folder, from its rows.

    collapse_above: by data set, the FID above which a trial has collapsed; None takes the manifest's.
    """
    folder = Path(folder)
    if collapse_above is None:
        collapse_above = read_manifest(folder).collapse_above
    rows = list(read_rows(folder))
    return {"trials": trials_table(rows, collapse_above), "evaluations": evaluations_table(rows)}


def write_tables(folder: Path, collapse_above: dict[str, float]) -> dict[str, pd.DataFrame]:
    """Rebuild `trials` and `evaluations` from the rows, as Parquet and CSV; return them.

    `datapackage.json` says of what type the columns of the CSV files are and what they mean.
    """
    files, tables = StudyFolder(folder), read_tables(folder, collapse_above)
    for name, table in tables.items():
        write_atomically(files.table(name, "parquet"), table.to_parquet(index=False, compression="zstd"))
        write_atomically(files.table(name, "csv"), csv.to_csv(table))
    write_atomically(files.datapackage, dump_json(csv.datapackage(tables)))
    return tables
