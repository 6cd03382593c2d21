"""Search spaces: plain values that say which hyperparameters are searched, and over what.

A space maps a hyperparameter's name to a `Distribution` or to a constant; `gansweep.run.search` gives them to
Optuna.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from gansweep.errors import refuse, unknown
from gansweep.fields import Field, OneOf, Within, plain

Scalar: TypeAlias = float | int | bool | str

SAMPLERS = ("random", "tpe", "qmc", "cmaes", "gp")
INDEPENDENT = ("random", "qmc")  # need no results: many of a cell are requested at once
N_BATCHES = 10  # of a search by another sampler, a guided one


@dataclass(frozen=True)
class Uniform:
    """A float in [low, high]; with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (_is_number(self.low) and _is_number(self.high)):
            refuse(f"a range is from one number to another, but got {self!r}")
        elif not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            refuse(f"low < high must hold, finite, but got {self!r}")
        elif self.log and self.low <= 0:
            refuse(f"low > 0 must hold on a logarithmic scale, but got {self!r}")

    def __repr__(self) -> str:
        """As it is written in a study."""
        return f"{'loguniform' if self.log else 'uniform'}({self.low!r}, {self.high!r})"


@dataclass(frozen=True)
class Choice:
    """One of a few values, each equally likely."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if odd := [option for option in self.options if not isinstance(option, Scalar)]:
            refuse(f"a choice is of numbers, texts, True and False, as choice(1, 5), but got {odd[0]!r}")
        elif len(self.options) < 2 or len(set(self.options)) < len(self.options):
            refuse(f"a choice needs two or more different values, but got {self!r}")

    def __repr__(self) -> str:
        """As it is written in a study."""
        return f"choice({', '.join(map(repr, self.options))})"


Distribution: TypeAlias = Uniform | Choice
Space: TypeAlias = dict[str, Distribution | Scalar]


def uniform(low: float, high: float) -> Uniform:
    """A float, uniform in [low, high]."""
    return Uniform(_end(low), _end(high))


def loguniform(low: float, high: float) -> Uniform:
    """A float in [low, high], uniform in its logarithm."""
    return Uniform(_end(low), _end(high), log=True)


def _end(value: Any) -> Any:
    """A number as a float; what is none as it is, for a sentence about it."""
    number = plain(value)
    return float(number) if _is_number(number) else number


def _is_number(value: Any) -> bool:
    """Whether it is a float, or a whole number that a float can hold."""
    return type(value) is float or (type(value) is int and abs(value) < 10**300)


def choice(*options: Scalar) -> Choice:
    """One of the given values, each equally likely."""
    return Choice(tuple(map(plain, options)))


def at_a_time(trials: int) -> int:
    """How many trials of a guided search of so many run at a time: a tenth."""
    return max(1, trials // N_BATCHES)


def contains(values: Distribution | Scalar | None, value: Scalar | None) -> bool:
    """Whether a distribution can give a value; a constant is not a distribution."""
    if isinstance(values, Uniform):
        return isinstance(value, int | float) and values.low <= value <= values.high
    return isinstance(values, Choice) and value in values.options


def mistake(name: str, values: Distribution | Scalar, field: Field) -> str | None:
    """Returns what is wrong with the values of a hyperparameter, as a sentence; None: nothing."""
    if not isinstance(values, Distribution | Scalar):
        return f"{name} must be {_ways(field)}, but the space has {values!r}{_meant(values, field)}"
    is_range = isinstance(values, Uniform)
    options: tuple[Any, ...] = (values,)
    if isinstance(values, Choice | Uniform):
        options = values.options if isinstance(values, Choice) else (values.low, values.high)
    kinds = (float, int) if field.kind is float else (field.kind,)
    if any(type(value) not in kinds for value in options) or (is_range and field.kind is not float):
        return f"{name} is of type {field.kind.__name__}, but the space has {values!r}"
    rule = field.rule
    if isinstance(rule, Within) and is_range:
        # The published range of beta1 includes its upper end, at which a trial diverges.
        rule = replace(rule, open=False)
    wrong = [option for option in options if rule is not None and not rule.holds(option)]
    if rule is None or not wrong:
        return None
    if isinstance(rule, OneOf):
        return str(unknown(name, wrong[0], rule.names))
    words = f"lie in {rule}" if isinstance(rule, Within) else f"be {rule.words}"
    return f"{name} must {words}, but the space has {values!r}"


def _ways(field: Field) -> str:
    """The ways to give values of a type."""
    ranges = "loguniform(low, high), uniform(low, high)" if field.kind is float else ""
    return ", ".join(filter(None, ("one value", ranges))) + " or choice(...)"


def _meant(values: Any, field: Field) -> str:
    """What a list of values may have been meant for."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, Scalar) for value in values):
        return ""
    inside = ", ".join(map(repr, values))
    numbers = len(values) == 2 and all(type(value) in (int, float) for value in values)
    is_range = field.kind is float and numbers and 0 < values[0] < values[1]
    between = f"loguniform({inside}) for all between, " if is_range else ""
    return f": write {between}choice({inside}) for these alone"
