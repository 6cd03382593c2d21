"""Writes what workers and reports read before anything trains: study, references, manifest."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from msgspec import structs
from torch import Tensor

from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.evaluation.reference import Reference, describe, metric_id
from gansweep.evaluation.stored import shared_reference, stored_reference
from gansweep.files import retry_io, sync_folder, write_atomically
from gansweep.results.decoding import sealed_json
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Hardware, Manifest, read_manifest
from gansweep.results.row import slug
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.manifest import manifest_of
from gansweep.training.samples import array, grid


def prepare(
    folder: Path, study: ResolvedStudy, datasets: Mapping[str, Dataset], hardware: Hardware
) -> Manifest:
    """Write all that workers and reports read. Returns the manifest.

    hardware: of the cluster that trains; a report of a study that still runs names it, too.

    Raises:
        UserError: an extractor's weights are not to be had.
    """
    references = {key: prepare_reference(folder, study, datasets[key]) for key in datasets}
    files = StudyFolder(folder)
    earlier = read_manifest(folder) if files.manifest.exists() else None
    collapse_above = (
        earlier.collapse_above
        if earlier and earlier.fingerprint  # gansweep 0.1.0 had another rule
        else {key: nothing_learned(study, datasets[key], references[key]) for key in datasets}
    )
    manifest = manifest_of(study, datasets, references, collapse_above, hardware)
    if earlier:
        manifest = structs.replace(
            manifest,
            created=earlier.created,
            wall_seconds=earlier.wall_seconds,
            packing=earlier.packing,
        )
    retry_io(
        lambda: write_atomically(files.study, sealed_json(study.to_json())),
        f"{files.study} cannot be written",
    )
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json."""
    file = StudyFolder(folder).manifest
    retry_io(lambda: write_atomically(file, sealed_json(manifest.to_json())), f"{file} cannot be written")
    sync_folder(folder)


def prepare_reference(folder: Path, study: ResolvedStudy, dataset: Dataset) -> Reference:
    """The real side of the evaluation, computed once for a study; also a picture of 64 test images."""
    evaluation = Evaluation.of(study, dataset.name)
    files = StudyFolder(folder)
    file = files.reference(dataset.name)
    known = stored_reference(file, metric_id(describe(dataset, evaluation)))
    if known:
        return known.completed(evaluation)
    reference = shared_reference(dataset, evaluation)
    retry_io(lambda: reference.save(file), f"{file} cannot be written")
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(0))
    content = grid(dataset.test[order[:64]]) if dataset.kind == "image" else array(dataset.test[order[:1000]])
    suffix = "png" if dataset.kind == "image" else "npy"
    picture = files.inside("samples", f"real-{slug(dataset.name)}.{suffix}")
    retry_io(lambda: write_atomically(picture, content), f"{picture} cannot be written")
    return reference


def nothing_learned(study: ResolvedStudy, dataset: Dataset, reference: Reference) -> float:
    """Returns the FID of what has learned nothing: a trial that is not below it has collapsed.

    Images: the FID of n images whose values are independent of each other, each drawn from those it has in
    the training images, less a part 4 / sqrt(n), by which this FID differs between draws at most. Such images
    show noise, though of the right brightness at every place. Vectors, whose coordinates may well be
    independent: a tenth of the FID of samples that are all the mean of the training data. No network,
    objective or seed of the study has any part in it.
    """
    evaluation = Evaluation.of(study, dataset.name)
    evaluator, n = Evaluator(reference, replace(evaluation, metrics=("fid",))), evaluation.n_images
    if dataset.kind == "image":
        return evaluator.score(independent_values(dataset.train, n))["fid"] * (1 - 4 / math.sqrt(n))
    mean = dataset.train.mean(0).expand(n, -1).contiguous()
    return evaluator.score(mean)["fid"] / 10


def independent_values(images: Tensor, n: int, seed: int = 0) -> Tensor:
    """Returns n images, each value of which is that of another image, drawn at random: [n, C, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    flat = images.flatten(1)
    columns = [column[torch.randint(len(flat), (n,), generator=generator)] for column in flat.unbind(1)]
    return torch.stack(columns, 1).view(n, *images.shape[1:])
