"""Distortions of real images at several levels: noise, blur, blends, missing classes, repetitions."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation.evaluator import to_uint8

Worsen = Callable[[Tensor, Tensor | None, float, torch.Generator], Tensor]


@dataclass(frozen=True)
class Kind:
    """A way to make images worse, and how far: levels lie between `low` and `high`.

    worsen: (uint8 images [N, C, H, W], labels [N] or None, level, stream) -> uint8 images [N, C, H, W].
    """

    label: str
    level: str  # what it measures
    hue: str
    marker: str
    low: float
    high: float
    worsen: Worsen
    needs_labels: bool = False

    def levels(self, n: int) -> list[float]:
        """n levels in equal ratios from low to high."""
        return [float(level) for level in np.geomspace(self.low, self.high, n)]


def _noise(images: Tensor, labels: Tensor | None, sd: float, stream: torch.Generator) -> Tensor:
    """Gaussian noise on every value in [0, 1]."""
    return to_uint8(images.float() / 255 + sd * torch.randn(images.shape, generator=stream))


def _blur(images: Tensor, labels: Tensor | None, width: float, stream: torch.Generator) -> Tensor:
    """A Gaussian kernel with a standard deviation of `width` sides of the image."""
    sd = width * images.shape[-1]
    size = 2 * math.ceil(3 * sd) + 1
    most = 2 * (min(images.shape[-2:]) - 1) + 1  # no more than a reflection holds
    return to_uint8(gaussian_blur(images.float() / 255, min(size, most), sd)) if sd else images


def _blend(images: Tensor, labels: Tensor | None, share: float, stream: torch.Generator) -> Tensor:
    """Another image shining through each."""
    others = images[torch.randperm(len(images), generator=stream)]
    return to_uint8(torch.lerp(images.float() / 255, others.float() / 255, share))


def _lose_classes(images: Tensor, labels: Tensor | None, share: float, stream: torch.Generator) -> Tensor:
    """The share of the classes, from the last on, replaced by images of the others."""
    assert labels is not None
    n_classes = int(labels.max()) + 1
    retained = torch.nonzero(labels < max(1, round(n_classes * (1 - share)))).flatten()
    return images[retained[torch.randint(len(retained), (len(images),), generator=stream)]]


def _repeat(images: Tensor, labels: Tensor | None, copies: float, stream: torch.Generator) -> Tensor:
    """Fewer different images, each about `copies` times."""
    distinct = max(1, round(len(images) / copies))
    return images[torch.randint(distinct, (len(images),), generator=stream)]


KINDS = {
    "noise": Kind("Gaussian noise", "sd, as a share of the range of values", "blue", "o", 0.02, 0.5, _noise),
    "blur": Kind("Gaussian blur", "sd, as a share of the image’s side", "verm", "s", 0.03, 0.15, _blur),
    "blend": Kind("blend of two images", "share of the other", "green", "^", 0.05, 0.5, _blend),
    "classes": Kind("missing classes", "share missing", "orange", "D", 0.1, 0.9, _lose_classes, True),
    "copies": Kind("repeated images", "copies of each", "purple", "v", 2, 200, _repeat),
}


def require_images(dataset: Dataset, experiment: str) -> None:
    """Refuse vectors, which can be neither blurred nor seen by a network.

    Raises:
        UserError: the samples are not images.
    """
    if dataset.kind != "image":
        raise UserError(f"{experiment} needs a data set of images, but {dataset.name!r} has vectors")
