"""The manifest: versions, git state, and fingerprints of data and metrics."""

import math
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import msgspec

import gansweep
from gansweep.data import Dataset
from gansweep.evaluation.reference import Reference
from gansweep.results.phases import n_planned
from gansweep.results.plan import budget_of
from gansweep.results.records import DatasetRecord, Git, Hardware, Manifest, MetricRecord, VariantRecord
from gansweep.results.row import now
from gansweep.results.study_file import ResolvedStudy
from gansweep.space import Scalar
from gansweep.variants import VARIANTS, Published

PACKAGES = ("numpy", "optuna", "pandas", "ray", "scikit-learn", "torch", "torch-fidelity", "torchvision")


def git_state() -> Git | None:
    """Returns the commit of the checkout that gansweep runs from; None if it runs from an installed wheel."""
    folder = Path(gansweep.__file__).parent.parent
    if not (folder / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changes = git("status", "--porcelain", "-uno", "--", "gansweep")
        return Git(git("rev-parse", "HEAD"), bool(changes))
    except (OSError, subprocess.CalledProcessError):
        return None


def command() -> str:
    """Returns the command line, without the directory of the program."""
    program = Path(sys.argv[0]).name
    words = ["python", program] if program.endswith(".py") else [program]
    return shlex.join([*(["python", "-m", "gansweep"] if program == "__main__.py" else words), *sys.argv[1:]])


def manifest_of(
    study: ResolvedStudy,
    datasets: Mapping[str, Dataset],
    references: Mapping[str, Reference],
    collapse_above: Mapping[str, float],
    hardware: Hardware,
) -> Manifest:
    """Returns the manifest of a study that begins now."""
    time = now()
    return Manifest(
        created=time,
        updated=time,
        wall_seconds=0.0,
        study=study.name,
        fingerprint=study.fingerprint,
        question=study.question,
        command=command(),
        gansweep=gansweep.__version__,
        git=git_state(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: version(name) for name in PACKAGES},
        hardware=hardware,
        datasets={name: describe_dataset(dataset) for name, dataset in datasets.items()},
        metrics={reference.metric_id: _metric(reference) for reference in references.values()},
        collapse_above=dict(collapse_above),
        variants={name: describe_variant(name) for name in study.variants},
        spaces=study.spaces,
        defaults=study.defaults,
        selection={name: str(value["selection"]) for name, value in study.evaluation.items()},
        same_configurations=study.same_configurations,
        budget=budget_of(study),
        sampler=study.sampler,
        sampler_seed=study.seed,
        planned_trials=n_planned(study) * len(study.cells),
    )


def _metric(reference: Reference) -> MetricRecord:
    return msgspec.convert({**reference.description, "floor": reference.floor}, MetricRecord)


def describe_variant(name: str) -> VariantRecord:
    """Returns what a variant of the table is, where it was published, how it is drawn."""
    published = VARIANTS[name]
    return VariantRecord(
        label=published.label,
        family=published.family,
        settings=_settings(published),
        source=published.source,
        deviations=[text for text in published.deviations if not text.startswith("none")],
        hue=published.hue,
        marker=published.marker,
    )


def _settings(published: Published) -> dict[str, Scalar | None]:
    """Returns the fields of an objective; a bound that it does not set (inf) is left out."""
    return {name: value for name, value in asdict(published.variant).items() if value != math.inf}


def describe_dataset(dataset: Dataset) -> DatasetRecord:
    """Returns what a data set is."""
    return DatasetRecord(
        label=dataset.label,
        n_train=len(dataset.train),
        n_test=len(dataset.test),
        n_validation=0 if dataset.validation is None else len(dataset.validation),
        n_classes=dataset.n_classes,
        shape=list(dataset.shape),
        preprocessing=dataset.preprocessing,
        sha256=dataset.sha256,
    )
