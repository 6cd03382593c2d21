"""What the JSON files of a results folder hold. Others may have written them, so what is read is held to it.

An outline is a type or a union of types; {name: outline} for an object with these names and perhaps more;
{str: outline} for an object of any names; Maybe(outline) for a name that may be missing; [outline] for a
list; (outline, ...) for alternatives; or a function that says whether a value will do.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args

from gansweep.errors import UserError


@dataclass(frozen=True)
class Maybe:
    """What a field of an object must be, if it is there: files of early versions lack it."""

    outline: "Outline"


Outline: TypeAlias = (
    type
    | UnionType
    | Maybe
    | dict[Any, "Outline"]
    | list["Outline"]
    | tuple["Outline", ...]
    | Callable[[Any], bool]
)

NUMBER = float | int
SCALAR = float | int | str | None  # bool is an int
FILE_NAMES = ("trial_id", "pack")  # of a row: files are called after them
NAME = re.compile(r"[\w@+-][\w@.+-]*")
LARGEST = 2**63  # what a column of whole numbers cannot hold


def is_time(value: Any) -> bool:
    """Whether it is a time as `results.now` writes it."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_name(value: Any) -> bool:
    """Whether it may be the name of a file or folder: it leads nowhere else.

    >>> [is_name(value) for value in ("digits-ns-0003", "../ns", ".", "/tmp/x")]
    [True, False, False, False]
    """
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def is_named(row: Any) -> bool:
    """Whether files may be called after what is in a row."""
    return isinstance(row, dict) and all(is_name(row[key]) for key in FILE_NAMES if key in row)


def is_searched(value: Any) -> bool:
    """Whether it is a distribution of a space as JSON."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((kind, values),) = value.items()
    if not isinstance(values, list) or not all(isinstance(each, SCALAR) for each in values):
        return False
    if kind == "choice":
        return len(values) > 1
    is_range = len(values) == 2 and all(isinstance(each, NUMBER) for each in values)
    return (
        is_range and (kind == "uniform" or (kind == "loguniform" and values[0] > 0)) and values[0] < values[1]
    )


def is_halving(value: Any) -> bool:
    """Whether it is how a study halves, within what can be."""
    least = {"eta": 2, "first": 1, "size": 2, "brackets": 1}
    return isinstance(value, dict) and all(
        type(value.get(name)) is int and low <= value[name] <= 100_000 for name, low in least.items()
    )


MANIFEST: Outline = {
    **dict.fromkeys(("study", "question", "command", "gansweep", "python", "platform", "sampler"), str),
    **{"created": is_time, "updated": is_time, "wall_seconds": NUMBER, "sampler_seed": int},
    "planned_trials": int,
    "git": ({"commit": str, "dirty": bool}, NoneType),
    "packages": {str: str},
    "hardware": {str: object},
    "datasets": {
        str: {
            "label": str,
            "n_train": int,
            "n_test": int,
            "shape": [int],
            "preprocessing": str,
            "sha256": str,
        }
    },
    "metrics": {
        str: {
            **{"dataset": str, "extractor": str, "split": str, "n_images": int, "n_real": int},
            "floor": ({str: NUMBER}, NoneType),
        }
    },
    "collapse_above": {str: NUMBER},
    "variants": {str: {"label": str, "source": str, "deviations": [str], "hue": str, "marker": str}},
    "spaces": {str: {str: (SCALAR, is_searched)}},
    "defaults": {str: {str: SCALAR}},
    "selection": {str: str},
    "same_configurations": bool,
    "budget": {
        **dict.fromkeys(("trials", "steps", "evaluations"), int),
        "confirm": ({"top": int, "reruns": int, "seeds": int}, NoneType),
        "replicate": ({"configurations": int, "seeds": int}, NoneType),
        "halving": Maybe(is_halving),
    },
}
ROW: Outline = {
    **dict.fromkeys(FILE_NAMES, is_name),
    **dict.fromkeys(("study", "phase", "dataset", "variant", "architecture", "config_id"), str),
    **dict.fromkeys(("trial_number", "seed", "sampler_seed", "step", "steps_planned", "images_seen"), int),
    **{"sampler": str, "is_default": bool, "n_images": int},
    **{"hp": {str: SCALAR}, "metrics": {str: NUMBER | None}, "terms": {str: NUMBER | None}},
    **{"metric_id": str | None, "outcome": str | None, "host": str | None, "device": str | None},
    "failure": ({"kind": str, "message": str, "step": int}, NoneType),
    **{"train_seconds": NUMBER, "eval_seconds": NUMBER, "pack_size": int | None},
    **{"gpus": NUMBER | None, "gpu_kind": str | None},
    **{"started_at": (is_time, NoneType), "time": is_time, "files": {str: str | None}},
}
INCIDENT: Outline = {
    **dict.fromkeys(("pack", "kind", "message", "action"), str),
    **{"time": is_time, "trials": [str]},
}
FINALISTS: Outline = {
    "finalists": [
        {
            **dict.fromkeys(("dataset", "variant", "trial_id", "phase", "metric_id"), str),
            **{"draws": [NUMBER], "sizes": [int], "fids": [NUMBER], "fid_infinity": NUMBER, "slope": NUMBER},
            "neighbours": str | None,
        }
    ]
}
STUDY: Outline = {
    **dict.fromkeys(("name", "optimizer", "conditional", "sampler"), str),
    **dict.fromkeys(("batch_size", "evaluations", "seed", "steps", "trials"), int),
    **{"architectures": {str: str}, "data_sha256": {str: str}, "evaluation": {str: {str: object}}},
    **{"defaults": {str: {str: SCALAR}}, "spaces": {str: {str: (SCALAR, is_searched)}}},
    **{"datasets": [str], "variants": [str]},
    **{"precision": Maybe(str), "compile": Maybe(bool)},
}


def misfit(value: Any, outline: Outline, place: str = "it") -> str | None:
    """The first thing about a value that is not as an outline says, in words; None if all is.

    >>> misfit({"n": 1, "names": ["a", 3]}, {"n": int, "names": [str]})
    'it.names[1] is 3'
    >>> misfit({"n": 1}, {"n": int, "names": [str]})
    'it.names is missing'
    """
    if isinstance(outline, Maybe):
        return misfit(value, outline.outline, place)
    if isinstance(outline, tuple):
        every = [misfit(value, each, place) for each in outline]
        return None if None in every else every[0]
    if isinstance(outline, list):
        if not isinstance(value, list):
            return f"{place} is no list"
        parts = [(each, outline[0], f"{place}[{i}]") for i, each in enumerate(value)]
    elif isinstance(outline, dict):
        if not isinstance(value, dict):
            return f"{place} is no object"
        wanted = dict.fromkeys(value, outline[str]) if str in outline else outline
        wanted = {k: each for k, each in wanted.items() if k in value or not isinstance(each, Maybe)}
        if missing := wanted.keys() - value.keys():
            return f"{place}.{min(missing)} is missing"
        parts = [(value[name], each, f"{place}.{name}") for name, each in wanted.items()]
    else:
        return None if _fits(value, outline) else f"{place} is {value!r:.60}"
    return next((found for part in parts if (found := misfit(*part))), None)


def checker(outline: Outline) -> Callable[[Any], bool]:
    """Whether a value surely is as an outline says: much faster than `misfit`, which has the last word."""
    if isinstance(outline, dict) and str in outline:
        every = checker(outline[str])
        return lambda value: isinstance(value, dict) and all(map(every, value.values()))
    if isinstance(outline, dict):
        plain = {name: _kinds(each) for name, each in outline.items() if isinstance(each, type | UnionType)}
        nested = {name: checker(each) for name, each in outline.items() if name not in plain}
        return partial(_has_all, list(plain.items()), list(nested.items()))
    if isinstance(outline, tuple):
        alternatives = [checker(each) for each in outline]
        return lambda value: any(fits(value) for fits in alternatives)
    if isinstance(outline, type | UnionType):
        kinds = _kinds(outline)
        return lambda value: value.__class__ in kinds and (value.__class__ is not int or abs(value) < LARGEST)
    if callable(outline):
        return lambda value: outline(value) and (value.__class__ is not int or abs(value) < LARGEST)
    return lambda value: misfit(value, outline) is None


def _kinds(outline: type | UnionType) -> frozenset[type]:
    return frozenset(get_args(outline) or (outline,))


def _has_all(
    plain: list[tuple[str, frozenset[type]]], nested: list[tuple[str, Callable[[Any], bool]]], value: Any
) -> bool:
    try:
        for name, kinds in plain:
            kind = value[name].__class__
            if kind not in kinds or (kind is int and abs(value[name]) >= LARGEST):
                return False
        return all(fits(value[name]) for name, fits in nested)
    except (KeyError, TypeError, IndexError):
        return False


def _fits(value: Any, outline: Any) -> bool:
    if isinstance(value, int) and abs(value) >= LARGEST:
        return False
    return isinstance(value, outline) if isinstance(outline, type | UnionType) else bool(outline(value))


def read_outlined(file: Path, outline: Outline) -> Any:
    """The JSON value in a file, which is as an outline says.

    Raises:
        UserError: it is not, or the file holds no JSON.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is damaged ({error}): restore the file") from None
    if wrong := misfit(value, outline, file.stem):
        raise UserError(f"{file} is damaged: {wrong}; restore the file")
    return value
