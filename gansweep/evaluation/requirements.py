"""Refuses metrics that a data set or a study cannot have, before anything is trained.

Data sets and extractors are imported inside functions: the package is imported where torch is not wanted.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from gansweep.errors import UserError, noting
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.results.metrics import METRICS, Needs

if TYPE_CHECKING:
    from gansweep.data import Dataset

USUAL_FEATURES = 2048
# Of a FID in double precision on one core of an x86 processor, per cube or square of the number of features.
SECONDS_OF_ROOT, SECONDS_OF_MOMENTS = 1.4e-10, 4e-11
N_FINAL_FIDS, FINAL_SHARE = 20, 2.5  # of the best trial; with so many times n_images on average
MIN_OF_A_CLASS = 20  # samples; fewer are too few for a covariance estimate


def check_metrics(evaluation: Evaluation, dataset: "Dataset", conditional: bool) -> None:
    """Refuse metrics that generators of a data set cannot have. conditional: the generators are given labels.

    Raises:
        UserError: requested metrics that need something missing, or more images than fit into memory.
    """
    found: list[str] = []
    with noting(found):
        _require_memory(evaluation, dataset)
    for metric in evaluation.metrics:
        needs = METRICS[metric].needs
        if needs in ("labels", "own classes") and not conditional:
            lack: str | None = "needs generators that are given labels: set Study(conditional=...)"
        else:
            lack = LACK[needs](evaluation, dataset) if needs in LACK else None
        if lack:
            found.append(f"metric {metric!r} {lack}")
    if found:
        raise UserError(*found)


def _require_memory(evaluation: Evaluation, dataset: "Dataset") -> None:
    """Refuse more images than this machine, which measures the real ones, has memory for."""
    from gansweep.data.base import machine_memory
    from gansweep.evaluation.extractors import resolve

    used = [resolve(dataset, each) for each in (evaluation, evaluation.second) if each]
    n_features = max(EXTRACTORS[name].count_features(dataset.shape) for name in used)
    # In float32 the values of a sample; in float64 its features, and again centred.
    of_a_sample = 4 * math.prod(dataset.shape) + 2 * 8 * n_features
    most = machine_memory() // of_a_sample - len(dataset.selecting[0])
    if evaluation.n_images > most:
        raise UserError(
            f"n_images must be at most {max(most, 0):,} on {dataset.name!r}, as this machine has no memory "
            f"for {n_features:,} features of more images, but got {evaluation.n_images:,}"
        )


def long_evaluation(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    """Returns a sentence if the FID alone takes seconds of each evaluation, else None.

    That is with more features than Inception's: the time grows with their cube.
    """
    from gansweep.evaluation.extractors import resolve

    for name in (resolve(dataset, each) for each in (evaluation, evaluation.second) if each):
        n_features = EXTRACTORS[name].count_features(dataset.shape)
        if n_features > USUAL_FEATURES:
            root = SECONDS_OF_ROOT * n_features**3
            moments = SECONDS_OF_MOMENTS * evaluation.n_images * n_features**2
            minutes = N_FINAL_FIDS * (root + FINAL_SHARE * moments) / 60
            return (
                f"{name!r} has {n_features:,} features of {dataset.name!r}: a FID takes about "
                f"{root + moments:.0f} s of a CPU core at each evaluation of a trial, and the FIDs of the "
                f"best trial of each variant about {minutes:.0f} min"
            )
    return None


def _no_mixture(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    from gansweep.data import MIXTURES

    if dataset.name in MIXTURES:
        return None
    return f"needs a mixture ({', '.join(MIXTURES)}), but the data set is {dataset.name!r}"


def _no_polygons(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    from gansweep.data import POLYGONS

    if dataset.name in POLYGONS:
        return None
    return f"needs polygons ({', '.join(POLYGONS)}), but the data set is {dataset.name!r}"


def _no_validation(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    if dataset.validation is not None:
        return None
    return "needs a validation set: set Evaluation(selection='validation')"


def _no_second_extractor(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    return None if evaluation.second else "needs a second extractor: set Evaluation(second_extractor=...)"


def _no_numbers(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    if dataset.shape == (1,):
        return None
    return f"needs numbers, but a sample of {dataset.name!r} has the shape {dataset.shape}"


def _rare_class(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    real_labels = dataset.selecting[1]
    assert dataset.train_labels is not None and real_labels is not None
    rarest = dataset.train_labels.bincount(minlength=dataset.n_classes).min().item()
    generated = int(evaluation.n_images * rarest / len(dataset.train))
    real = int(real_labels.bincount(minlength=dataset.n_classes).min().item())
    if min(generated, real) >= MIN_OF_A_CLASS:
        return None
    return (
        f"needs {MIN_OF_A_CLASS} samples or more of every class, but of the rarest in {dataset.name!r} there "
        f"are {real} real samples and about {generated} of {evaluation.n_images} generated ones"
    )


def _foreign_classes(evaluation: Evaluation, dataset: "Dataset") -> str | None:
    from gansweep.evaluation.extractors import CLASSIFIERS, resolve

    extractor = resolve(dataset, evaluation)
    if extractor == dataset.name:
        return None
    return (
        f"needs a classifier of the data set's own classes, as there is for {' and '.join(CLASSIFIERS)}, but "
        f"{dataset.name!r} is seen by {extractor!r}"
    )


LACK: dict[Needs, Callable[[Evaluation, "Dataset"], str | None]] = {
    "mixture": _no_mixture,
    "polygons": _no_polygons,
    "validation": _no_validation,
    "second extractor": _no_second_extractor,
    "1-D": _no_numbers,
    "labels": _rare_class,
    "own classes": _foreign_classes,
}
"""By need: the missing part as the end of a sentence, or None. A need without an entry is always met."""
