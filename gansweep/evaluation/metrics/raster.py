"""Images of convex polygons, differentiable in the vertices."""

import torch
from torch import Tensor

TINY = 1e-6  # pixels


def rasterise(vertices: Tensor, side: int) -> Tensor:
    """Returns images [N, 1, side, side] of polygons [N, n, 2]: 0 inside, 1 outside, area shares at edges.

    vertices: (x, y) [pixels], x to the right and y down, in the order of their angle about the mean, so that
        the signed area is positive. Parts outside the image are cut off.

    The area within a pixel is the area to the right of its left side minus the area to the right of its right
    side. Each of them is a sum over the edges (Green's theorem).
    """
    line = torch.arange(side + 1, dtype=vertices.dtype, device=vertices.device)
    start, end = vertices.unsqueeze(2), vertices.roll(-1, 1).unsqueeze(2)  # [N, n, 1, 2]
    dx, dy = (end - start).unbind(-1)
    steep = dy.abs() > TINY
    slope = dx / dy.where(steep, 1)
    top, bottom = (
        y.maximum(line[:-1]).minimum(line[1:]) for y in (start[..., 1], end[..., 1])
    )  # of an edge's part in each row, [N, n, side]
    x = [start[..., 0] + (y - start[..., 1]) * slope for y in (top, bottom)]
    low, high = x[0].minimum(x[1]).unsqueeze(3) - line, x[0].maximum(x[1]).unsqueeze(3) - line
    # The mean of max(0, u) for u between low and high, times the height.
    mean = ((low + high) / 2).where(low > 0, high.relu().square() / (2 * (high - low + TINY)))
    right = ((bottom - top).unsqueeze(3) * mean).sum(1)  # [N, side, side + 1]
    return 1 - (right[..., :-1] - right[..., 1:]).unsqueeze(1)


def areas(vertices: Tensor) -> Tensor:
    """Returns the signed areas of polygons [..., n, 2] [square pixels]."""
    x, y = vertices.unbind(-1)
    return (x * y.roll(-1, -1) - x.roll(-1, -1) * y).sum(-1) / 2
