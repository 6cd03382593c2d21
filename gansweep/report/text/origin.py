"""Where results come from, as lines to read."""

from collections.abc import Iterator
from typing import Any


def origin(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a name and a text: code, packages, machine, data, metrics, search, time."""
    return list(_origin(manifest))


def _origin(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    git, budget = manifest["git"], manifest["budget"]
    yield "Command", manifest["command"]
    changed = ", with uncommitted changes" if git and git["dirty"] else ""
    yield "Code", f"gansweep {manifest['gansweep']}, commit {git['commit'] if git else 'unknown'}{changed}"
    packages = ", ".join(f"{name} {version}" for name, version in manifest["packages"].items())
    yield "Packages", f"Python {manifest['python']}, {packages}"
    hardware = ", ".join(f"{name.replace('_', ' ')}: {_text(v)}" for name, v in manifest["hardware"].items())
    yield "Machine", f"{manifest['platform']}; {hardware}"
    for name, dataset in manifest["datasets"].items():
        shape = " × ".join(map(str, dataset["shape"]))
        counts = f"{dataset['n_train']:,} training and {dataset['n_test']:,} test items of {shape}"
        yield f"Data set {name}", f"{counts}; preprocessing: {dataset['preprocessing']}; {dataset['sha256']}"
    for metric_id, metric in manifest["metrics"].items():
        yield f"Metric {metric_id}", "; ".join(f"{key}: {_text(value)}" for key, value in metric.items())
    yield "Search", f"sampler {manifest['sampler']}, seed {manifest['sampler_seed']}; {_plan(budget)}"
    yield "Time", f"{manifest['created']} to {manifest['updated']}, {_hours(manifest['wall_seconds'])}"


def _plan(budget: dict[str, Any]) -> str:
    plan = f"{budget['trials']} trials a cell of at most {budget['steps']:,} steps"
    if halving := budget.get("halving"):
        plan += f", halved: {', '.join(f'{name} {value}' for name, value in halving.items())}"
    if budget["confirm"]:
        top, reruns, seeds = (budget["confirm"][name] for name in ("top", "reruns", "seeds"))
        plan += f"; the best {top} on {reruns} fresh seeds each, the chosen one on {seeds} more"
    if budget["replicate"]:
        configurations, seeds = (budget["replicate"][name] for name in ("configurations", "seeds"))
        plan += f"; {configurations} random configurations on {seeds} fresh seeds each"
    return plan


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _hours(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min of wall time" if hours else f"{minutes} min of wall time"
