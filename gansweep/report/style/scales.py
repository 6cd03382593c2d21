"""How searched hyperparameters are laid out: positions, bins and axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gansweep.report.comparison import Comparison
from gansweep.report.style.logarithmic import log_axis
from gansweep.space import Choice, Distribution

_MAX_BINS, MIN_TRIALS_PER_BIN = 6, 4  # statistics of a bin need four trials


@dataclass(frozen=True)
class Scale:
    """How one searched hyperparameter becomes a position on the x axis."""

    kind: str
    values: tuple[Any, ...]

    def positions(self, values: pd.Series) -> NDArray[np.float64]:
        """A choice's index, or the value itself: [n]; NaN where a default has none or no option."""
        if self.kind == "choice":
            index = {value: place for place, value in enumerate(self.values)}
            return np.array([index.get(value, np.nan) for value in values], float)
        return pd.to_numeric(values).to_numpy(float, na_value=np.nan)

    def edges(self, n: int) -> NDArray[np.float64]:
        """The bounds of the bins for n trials: [bins + 1]; each option of a choice is a bin."""
        if self.kind == "choice":
            return np.linspace(-0.5, len(self.values) - 0.5, len(self.values) + 1)
        bins = min(_MAX_BINS, max(1, n // (2 * MIN_TRIALS_PER_BIN)))
        spaced = np.geomspace if self.kind == "loguniform" else np.linspace
        return np.asarray(spaced(self.values[0], self.values[1], bins + 1), float)

    def centres(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind == "loguniform":
            return np.sqrt(edges[:-1] * edges[1:])
        return (edges[:-1] + edges[1:]) / 2

    def set_axis(self, ax: Axes, extra: NDArray[np.float64]) -> None:
        """Prepare the x axis; the axis includes positions in `extra` (of the default)."""
        if self.kind == "choice":
            ax.set_xlim(-0.6, len(self.values) - 0.4)
            ax.set_xticks(range(len(self.values)), [option(value) for value in self.values])
            return
        low, high = min([self.values[0], *extra]), max([self.values[1], *extra])
        if self.kind == "loguniform":
            room = (high / low) ** 0.05
            figure = ax.get_figure(root=True)
            assert figure is not None
            inches = ax.get_window_extent().width / figure.dpi
            log_axis(ax.xaxis, low / room, high * room, most=max(2, min(4, int(inches / 0.32))))
        else:
            room = 0.05 * (high - low)
            ax.set_xlim(low - room, high + room)
            ax.locator_params(axis="x", nbins=3)


def option(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _scale_of(values: Distribution) -> Scale:
    """Returns how the values of a distribution are laid out."""
    if isinstance(values, Choice):
        return Scale("choice", values.options)
    return Scale("loguniform" if values.log else "uniform", (values.low, values.high))


def searched(comparison: Comparison) -> dict[str, dict[str, Scale]]:
    """The scales of all searched hyperparameters, as [parameter][variant]; the most shared ones first."""
    scales: dict[str, dict[str, Scale]] = {}
    for variant in comparison.variants:
        for name, values in comparison.manifest.space(variant).items():
            if isinstance(values, Distribution):
                scales.setdefault(name, {})[variant] = _scale_of(values)
    return dict(sorted(scales.items(), key=lambda item: (-len(item[1]), item[0])))
