"""Search spaces: plain values that say which hyperparameters are searched, and over what.

A space maps a hyperparameter's name to a `Distribution` or to a constant; `gansweep.run.search` gives them to
Optuna.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

from gansweep.errors import UserError

Scalar: TypeAlias = float | int | bool | str

SAMPLERS = ("random", "tpe", "qmc", "cmaes", "gp")
INDEPENDENT = ("random", "qmc")  # need no results: all of a cell is requested at once


@dataclass(frozen=True)
class Uniform:
    """A float in [low, high]; with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(f"low < high must hold, finite, but got uniform({self.low}, {self.high})")
        if self.log and self.low <= 0:
            raise UserError(f"low > 0 must hold on a logarithmic scale, but got {self.low}")


@dataclass(frozen=True)
class Choice:
    """One of a few values, each equally likely."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if len(self.options) < 2 or len(set(self.options)) < len(self.options):
            raise UserError(f"a choice needs two or more different values, but got {self.options}")


Distribution: TypeAlias = Uniform | Choice
Space: TypeAlias = dict[str, Distribution | Scalar]


def uniform(low: float, high: float) -> Uniform:
    """A float, uniform in [low, high]."""
    return Uniform(float(low), float(high))


def loguniform(low: float, high: float) -> Uniform:
    """A float in [low, high], uniform in its logarithm."""
    return Uniform(float(low), float(high), log=True)


def choice(*options: Scalar) -> Choice:
    """One of the given values, each equally likely."""
    return Choice(options)


def contains(values: Distribution | Scalar | None, value: Scalar | None) -> bool:
    """Whether a distribution can give a value; a constant is not a distribution."""
    if isinstance(values, Uniform):
        return isinstance(value, int | float) and values.low <= value <= values.high
    return isinstance(values, Choice) and value in values.options
