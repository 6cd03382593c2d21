"""Whether a data set and a study have what metrics need: said before anything is trained.

Data sets and extractors are imported where they are used: the package is imported where torch is not wanted.
"""

from typing import TYPE_CHECKING

from gansweep.errors import UserError
from gansweep.evaluation.settings import Evaluation
from gansweep.results.metrics import METRICS

if TYPE_CHECKING:
    from gansweep.data import Dataset

MIN_OF_A_CLASS = 20  # samples: fewer have no covariance to speak of


def check_metrics(evaluation: Evaluation, dataset: "Dataset", conditional: bool) -> None:
    """Refuse metrics that generators of a data set cannot have; `conditional`: they are given labels.

    Raises:
        UserError: the first requested metric that needs something missing.
    """
    for metric in evaluation.metrics:
        lack = _lack(METRICS[metric].needs, evaluation, dataset, conditional)
        if lack:
            raise UserError(f"metric {metric!r} {lack}")


def _lack(needs: str, evaluation: Evaluation, dataset: "Dataset", conditional: bool) -> str | None:
    """What is missing, as the end of a sentence."""
    from gansweep.data import MIXTURES, POLYGONS

    if needs == "mixture" and dataset.name not in MIXTURES:
        return f"needs a mixture ({', '.join(MIXTURES)}), but the data set is {dataset.name!r}"
    if needs == "polygons" and dataset.name not in POLYGONS:
        return f"needs polygons ({', '.join(POLYGONS)}), but the data set is {dataset.name!r}"
    if needs == "validation" and dataset.validation is None:
        return "needs a validation set: set Evaluation(selection='validation')"
    if needs == "second extractor" and evaluation.second is None:
        return "needs a second extractor: set Evaluation(second_extractor=...)"
    if needs == "1-D" and dataset.shape != (1,):
        return f"needs numbers, but a sample of {dataset.name!r} has the shape {dataset.shape}"
    if needs in ("labels", "own classes") and not conditional:
        return "needs generators that are given labels: set Study(conditional=...)"
    if needs == "labels":
        return _rare_class(evaluation, dataset)
    if needs == "own classes":
        return _foreign_classes(evaluation, dataset)
    return None


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
