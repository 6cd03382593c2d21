"""The provenance of results, as lines of text."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import msgspec

from gansweep.results.plan import Budget
from gansweep.results.records import Manifest
from gansweep.results.status.words import duration

_COUNTED = ("cpus", "gpu_kinds", "gpus", "nodes")  # fields of hardware that are shown even if they are 0


def _hardware(manifest: Manifest) -> list[tuple[str, Any]]:
    return sorted(msgspec.to_builtins(manifest.hardware).items())


def origin(manifest: Manifest) -> list[tuple[str, str]]:
    """Pairs of a name and a text: code, packages, machine, data, metrics, search, time."""
    return list(_origin(manifest))


def _origin(manifest: Manifest) -> Iterator[tuple[str, str]]:
    git = manifest.git
    yield "Command", manifest.command
    changed = ", with uncommitted changes" if git and git.dirty else ""
    yield "Code", f"gansweep {manifest.gansweep}, commit {git.commit if git else 'unknown'}{changed}"
    packages = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    yield "Packages", f"Python {manifest.python}, {packages}"
    known = [(name, v) for name, v in _hardware(manifest) if name in _COUNTED or v]
    hardware = ", ".join(f"{name.replace('_', ' ')}: {_text(v)}" for name, v in known)
    yield "Machine", f"{manifest.platform}; {hardware}"
    for name, dataset in manifest.datasets.items():
        shape = " × ".join(map(str, dataset.shape))
        counts = f"{dataset.n_train:,} training and {dataset.n_test:,} test items of {shape}"
        yield f"Data set {name}", f"{counts}; preprocessing: {dataset.preprocessing}; {dataset.sha256}"
    for metric_id, record in manifest.metrics.items():
        metric = sorted(msgspec.to_builtins(record).items())
        yield f"Metric {metric_id}", "; ".join(f"{key}: {_text(value)}" for key, value in metric)
    yield "Search", f"sampler {manifest.sampler}, seed {manifest.sampler_seed}; {_plan(manifest.budget)}"
    yield "Time", f"{manifest.created} to {manifest.updated}, {duration(manifest.wall_seconds)} of wall time"


def _plan(budget: Budget) -> str:
    plan = f"{budget.trials} trials a cell of at most {budget.steps:,} steps"
    if budget.halving:
        options = sorted(asdict(budget.halving).items())
        plan += f", halved: {', '.join(f'{name} {value}' for name, value in options)}"
    if confirm := budget.confirm:
        plan += f"; the best {confirm.top} on {confirm.reruns} fresh seeds each"
        plan += f", the winner on {confirm.seeds} more"
    if replicate := budget.replicate:
        plan += f"; {replicate.configurations} random configurations on {replicate.seeds} fresh seeds each"
    return plan


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
