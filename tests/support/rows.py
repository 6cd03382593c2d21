"""Rows, trials and plans for tests: valid ones, of which a test states what matters to it."""

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from gansweep.results.plan import Plan
from gansweep.results.row import Row, Trial, config_id
from gansweep.results.study_file import ResolvedStudy

STARTED = "2026-01-01T00:00:00+00:00"
PLAN = {"trials": 1, "steps": 100, "evaluations": 1, "confirm": None, "replicate": None, "halving": None}


def trial_values(
    number: int = 0, dataset: str = "digits", variant: str = "ns", **known: Any
) -> dict[str, Any]:
    """The JSON values of a trial of a search."""
    hp = known.pop("hp", {})
    return {
        "study": "s",
        "phase": "search",
        "dataset": dataset,
        "variant": variant,
        "architecture": "conv8",
        "trial_id": f"{dataset}-{variant}-{number:04d}",
        "trial_number": number,
        "config_id": config_id(hp),
        "seed": number,
        "sampler": "random",
        "sampler_seed": 0,
        "is_default": number == 0,
        "hp": hp,
    } | known


def row_values(number: int = 0, **known: Any) -> dict[str, Any]:
    """The JSON values of a row, as a file has them."""
    fid = known.pop("fid", None)
    return (
        trial_values(number)
        | {
            "step": 100,
            "steps_planned": 100,
            "images_seen": 0,
            "metric_id": None if fid is None else "abc",
            "n_images": 200,
            "metrics": {} if fid is None else {"fid": fid},
            "terms": {},
            "outcome": None,
            "failure": None,
            "train_seconds": 1.0,
            "eval_seconds": 0.0,
            "pack": "pack",
            "pack_size": 1,
            "host": "vm",
            "device": "cpu",
            "gpus": 0.0,
            "gpu_kind": None,
            "started_at": STARTED,
            "time": STARTED,
            "files": {"log": "logs/pack.log"},
        }
        | known
    )


def a_row(number: int = 0, **known: Any) -> Row:
    """A row; see `row_values`."""
    return msgspec.convert(row_values(number, **known), Row)


def row_of(trial: Trial, study: Any, pack: str = "pack", **known: Any) -> Row:
    """A row of a trial of a study, as a worker sends it."""
    first = Row.first(trial, pack, study.steps, study.n_images(trial.dataset))
    return structs.replace(first, **known)


def a_plan(datasets: Any = ("digits",), variants: Any = ("ns",), seed: int = 0, **budget: Any) -> Plan:
    """A plan; confirm, replicate and halving as JSON values."""
    cells = {"datasets": list(datasets), "variants": list(variants), "seed": seed}
    return msgspec.convert(PLAN | cells | budget, Plan)


def json_rows(folder: Path) -> list[dict[str, Any]]:
    """The whole rows of a study as JSON values without checks, read without the reader that is tested."""
    file = folder / "rows.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    for row in rows:
        row.pop("check", None)
    return rows


def without_checks(folder: Path) -> None:
    """Make the file of rows one of gansweep 0.1.0, which tests may edit."""
    rows = json_rows(folder)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def json_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a study as JSON values."""
    values = dict(json.loads((folder / "manifest.json").read_text()))
    values.pop("sha256", None)
    return values


def as_rows(values: list[dict[str, Any]]) -> list[Row]:
    """JSON values as rows."""
    return msgspec.convert(values, list[Row])


def a_study(datasets: Any = ("digits",), variants: Any = ("ns",), **known: Any) -> ResolvedStudy:
    """A resolved study."""
    values = PLAN | {
        "name": "s",
        "datasets": list(datasets),
        "variants": list(variants),
        "seed": 0,
        "spaces": {variant: {} for variant in variants},
        "defaults": {variant: {} for variant in variants},
        "architectures": dict.fromkeys(datasets, "conv8"),
        "evaluation": {dataset: {"n_images": 200, "metrics": ["fid"]} for dataset in datasets},
        "data_sha256": dict.fromkeys(datasets, "ab"),
        "sampler": "random",
        "batch_size": 64,
        "optimizer": "adam",
        "conditional": "none",
    }
    return msgspec.convert(values | known, ResolvedStudy)


def manifest_values(**known: Any) -> dict[str, Any]:
    """The JSON values of a manifest of a study without data sets and variants."""
    texts = ("study", "question", "command", "gansweep", "python", "platform", "sampler")
    nothing = ("packages", "datasets", "metrics", "collapse_above", "variants", "spaces")
    return (
        dict.fromkeys(texts, "")
        | {name: {} for name in (*nothing, "defaults", "selection")}
        | {"created": STARTED, "updated": STARTED, "wall_seconds": 0.0, "git": None, "budget": PLAN}
        | {"hardware": {"nodes": 1, "cpus": 2, "gpus": 0}}
        | {"same_configurations": False, "sampler_seed": 0, "planned_trials": 0}
        | known
    )
