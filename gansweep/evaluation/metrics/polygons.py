"""Precision, recall and F1 where the manifold of the data is known: that of convex polygons.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, section 5; the inversion of G by
    gradient descent on its latents follows Lipton and Tripathi, "Precise Recovery of Latent Vectors from
    Generative Adversarial Networks", 2017, arXiv:1702.04782.
Deviations: (1) the optimiser, which the paper does not state, is Adam with a step size that decays to 0;
    (2) restarts begin at the polygons, or samples of G, nearest to the image (at random points in the paper),
    which takes fewer steps; (3) latents outside the support of a uniform prior are clamped, not redrawn, and
    any latent is allowed under a normal prior; (4) a polygon must lie in the image with an area in AREAS.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gansweep.data.polygons import RADIUS, Polygons
from gansweep.evaluation.metrics.raster import areas, rasterise
from gansweep.evaluation.settings import N_LATENTS, Manifold

N_STARTS = 4096  # random starts of the data's kind, and as many of any kind
AREAS = (10.0, 3.15 * RADIUS**2)  # [square pixels]; excludes white and black images
CHUNK = 64  # images fitted at once: few enough for a processor's cache
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8  # Adam


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained G, for metrics that need gradients with respect to latents.

    images: latents [B, z_dim] -> images [B, C, H, W] in [0, 1], differentiable.
    prior: "uniform" on [-1, 1] or "normal".
    """

    images: Callable[[Tensor], Tensor]
    z_dim: int
    prior: str


@dataclass(frozen=True, eq=False)
class Family:
    """A family of images with continuous parameters, in which gradient descent finds the nearest image.

    draw: parameters [B, ...] -> images [B, C, H, W], differentiable.
    project: parameters -> the nearest allowed parameters.
    allowed: whether projected parameters are valid, bool [B].
    starts: parameters [S, ...] of the starts, and their images [S, C, H, W].
    """

    draw: Callable[[Tensor], Tensor]
    project: Callable[[Tensor], Tensor]
    allowed: Callable[[Tensor], Tensor]
    starts: tuple[Tensor, Tensor]
    steps: int
    lr: float  # of the first step; decays to 0


def polygon_family(
    polygons: Polygons, side: int, options: Manifold, device: str | torch.device = "cpu"
) -> Family:
    """Returns the family of all convex polygons in the image with the data's number of vertices."""
    turned = Polygons(polygons.label, polygons.n_vertices, rotation=360.0).draw(N_STARTS, seed=0).float()
    anywhere = side * torch.rand(turned.shape, generator=torch.Generator().manual_seed(0))
    vertices = torch.cat([turned, convex(anywhere)]).to(device)
    vertices = vertices[_is_valid(vertices)]
    return Family(
        draw=lambda v: rasterise(v, side),
        project=lambda v: convex(v.clamp(0, side)),
        allowed=_is_valid,
        starts=(vertices, rasterise(vertices, side)),
        steps=options.vertex_steps,
        lr=options.vertex_lr,
    )


def _is_valid(vertices: Tensor) -> Tensor:
    area = areas(vertices)
    return (area >= AREAS[0]) & (area <= AREAS[1])


def generator_family(generator: Generator, options: Manifold, device: str | torch.device = "cpu") -> Family:
    """Returns the family of all images that a generator makes from the support of its prior."""
    shape, draws = (N_LATENTS, generator.z_dim), torch.Generator().manual_seed(0)
    uniform = generator.prior == "uniform"
    z = torch.rand(shape, generator=draws) * 2 - 1 if uniform else torch.randn(shape, generator=draws)
    z = z.to(device)
    with torch.no_grad():
        images = torch.cat([generator.images(part) for part in z.split(CHUNK)])
    return Family(
        draw=generator.images,
        project=lambda z: z.clamp(-1, 1) if uniform else z,
        allowed=lambda z: torch.ones(len(z), dtype=torch.bool, device=z.device),
        starts=(z, images),
        steps=options.latent_steps,
        lr=options.latent_lr,
    )


def convex(vertices: Tensor) -> Tensor:
    """Returns vertices [B, n, 2] ordered by angle about their mean, with a reflex vertex moved to its chord.

    The order makes every triangle convex; a quadrilateral has at most one reflex vertex.
    """
    centred = vertices - vertices.mean(1, keepdim=True)
    order = torch.atan2(centred[..., 1], centred[..., 0]).argsort(1)
    vertices = vertices.gather(1, order.unsqueeze(2).expand_as(vertices))
    before, after = vertices.roll(1, 1), vertices.roll(-1, 1)
    chord, side = after - before, vertices - before
    reflex = chord[..., 0] * side[..., 1] > chord[..., 1] * side[..., 0]
    share = (side * chord).sum(2) / chord.square().sum(2).clamp(min=1e-12)
    return vertices.where(~reflex.unsqueeze(2), before + share.clamp(0, 1).unsqueeze(2) * chord)


def precision(images: Tensor, polygons: Polygons, options: Manifold) -> float:
    """Returns the share of generated images [N, 1, side, side] closer to a polygon than the threshold."""
    return _share_near(images, polygon_family(polygons, images.shape[-1], options, images.device), options)


def recall(images: Tensor, generator: Generator, options: Manifold) -> float:
    """Returns the share of real images [N, 1, side, side] closer to a sample of G than the threshold."""
    return _share_near(images, generator_family(generator, options, images.device), options)


def f1(precision: float, recall: float) -> float:
    """Returns the harmonic mean of precision and recall; 0 if both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(images: Tensor, family: Family, options: Manifold) -> float:
    gaps = distances(images, family, options.restarts, enough=options.threshold)
    return (gaps < options.threshold).double().mean().item()


def distances(images: Tensor, family: Family, restarts: int, enough: float = 0.0) -> Tensor:
    """Returns the squared distance [N] of each image [N, C, H, W] in [0, 1] to the nearest image of a family.

    It is an upper bound: descent may miss the nearest image. Descent stops below the distance `enough`.
    """
    parameters, candidates = family.starts
    found = []
    for part in images.split(CHUNK):
        gaps = torch.cdist(part.flatten(1), candidates.flatten(1))
        start = parameters[gaps.topk(restarts, largest=False).indices]
        found.append(_descend(part, start, family, enough))
    return torch.cat(found)


def _descend(images: Tensor, start: Tensor, family: Family, enough: float) -> Tensor:
    """Returns the smallest squared distance [B] on the paths from R starts per image, [B, R, ...]."""
    best = torch.full(start.shape[:1], torch.inf, device=images.device)
    place = torch.arange(len(images), device=images.device)  # indices of the unfinished images
    p, m, v = start, torch.zeros_like(start), torch.zeros_like(start)
    for step in range(family.steps):
        loss, slope = _distances_and_slopes(images[place], p, family)
        best[place] = best[place].minimum(loss.amin(1))
        going = best[place] >= enough
        place, p, m, v, slope = (tensor[going] for tensor in (place, p, m, v, slope))
        if not len(place):
            break
        m, v = m.lerp(slope, 1 - BETA1), v.lerp(slope.square(), 1 - BETA2)
        unbiased = (1 - BETA2 ** (step + 1)) ** 0.5 / (1 - BETA1 ** (step + 1))
        size = family.lr * (1 - step / family.steps) * unbiased
        p = family.project((p - size * m / (v.sqrt() + EPSILON)).flatten(0, 1)).view_as(p)
    return best


def _distances_and_slopes(images: Tensor, p: Tensor, family: Family) -> tuple[Tensor, Tensor]:
    """Returns squared distances [B, R], infinite for invalid parameters [B, R, ...], and their gradients."""
    flat = p.flatten(0, 1).detach().requires_grad_()
    drawn = family.draw(flat).flatten(1).view(*p.shape[:2], -1)
    loss = (drawn - images.flatten(1).unsqueeze(1)).square().sum(2)
    (slope,) = torch.autograd.grad(loss.sum(), flat)
    counts = family.allowed(flat.detach()).view_as(loss)
    return loss.detach().where(counts, torch.inf), slope.view_as(p)
