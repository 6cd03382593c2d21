"""What workers and reports read, made before anything trains: study, references, manifest."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.evaluation.reference import Reference, describe, shared_reference
from gansweep.files import dump_json, write_atomically
from gansweep.results.row_file import reference_file, slug
from gansweep.run.manifest import manifest_of
from gansweep.training.member import Member
from gansweep.training.pack import Pack
from gansweep.training.trainer import array, draw_samples, grid
from gansweep.variants.base import Variant


def prepare(
    folder: Path, resolved: dict[str, Any], datasets: Mapping[str, Dataset], hardware: dict[str, Any]
) -> dict[str, Any]:
    """Write all that workers and reports read, before anything trains; the manifest.

    hardware: of the cluster that trains; a report of a study that still runs names it, too.

    Raises:
        UserError: an extractor's weights are not to be had.
    """
    references = {key: prepare_reference(folder, resolved, datasets[key]) for key in datasets}
    file = folder / "manifest.json"
    earlier = json.loads(file.read_text()) if file.exists() else {}
    collapse_above = earlier.get("collapse_above") or {
        key: untrained_fid(resolved, datasets[key], references[key]) for key in datasets
    }
    manifest = manifest_of(resolved, datasets, references, collapse_above) | {"hardware": hardware}
    manifest["created"] = earlier.get("created", manifest["updated"])
    manifest["wall_seconds"] = earlier.get("wall_seconds", 0.0)
    manifest["packing"] = earlier.get("packing", {})
    write_atomically(folder / "study.json", dump_json(resolved))
    write_atomically(file, dump_json(manifest))
    return manifest


def prepare_reference(folder: Path, resolved: dict[str, Any], dataset: Dataset) -> Reference:
    """The real side of the evaluation, computed once for a study; also a picture of 64 test images."""
    evaluation = Evaluation(**resolved["evaluation"][dataset.name])
    description = describe(dataset, evaluation)
    file = reference_file(folder, dataset.name)
    if file.exists():
        reference = Reference.load(file)
        if reference.description == description:
            return reference
    reference = shared_reference(dataset, evaluation)
    reference.save(file)
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(0))
    content = grid(dataset.test[order[:64]]) if dataset.kind == "image" else array(dataset.test[order[:1000]])
    suffix = "png" if dataset.kind == "image" else "npy"
    write_atomically(folder / "samples" / f"real-{slug(dataset.name)}.{suffix}", content)
    return reference


def untrained_fid(resolved: dict[str, Any], dataset: Dataset, reference: Reference) -> float:
    """Returns the FID of a generator before its first step: a trial that ends above it has collapsed.

    No objective has any part in it: the first weights depend on architecture and seed alone.
    """
    evaluation = Evaluation(**resolved["evaluation"][dataset.name])
    member = Member(
        variant=Variant(),
        trial_id="untrained",
        dataset=dataset.name,
        architecture=resolved["architectures"][dataset.name],
        seed=resolved["seed"],
        batch_size=1,
        conditional=resolved["conditional"],
    )
    pack = Pack([member], dataset, torch.device("cpu"))
    samples, labels, _ = draw_samples(pack, evaluation)
    evaluator = Evaluator(reference, replace(evaluation, metrics=("fid",)))
    return evaluator.score(samples[0], labels)["fid"]
