"""What a hyperparameter may be, and what is wrong with values that a space gives it. No torch."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from gansweep.errors import unknown
from gansweep.fields import OneOf, Rule, Within, rule_of
from gansweep.space import Choice, Distribution, Scalar, Uniform

AnyRule: TypeAlias = Rule | Within | OneOf


@dataclass(frozen=True)
class Field:
    """The type of a hyperparameter (float, int, str or bool) and its rule; None: any value of the type."""

    kind: type
    rule: AnyRule | None


def field_of(hint: Any) -> Field:
    """Returns what an annotation says; without a rule, numbers must be finite."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(hint) is Annotated:
        return Field(kind, rule_of(hint))
    return Field(kind, Within() if kind in (float, int) else None)


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
