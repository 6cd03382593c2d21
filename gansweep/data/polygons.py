"""Convex polygons on a white background: images whose manifold is known.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5 (the family C_n), with the
    settings of the authors' released generator.
Deviations: (1) the 10,000 images that the paper holds out besides the test set are not made; (2) the random
    stream is numpy's, so the images are others of the same distribution; (3) values are rounded to 8 bits.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gansweep.data.base import Dataset, make

N_TRAIN, N_TEST = 60_000, 10_000
SIDE = 28  # [pixels]
SUBPIXELS = 8  # per pixel and direction
RADIUS = 10.5  # [pixels] of the circle of the vertices: 0.75 of half the side
MIN_ANGLE = 20.0  # [degrees]
CHUNK = 1000  # images drawn at once: 50 megabytes


@dataclass(frozen=True)
class Polygons:
    """Polygons inscribed in a circle, rotated by an angle uniform in [0, rotation) [degrees]."""

    label: str
    n_vertices: int
    rotation: float

    def draw(self, n: int, seed: int) -> Tensor:
        """Returns the vertices (x, y) of n polygons [pixels], float64 [n, n_vertices, 2], ordered by angle.

        A vertex is uniform in its part of its own segment of the circle, so that neighbours are MIN_ANGLE / 2
        apart at least; then the mean of the vertices is moved to the centre of the image.
        """
        random = np.random.RandomState(seed)
        segment = 360 / self.n_vertices
        offset = MIN_ANGLE / 2 + random.random_sample((n, self.n_vertices)) * (segment - MIN_ANGLE / 2)
        turned = self.rotation * random.random_sample((n, 1))
        angle = np.radians(segment * np.arange(self.n_vertices) + offset + turned)
        vertices = torch.from_numpy(RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=2))
        return vertices - vertices.mean(1, keepdim=True) + SIDE / 2


# The released generator uses 2 pi as degrees, so its polygons are rotated by 6.3 degrees at most.
QUIRK = 2 * math.pi
POLYGONS = {
    "triangles": Polygons("Triangles", 3, QUIRK),
    "triangles_turned": Polygons("Triangles, any rotation", 3, 360.0),
    "squares": Polygons("Squares (4-gons)", 4, QUIRK),
}


def load_polygons(name: str, root: Path) -> Dataset:
    """Draw triangles or 4-gons with a fixed seed, without labels, in some seconds."""
    polygons = POLYGONS[name]
    vertices = polygons.draw(N_TRAIN + N_TEST, seed=0)
    images = torch.cat([supersampled(part) for part in vertices.split(CHUNK)])
    return make(
        name,
        polygons.label,
        images[:N_TRAIN],
        images[N_TRAIN:],
        f"{N_TRAIN:,} training and {N_TEST:,} test images of 28×28 drawn once from a fixed seed, black on "
        "white, the mean of 8×8 points in each pixel.",
    )


def supersampled(vertices: Tensor) -> Tensor:
    """Returns images, uint8 [N, 1, SIDE, SIDE], of convex polygons [N, n, 2]: 0 inside, 255 outside.

    A pixel is the share of the centres of its SUBPIXELS x SUBPIXELS cells that lie outside.
    """
    inside = _counts(*_crossings(vertices)).view(len(vertices), SIDE, SUBPIXELS, SIDE).sum(2)
    return (255 * (1 - inside / SUBPIXELS**2)).round().to(torch.uint8).unsqueeze(1)


def _crossings(vertices: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the x at which rows of cell centres enter and leave polygons, each [N, SIDE * SUBPIXELS].

    A row that misses the polygon enters it at infinity.
    """
    y = (torch.arange(SIDE * SUBPIXELS, dtype=vertices.dtype) + 0.5) / SUBPIXELS
    start, end = vertices.unsqueeze(2), vertices.roll(-1, 1).unsqueeze(2)  # [N, n, 1, 2]
    share = (y - start[..., 1]) / (end[..., 1] - start[..., 1])
    x = start[..., 0] + share * (end[..., 0] - start[..., 0])
    hit = (share >= 0) & (share < 1)
    return x.where(hit, torch.inf).amin(1), x.where(hit, -torch.inf).amax(1)


def _counts(enter: Tensor, leave: Tensor) -> Tensor:
    """Returns the number of cell centres of each pixel between two x, uint8 [N, rows, SIDE]."""
    first = SUBPIXELS * torch.arange(SIDE, dtype=torch.int16)
    # Small integers are three times as fast as floating point.
    passed = [(SUBPIXELS * x + 0.5).floor().clamp(0, SIDE * SUBPIXELS).short() for x in (enter, leave)]
    left, right = ((n.unsqueeze(2) - first).clamp(0, SUBPIXELS) for n in passed)
    return (right - left).clamp(min=0).to(torch.uint8)
