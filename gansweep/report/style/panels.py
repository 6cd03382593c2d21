"""Grids of panels: one per variant with common axes, or one per data set with axes of its own."""

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.style import style

_MAX_COLUMNS = 4  # of small panels; large ones stand in two columns


@dataclass(frozen=True)
class Panels:
    """A figure, its panels in reading order, the unused places after them, and its number of columns."""

    figure: Figure
    axes: list[Axes]
    unused: list[Axes]
    n_columns: int

    @property
    def bottom(self) -> list[Axes]:
        """The panels with no other panel below."""
        return self.axes[-self.n_columns :]

    @property
    def left(self) -> list[Axes]:
        """The panels of the first column."""
        return self.axes[:: self.n_columns]

    def hide_unused(self) -> None:
        """Hide the unused places, once the panels are drawn: labels of lines are placed in that layout."""
        for ax in self.unused:
            ax.set_axis_off()

    def label(self, x: str, y: str) -> None:
        """Label the common axes, write tick labels below each column, and hide the unused places."""
        for ax in self.axes:
            ax.tick_params(labelbottom=ax in self.bottom)
        for ax in self.bottom:
            ax.set_xlabel(x)
        for ax in self.left:
            ax.set_ylabel(y)
        self.hide_unused()


def small_panels(n: int, height: float, margin: float, narrow_margin: float = 0.4) -> Panels:
    """Returns n panels in up to four columns, all with the same axes.

    height: of a row [inches]; margin: of the figure above and below [inches]; narrow_margin: left and right
    of one or two columns [inches], which are narrower than the page.
    """
    columns = min(_MAX_COLUMNS, n)
    width = style.WIDTH if columns > 2 else 2.3 * columns + narrow_margin
    return _panels(n, columns, height, margin, width, "all")


def large_panels(
    n: int, height: float, margin: float = 0.0, narrow_width: float = 4.6, share_y: bool = False
) -> Panels:
    """Returns n panels in up to two columns, each with axes of its own.

    height, margin: as of `small_panels`; narrow_width: of a figure of one column [inches]; share_y: the y
    axes are common.
    """
    columns = min(2, n)
    width = style.WIDTH if columns == 2 else narrow_width
    return _panels(n, columns, height, margin, width, "y" if share_y else "")


def _panels(n: int, columns: int, height: float, margin: float, width: float, shared: str) -> Panels:
    rows = math.ceil(n / columns)
    figure = style.new_figure(margin + height * rows, width)
    share_x, share_y = shared == "all", shared in ("all", "y")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y).flat)
    return Panels(figure, axes[:n], axes[n:], columns)
