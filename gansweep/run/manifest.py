"""Where results come from: versions, git state, data and metric fingerprints, for `manifest.json`."""

import math
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gansweep
from gansweep.data import Dataset
from gansweep.evaluation.reference import Reference
from gansweep.results.phases import n_planned
from gansweep.results.row_file import now
from gansweep.variants import VARIANTS, Published

PACKAGES = ("numpy", "optuna", "pandas", "ray", "scikit-learn", "torch", "torch-fidelity", "torchvision")
BUDGET = ("trials", "steps", "evaluations", "confirm", "replicate", "halving")  # halving: if a study has it


def git_state() -> dict[str, Any] | None:
    """The commit of the checkout that gansweep runs from and whether its code has changes; None if it runs
    from elsewhere, as from an installed wheel."""
    folder = Path(gansweep.__file__).parent.parent
    if not (folder / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changes = git("status", "--porcelain", "-uno", "--", "gansweep")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.CalledProcessError):
        return None


def command() -> str:
    """What was typed to start this process, but for folders of programs."""
    program = Path(sys.argv[0]).name
    words = ["python", program] if program.endswith(".py") else [program]
    return shlex.join([*(["python", "-m", "gansweep"] if program == "__main__.py" else words), *sys.argv[1:]])


def manifest_of(
    study: dict[str, Any],
    datasets: Mapping[str, Dataset],
    references: Mapping[str, Reference],
    collapse_above: Mapping[str, float],
) -> dict[str, Any]:
    """All that a reader needs to judge the rows of a study, as JSON values."""
    return {
        "schema": "gansweep.manifest/1",
        "updated": now(),
        "study": study["name"],
        "question": study["question"],
        "command": command(),
        "gansweep": gansweep.__version__,
        "git": git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "datasets": {name: _describe(dataset) for name, dataset in datasets.items()},
        "metrics": {
            reference.metric_id: {**reference.description, "floor": reference.floor}
            for reference in references.values()
        },
        "collapse_above": dict(collapse_above),
        "variants": {name: describe_variant(name) for name in study["variants"]},
        "spaces": study["spaces"],
        "defaults": study["defaults"],
        "selection": {name: value["selection"] for name, value in study["evaluation"].items()},
        "same_configurations": study["same_configurations"],
        "budget": {name: study[name] for name in BUDGET if name in study},
        "sampler": study["sampler"],
        "sampler_seed": study["seed"],
        "planned_trials": n_planned(study) * len(study["variants"]) * len(study["datasets"]),
    }


def describe_variant(name: str) -> dict[str, Any]:
    """A variant of the table as JSON values: what it is, where it was published, how it is drawn."""
    published = VARIANTS[name]
    return {
        "label": published.label,
        "family": published.family,
        "settings": _settings(published),
        "source": published.source,
        "deviations": [text for text in published.deviations if not text.startswith("none")],
        "hue": published.hue,
        "marker": published.marker,
    }


def _settings(published: Published) -> dict[str, Any]:
    """The fields of an objective; a bound that it does not set (inf) is left out."""
    return {name: value for name, value in asdict(published.variant).items() if value != math.inf}


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "label": dataset.label,
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "n_validation": 0 if dataset.validation is None else len(dataset.validation),
        "shape": list(dataset.shape),
        "n_classes": dataset.n_classes,
        "sha256": dataset.sha256,
        "preprocessing": dataset.preprocessing,
    }
