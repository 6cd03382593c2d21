"""Logarithmic axes, on which values that have no logarithm are seen, too."""

import math

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray


def log_limits(values: ArrayLike, below: float, above: float) -> tuple[float, float]:
    """From `below` times the lowest to `above` times the highest of the values that are finite and above 0.

    >>> log_limits([2.0, 4.0, -1.0, math.inf], 0.5, 2.0), log_limits([0.0], 0.5, 2.0)
    ((1.0, 8.0), (1.0, 10.0))
    """
    found = np.asarray(values, float)
    found = found[np.isfinite(found) & (found > 0)]
    return (below * float(found.min()), above * float(found.max())) if found.size else (1.0, 10.0)


def log_axis(axis: Axis, low: float, high: float, most: int = 7, last: float = math.inf) -> None:
    """A logarithmic axis from low > 0 to high with round, plainly written ticks, none above `last`.

    What has no logarithm, such as an FID of 0 or an unbiased estimate below it, lies at the low end.
    """

    def forward(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log10(np.where(np.asarray(values) > 0, values, low)))

    def backward(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(10.0 ** np.asarray(values))

    name = "x" if axis is axis.axes.xaxis else "y"
    getattr(axis.axes, f"set_{name}scale")("function", functions=(forward, backward))
    axis.axes.set(**{f"{name}lim": (low, high)})
    axis.set_major_locator(FixedLocator(_log_ticks(low, min(high, last), most)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axis.set_minor_locator(NullLocator())


def _log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """At most `most` round numbers in [low, high], the densest such series.

    >>> _log_ticks(1, 100)
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    series: list[tuple[float, ...]] = [(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 4, 5, 7)]
    for digits in [*series, (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)]:
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]


def _plain(value: float) -> str:
    """A tick's text.

    >>> _plain(1e-4), _plain(0.5), _plain(2000.0)
    ('10⁻⁴', '0.5', '2000')
    """
    exponent = math.log10(abs(value)) if value else 0.0
    if abs(exponent) >= 3 and math.isclose(exponent, round(exponent), abs_tol=1e-9) and exponent != 3:
        return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value:g}"
