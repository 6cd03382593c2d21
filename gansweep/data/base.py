"""A data set as tensors in memory; hashing, splitting and saving of tensors."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gansweep.errors import UserError

Kind = Literal["image", "vector"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test samples. Images: uint8 [N, C, H, W] in 0..255; vectors: float32 [N, d].

    Labels are int64 [N], classes or mixture components, or None. `sha256` is the hash of the content of all
    tensors: data sets with equal `sha256` are equal.
    """

    name: str
    label: str  # in figures and tables
    kind: Kind
    train: Tensor
    test: Tensor
    train_labels: Tensor | None
    test_labels: Tensor | None
    sha256: str
    preprocessing: str  # a sentence
    validation: Tensor | None = None  # held out of `train`, for selection; see `with_validation`
    validation_labels: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) or (d,)."""
        return tuple(self.train.shape[1:])

    @property
    def n_classes(self) -> int:
        """The number of classes, labelled 0, 1, ...; 0 without labels."""
        labels = (self.train_labels, self.test_labels, self.validation_labels)
        return max((int(part.max()) + 1 for part in labels if part is not None and len(part)), default=0)

    def to(self, device: torch.device | str) -> "Dataset":
        """Returns the data set on a device."""
        return replace(
            self,
            train=self.train.to(device),
            test=self.test.to(device),
            train_labels=None if self.train_labels is None else self.train_labels.to(device),
            test_labels=None if self.test_labels is None else self.test_labels.to(device),
            validation=None if self.validation is None else self.validation.to(device),
            validation_labels=None if self.validation_labels is None else self.validation_labels.to(device),
        )

    def with_validation(self) -> "Dataset":
        """Returns the data set with a validation set that is held out of the training samples.

        The validation set is as large as the test set, at most a quarter of the training set, and the same at
        every call.
        """
        rest, held = split(len(self.train), min(len(self.test), len(self.train) // 4))
        labels = self.train_labels
        return replace(
            self,
            train=self.train[rest],
            train_labels=None if labels is None else labels[rest],
            validation=self.train[held],
            validation_labels=None if labels is None else labels[held],
        )

    @property
    def selecting(self) -> tuple[Tensor, Tensor | None]:
        """The samples and labels whose FID selects: the validation set, else the test set."""
        if self.validation is None:
            return self.test, self.test_labels
        return self.validation, self.validation_labels

    def batch(self, index: Tensor) -> Tensor:
        """Returns training samples, float32 [*index.shape, *shape]; images lie in [0, 1]."""
        samples = self.train[index]
        return samples.float() / 255 if self.kind == "image" else samples


def make(
    name: str,
    label: str,
    train: Tensor,
    test: Tensor,
    preprocessing: str,
    labels: tuple[Tensor, Tensor] | None = None,
) -> Dataset:
    """Returns a data set with its hash. uint8 samples are images, all others vectors.

    labels: of the training and the test samples, int64.

    Raises:
        UserError: there is not one label for each sample, or a class has no training sample.
    """
    kind: Kind = "image" if train.dtype == torch.uint8 else "vector"
    train_labels, test_labels = labels or (None, None)
    if labels is not None:
        _check_labels(name, (train, test), labels)
    tensors = (train, test, *(labels or ()))
    sha256 = content_hash(tensors)
    return Dataset(name, label, kind, train, test, train_labels, test_labels, sha256, preprocessing)


def _check_labels(name: str, samples: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor]) -> None:
    for part, own, which in zip(samples, labels, ("training", "test"), strict=True):
        if len(part) != len(own):
            raise UserError(
                f"data set {name!r} has {len(part):,} {which} samples, but {len(own):,} labels for them: "
                "each must have one"
            )
    known = set(labels[0].unique().tolist())
    lowest, highest = (int(limit) for limit in torch.cat(labels).aminmax())
    if lowest < 0:
        raise UserError(f"data set {name!r} has the label {lowest}, but labels must be at least 0")
    for label in range(highest + 1):
        if label not in known:
            raise UserError(
                f"data set {name!r} has labels up to {highest}, but no training sample of class {label}: the "
                "labels must be 0, 1, 2 and so on, each with a training sample"
            )


def content_hash(tensors: Iterable[Tensor]) -> str:
    """Returns the SHA-256, in hex, of the types, shapes and values of tensors in their order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.contiguous().numpy()
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view("uint8").data)
    return digest.hexdigest()


def split(n: int, n_test: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns a fixed random split of 0..n-1 into training and test indices, both in ascending order."""
    # RandomState: its streams are the same in every version of NumPy and on every machine.
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n))
    return order[n_test:].sort().values, order[:n_test].sort().values


def machine_memory() -> int:
    """Returns the memory of this machine [bytes]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
