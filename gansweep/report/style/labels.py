"""Labels at the ends of lines, in place of a legend."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from gansweep.report.style.style import Look


def _dodge(positions: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as needed to lie `gap` apart inside [low, high], keeping their order.

    >>> _dodge([1.0, 1.0], 2.0, 0.0, 10.0)
    [0.0, 2.0]
    """
    order = np.argsort(positions, kind="stable")
    room = gap * np.arange(len(positions))
    # Positions that lie `gap` apart are a non-decreasing sequence once the gaps are subtracted.
    level = _non_decreasing(np.array(positions, float)[order] - room)
    spread = np.clip(level, low, max(low, high - gap * (len(positions) - 1))) + room
    result = np.empty(len(positions))
    result[order] = spread
    return [float(value) for value in result]


def _non_decreasing(values: np.ndarray) -> np.ndarray:
    """The nearest non-decreasing sequence in least squares (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = float(value), 1
        while blocks and blocks[-1][0] > mean:
            earlier, count = blocks.pop()
            mean = (mean * size + earlier * count) / (size + count)
            size += count
        blocks.append((mean, size))
    return np.concatenate([np.full(size, mean) for mean, size in blocks])


def end_labels(ax: Axes, ends: list[tuple[Look, float, float]]) -> None:
    """Name lines at the right of the axes, by leader lines from their ends (x, y), without overlap."""
    if not ends:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    heights = [ax.transData.transform((x, y))[1] * points for _, x, y in ends]
    box = ax.get_window_extent()
    spread = _dodge(heights, 8.8, box.y0 * points + 3, box.y1 * points - 3)
    for (look, x, y), height, target in zip(ends, heights, spread, strict=True):
        beside = offset_copy(ax.get_yaxis_transform(), figure, 12, target - height, units="points")
        ax.annotate(
            look.label,
            xy=(x, y),
            xytext=(1, y),
            textcoords=beside,  # of the right edge, which the layout moves to make room
            color=look.text_color,
            fontsize=7.2,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": look.color, "lw": 0.6, "shrinkA": 0, "relpos": (0, 0.5)},
        )
