"""Features of real samples; every experiment extracts them once and draws subsets."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.extractors import features_by
from gansweep.evaluation.reference import describe
from gansweep.evaluation.weights import weights_file


def load_extractor(dataset: Dataset, evaluation: Evaluation) -> tuple[str, Callable[[Tensor], Tensor]]:
    """The extractor that an evaluation uses on a data set, on a GPU if there is one: its name, and what FID
    compares, a function of uint8 images or float vectors [N, ...] -> float64 [N, D].

    Raises:
        UserError: the extractor does not fit the data set, or its weights are missing.
    """
    name = str(describe(dataset, evaluation)["extractor"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return name, features_by(name, weights_file(name, evaluation.weights), device)


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """The features [N, D] of all samples of a data set, the training samples first; labels int64 [N]."""

    identifying_columns: dict[str, str | int]  # the first columns of an experiment's table
    train: Tensor
    test: Tensor
    labels: Tensor | None

    @property
    def all(self) -> Tensor:
        return torch.cat([self.train, self.test])


def real_features(dataset: Dataset, evaluation: Evaluation) -> RealFeatures:
    """One pass of the extractor over training and test samples.

    Raises:
        UserError: as `load_extractor`.
    """
    extractor, extract = load_extractor(dataset, evaluation)
    train, test = extract(dataset.train), extract(dataset.test)
    has_labels = dataset.train_labels is not None and dataset.test_labels is not None
    labels = torch.cat([dataset.train_labels, dataset.test_labels]) if has_labels else None  # type: ignore
    return RealFeatures(identifying_columns(dataset, extractor, train.shape[1]), train, test, labels)


def identifying_columns(dataset: Dataset, extractor: str, n_features: int) -> dict[str, str | int]:
    """The first columns of every table."""
    return {
        "dataset": dataset.name,
        "label": dataset.label,
        "extractor": extractor,
        "n_features": n_features,
    }


def shuffled(n: int, stream: np.random.RandomState) -> Tensor:
    """0..n-1 in random order, int64 [n]."""
    return torch.from_numpy(stream.permutation(n))
