"""What the fields of a user's values must be: the annotation of a field is its rule."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from gansweep.errors import refuse


@dataclass(frozen=True)
class Rule:
    """What a value must be, in words, and whether one is."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Within:
    """Rule: a number in [low, high], or in [low, high) if `open`; an infinite end is never included.

    The range of a hyperparameter stands on its field:

        gamma: Annotated[float, Within(0, 1)] = 0.75

    >>> str(Within(0, 1, open=True)), str(Within(0)), Within(0).holds(math.inf)
    ('[0, 1)', '[0, inf)', False)
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False

    @property
    def words(self) -> str:
        return f"a number in {self}"

    def holds(self, value: Any) -> bool:
        if type(value) not in (int, float) or math.isinf(value):
            return False
        return bool(self.low <= value < self.high or (value == self.high and not self.open))

    def __str__(self) -> str:
        left = "(" if math.isinf(self.low) else "["
        right = ")" if self.open or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"


@dataclass(frozen=True)
class OneOf:
    """Rule: one of these names."""

    names: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"one of {', '.join(self.names)}"

    def holds(self, value: Any) -> bool:
        return value in self.names


def number(words: str, holds: Callable[[float], bool]) -> Rule:
    """A float or an int; bool is none."""
    return Rule(words, lambda x: type(x) in (int, float) and holds(x))


def whole(low: int, high: int | None = None) -> Rule:
    """A whole number from low to high; bool and float are none."""
    ends = f"of at least {low}" if high is None else f"from {low} to {high}"
    top = math.inf if high is None else high
    return Rule(f"a whole number {ends}", lambda n: type(n) is int and low <= n <= top)


Count: TypeAlias = Annotated[int, whole(1, 10**9)]
Several: TypeAlias = Annotated[int, whole(2, 1000)]
Seed: TypeAlias = Annotated[int, whole(0, 2**31 - 1)]
Positive: TypeAlias = Annotated[float, number("above 0 and finite", lambda x: 0 < x < math.inf)]
Names: TypeAlias = Annotated[
    tuple[str, ...], Rule("a tuple of one or more different names", lambda value: _are_names(value))
]


def check_fields(value: Any) -> None:
    """Hold the fields of a dataclass to the rules they are annotated with, or to their plain types.

    Scalars of NumPy become values of Python first.

    >>> check_fields(Rule(words=3, holds=print))
    Traceback (most recent call last):
    gansweep.errors.UserError: words must be of type str, but got 3
    """
    make_plain(value)
    refuse(*field_mistakes(value).values())


def make_plain(value: Any) -> None:
    """Replace scalars of NumPy in the fields of a dataclass by values of Python."""
    for each in fields(value):
        object.__setattr__(value, each.name, plain(getattr(value, each.name)))


def plain(value: Any) -> Any:
    """A NumPy scalar as the value of Python that it holds; anything else as it is.

    >>> import numpy as np
    >>> plain(np.int64(5)), plain("none")
    (5, 'none')
    """
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return value.item() if is_scalar else value


def field_mistakes(value: Any) -> dict[str, str]:
    """What is wrong with the fields of a dataclass, by field: a sentence each."""
    found = {}
    for name, hint in get_type_hints(type(value), include_extras=True).items():
        rule = rule_of(hint)
        if not rule.holds(getattr(value, name)):
            found[name] = f"{name} must be {rule.words}, but got {getattr(value, name)!r}"
    return found


def _are_names(value: Any) -> bool:
    if not isinstance(value, tuple | list):
        return False
    return 0 < len(value) == len({name for name in value if isinstance(name, str)})


def rule_of(hint: Any) -> Rule | Within | OneOf:
    """The rule of a field: that of its annotation, else that its value is of the plain type."""
    if get_origin(hint) is Annotated:
        rule: Rule | Within | OneOf = hint.__metadata__[0]
        return rule
    if get_origin(hint) in (UnionType, Union):
        rules = [rule_of(each) for each in get_args(hint)]
        return Rule(" or ".join(r.words for r in rules), lambda value: any(r.holds(value) for r in rules))
    kind = get_origin(hint) or hint
    words = "None" if kind is type(None) else f"of type {kind.__name__}"
    return Rule(words, lambda value: isinstance(value, kind))


@dataclass(frozen=True)
class Field:
    """The type of a hyperparameter (float, int, str or bool) and its rule; None: any value of the type."""

    kind: type
    rule: Rule | Within | OneOf | None


def field_of(hint: Any) -> Field:
    """Returns what an annotation says; without a rule, numbers must be finite."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(hint) is Annotated:
        return Field(kind, rule_of(hint))
    return Field(kind, Within() if kind in (float, int) else None)
