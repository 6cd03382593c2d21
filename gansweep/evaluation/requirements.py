"""Refuses metrics that a data set or a study cannot have, before anything is trained.

Data sets and extractors are imported inside functions: the package is imported where torch is not wanted.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gansweep.errors import UserError
from gansweep.evaluation.settings import Evaluation
from gansweep.results.metrics import METRICS, Needs

if TYPE_CHECKING:
    from gansweep.data import Dataset

MIN_OF_A_CLASS = 20  # samples; fewer are too few for a covariance estimate


def check_metrics(evaluation: Evaluation, dataset: "Dataset", conditional: bool) -> None:
    """Refuse metrics that generators of a data set cannot have. conditional: the generators are given labels.

    Raises:
        UserError: the first requested metric that needs something missing.
    """
    for metric in evaluation.metrics:
        needs = METRICS[metric].needs
        if needs in ("labels", "own classes") and not conditional:
            raise UserError(
                f"metric {metric!r} needs generators that are given labels: set Study(conditional=...)"
            )
        lack = LACK[needs](evaluation, dataset) if needs in LACK else None
        if lack:
            raise UserError(f"metric {metric!r} {lack}")


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
