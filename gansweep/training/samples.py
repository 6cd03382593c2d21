"""Draws samples of a pack and encodes them as PNG images and NumPy arrays."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import quantised
from gansweep.evaluation.metrics.polygons import Generator
from gansweep.training.binding import sampling_labels
from gansweep.training.pack import Pack
from gansweep.training.randomness import latents


def member_generator(pack: Pack, i: int) -> Generator:
    """Returns the generator of member i, for metrics that optimise over its latents."""
    return Generator(pack.generate(i), pack.z_dim, pack.prior)


def draw_samples(pack: Pack, evaluation: Evaluation) -> tuple[Tensor, Tensor | None, list[bool]]:
    """Draws samples with the latents and labels that all members of all packs share.

    Returns samples [P, S, ...] on the CPU (images as uint8); the requested labels [S], or None for
    unconditional members; and for each member whether all its samples are finite.
    """
    generator = torch.Generator().manual_seed(evaluation.seed)
    z = latents((evaluation.n_images, pack.z_dim), pack.prior, generator)
    y = None
    if pack.members[0].is_conditional:
        y = sampling_labels(pack.dataset, evaluation.n_images, evaluation.seed)
    chunks, is_finite = [], torch.ones(len(pack), dtype=torch.bool, device=pack.device)
    for chunk in pack.samples(z, y):
        is_finite &= (chunk.flatten(1) * 0).sum(1) == 0  # NaN and inf times 0 are NaN; faster than isfinite
        chunks.append((quantised(chunk) if pack.dataset.kind == "image" else chunk).cpu())
    return torch.cat(chunks, 1), y, is_finite.tolist()


def by_class(samples: Tensor, labels: Tensor) -> Tensor:
    """Returns the first eight samples of each of the first ten classes; white images fill up short rows."""
    rows = []
    for label in labels.unique()[:10]:
        some = samples[labels == label][:8]
        rows.append(torch.cat([some, some.new_full((8 - len(some), *some.shape[1:]), 255)]))
    return torch.cat(rows)


def array(samples: Tensor) -> bytes:
    """Returns samples as the content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, samples.numpy(), allow_pickle=False)
    return buffer.getvalue()


def grid(images: Tensor, columns: int = 8) -> bytes:
    """Returns a PNG of images [S, C, H, W] uint8 in a grid, one pixel apart. columns: images in a row.

    It is the picture of torchvision's `make_grid`, whose import takes as long as that of torch.
    """
    n, _, height, width = images.shape
    n_wide = min(columns, n)
    margin = int(n > 1)  # one image alone has none
    canvas = images.new_full(
        (3, -(-n // n_wide) * (height + margin) + margin, n_wide * (width + margin) + margin), 255
    )
    for i, image in enumerate(images):
        top, left = (i // n_wide) * (height + margin) + margin, (i % n_wide) * (width + margin) + margin
        canvas[:, top : top + height, left : left + width] = image
    buffer = io.BytesIO()
    Image.fromarray(canvas.permute(1, 2, 0).numpy()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
