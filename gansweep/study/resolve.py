"""From a study to its resolved form, which `study.json` holds, and what differs between two of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from gansweep.data import Dataset
from gansweep.errors import UserError, complain, noting, one_of
from gansweep.evaluation import check_metrics
from gansweep.evaluation.extractors import resolve as resolve_extractor
from gansweep.evaluation.requirements import long_evaluation
from gansweep.networks import ARCHITECTURES, architectures_for
from gansweep.results.study_file import ResolvedStudy, stored_space
from gansweep.space import Choice, Scalar, Uniform
from gansweep.study.study import Study
from gansweep.training.member import possible_variants
from gansweep.variants import VARIANTS

SAME = (  # fields that a resolved study has from the study as they are
    "variants",
    "datasets",
    "trials",
    "steps",
    "evaluations",
    "sampler",
    "seed",
    "batch_size",
    "optimizer",
    "conditional",
    "same_configurations",
    "time_limit_seconds",
    "precision",
    "compile",
    "halving",
    "confirm",
    "replicate",
)


def resolve(name: str, question: str, study: Study, datasets: Mapping[str, Dataset]) -> ResolvedStudy:
    """Returns the study with every default filled in.

    Raises:
        UserError: architectures, extractors, metrics or variants are not made for a data set; all of them.
    """
    architectures: dict[str, str] = {}
    evaluation: dict[str, dict[str, Any]] = {}
    found: list[str] = []
    for key, dataset in datasets.items():
        with noting(found):
            architectures[key] = study.architecture_of(dataset)
        with noting(found):
            extractor = resolve_extractor(dataset, study.evaluation)
            values = replace(study.evaluation, extractor=extractor).to_json()
            evaluation[key] = json.loads(json.dumps(values))
        with noting(found):
            _check_variants(study, dataset)
        if key in architectures and key in evaluation:
            with noting(found):
                _check_labels(study, architectures[key], dataset)
    if found:
        raise UserError(*dict.fromkeys(found))
    for sentence in filter(None, (long_evaluation(study.evaluation, each) for each in datasets.values())):
        complain(sentence)
    return ResolvedStudy(
        name=name,
        question=question,
        spaces={variant: stored_space(study.space_of(variant)) for variant in study.variants},
        defaults={variant: _default(study, variant) for variant in study.variants},
        architectures=architectures,
        evaluation=evaluation,
        revisions={v: VARIANTS[v].revision for v in study.variants if VARIANTS[v].revision > 1},
        data_sha256={key: dataset.sha256 for key, dataset in datasets.items()},
        **{field: getattr(study, field) for field in SAME},
    )


def _default(study: Study, variant: str) -> dict[str, Scalar]:
    """Returns trial 0: the published default, with the constants of the study's own space if it has one."""
    default = dict(VARIANTS[variant].default)
    if isinstance(study.space, str):
        return default
    space = study.space_of(variant)
    if "lr" in space:
        default = {name: value for name, value in default.items() if name not in ("g_lr", "d_lr")}
    elif {"g_lr", "d_lr"} & space.keys() and "lr" in default:
        lr = default.pop("lr")
        default = {"g_lr": lr, "d_lr": lr} | default
    return default | {name: v for name, v in space.items() if not isinstance(v, Uniform | Choice)}


def _check_variants(study: Study, dataset: Dataset) -> None:
    found: list[str] = []
    for name in study.variants:
        with noting(found):
            for variant in possible_variants(VARIANTS[name], study.space_of(name)):
                variant.check_data(name, dataset)
    if found:
        raise UserError(*found)


def _check_labels(study: Study, architecture: str, dataset: Dataset) -> None:
    found: list[str] = []
    for name in study.variants:
        with noting(found):
            _check_labels_of(name, study, architecture, dataset)
    if found:
        raise UserError(*found)


def _check_labels_of(name: str, study: Study, architecture: str, dataset: Dataset) -> None:
    conditional = study.is_conditional(name)
    if conditional and not dataset.n_classes:
        raise UserError(
            f"{dataset.name} has no labels, which conditional models need, and {name} is one here"
        )
    if conditional and not ARCHITECTURES[architecture].takes_labels:
        raise UserError(
            f"the generator of architecture {architecture!r} takes no labels, but {name} is conditional "
            f"here: use {one_of(architectures_for(dataset.shape, takes_labels=True))}"
        )
    check_metrics(study.evaluation, dataset, conditional)


def differences(old: ResolvedStudy, new: ResolvedStudy) -> list[str]:
    """Returns what differs between two resolved studies, one phrase each: `steps: 100 -> 200`."""
    return _differences(msgspec.to_builtins(old), msgspec.to_builtins(new))


def _differences(old: Mapping[str, object], new: Mapping[str, object], prefix: str = "") -> list[str]:
    found = []
    for name in sorted(old.keys() | new.keys()):
        a, b = old.get(name), new.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}: {json.dumps(a)} -> {json.dumps(b)}")
    return found
