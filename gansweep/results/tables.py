"""The tables `trials` and `evaluations`, made from the rows: in memory, and as Parquet and CSV."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from gansweep.files import dump_json, write_atomically
from gansweep.metrics import METRICS
from gansweep.results import columns, csv
from gansweep.results.halving import PRUNED
from gansweep.results.row_file import FAILED, IDENTITY, Row, checked_rows, read_manifest


def _unmeasured() -> dict[str, None]:
    """The metrics that every table has a column for, as null."""
    return dict.fromkeys(name for name, metric in METRICS.items() if metric.in_all_tables)


def evaluations_table(rows: Iterable[Row]) -> pd.DataFrame:
    """One line per measurement; key (trial_id, step)."""
    lines = []
    for row in rows:
        if not row["metrics"]:
            continue
        lines.append(
            {name: row[name] for name in ("study", "phase", "dataset", "variant", "trial_id", "step")}
            | {"images_seen": row["images_seen"], "metric_id": row["metric_id"], "n_images": row["n_images"]}
            | _unmeasured()
            | row["metrics"]
            | {f"loss_{name}": value for name, value in sorted(row["terms"].items())}
            | {"train_seconds": row["train_seconds"], "eval_seconds": row["eval_seconds"]}
            | {"is_final": row["outcome"] is not None}
        )
    return columns.typed("evaluations", lines)


def trials_table(rows: Iterable[Row], collapse_above: dict[str, float]) -> pd.DataFrame:
    """One line per trial; key trial_id.

    A trial that ended well but whose best FID exceeds `collapse_above[dataset]` has outcome `collapsed`.
    `fid` is of the last evaluation; `fid_best` is the lowest, which selects a checkpoint; `fid_reported` is
    that checkpoint's FID to the test set, the same number unless a validation set selects.
    """
    by_trial: dict[str, list[Row]] = {}
    for row in rows:
        by_trial.setdefault(row["trial_id"], []).append(row)
    histories = sorted(
        by_trial.values(), key=lambda h: [h[-1][n] for n in ("dataset", "variant", "trial_number")]
    )
    return columns.typed("trials", [_trial_line(history, collapse_above) for history in histories])


def _trial_line(history: list[Row], collapse_above: dict[str, float]) -> Row:
    last = history[-1]
    measured = [row for row in history if row["metrics"].get("fid") is not None]
    best = min(measured, key=lambda row: row["metrics"]["fid"], default=None)
    outcome = last["outcome"]
    threshold = collapse_above.get(last["dataset"], math.inf)
    if outcome == "ok" and (best is None or best["metrics"]["fid"] > threshold):
        outcome = "collapsed"
    failure = last["failure"] or {"kind": None, "message": None, "step": None}
    known = {None: "running", PRUNED: PRUNED} | dict.fromkeys(FAILED, "failed")
    status = known.get(outcome, "completed")
    return (
        {"schema_version": "gansweep.trials/1"}
        | {name: last[name] for name in IDENTITY}
        | {"status": status, "outcome": outcome}
        | {f"failure_{name}": failure[name] for name in ("kind", "message")}
        | {"failed_step": failure["step"], "metric_id": last["metric_id"], "n_images": last["n_images"]}
        | _unmeasured()
        | last["metrics"]
        | {"fid_best": best and best["metrics"]["fid"], "fid_best_step": best and best["step"]}
        | {"fid_reported": best and best["metrics"].get("test_fid", best["metrics"]["fid"])}
        | {"steps": last["step"], "steps_planned": last["steps_planned"], "images_seen": last["images_seen"]}
        | {"train_seconds": last["train_seconds"], "eval_seconds": last["eval_seconds"]}
        | {"pack": last["pack"], "pack_size": last["pack_size"]}
        | {"host": last["host"], "device": last["device"]}
        | ({} if last["gpus"] is None else {"gpus": last["gpus"], "gpu_kind": last["gpu_kind"]})
        | {"started_at": history[0]["started_at"], "finished_at": last["time"] if outcome else None}
        | {f"{name}_path": last["files"].get(name) for name in ("sample", "log")}
        | {f"hp_{name}": value for name, value in sorted(last["hp"].items())}
        | {"hparams_json": json.dumps(last["hp"], sort_keys=True)}
    )


def load(folder: str | Path, collapse_above: dict[str, float] | None = None) -> dict[str, pd.DataFrame]:
    """The tables `trials` and `evaluations` of a study's folder, from its rows.

    collapse_above: by data set, the FID above which a trial has collapsed; None takes the manifest's.
    """
    folder = Path(folder)
    if collapse_above is None:
        collapse_above = read_manifest(folder)["collapse_above"]
    rows = checked_rows(folder)
    return {"trials": trials_table(rows, collapse_above), "evaluations": evaluations_table(rows)}


def write_tables(folder: Path, collapse_above: dict[str, float]) -> dict[str, pd.DataFrame]:
    """Rebuild `trials` and `evaluations` from the rows, as Parquet and CSV; return them.

    `datapackage.json` says of what type the columns of the CSV files are and what they mean.
    """
    tables = load(folder, collapse_above)
    for name, table in tables.items():
        write_atomically(folder / f"{name}.parquet", table.to_parquet(index=False, compression="zstd"))
        write_atomically(folder / f"{name}.csv", csv.to_csv(table))
    write_atomically(folder / "datapackage.json", dump_json(csv.datapackage(tables)))
    return tables
