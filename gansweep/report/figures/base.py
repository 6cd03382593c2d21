"""A figure with its texts and its table, as the page shows them; filters of trials."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report.comparison import Comparison
from gansweep.report.style import style
from gansweep.results.row import Outcome, Phase, Status

DEFAULT_MARKER: dict[str, Any] = {  # marks the default configuration
    "linestyle": "",
    "marker": "*",
    "markersize": 7.0,
    "markerfacecolor": style.PAPER,
    "markeredgecolor": style.INK,
    "markeredgewidth": 0.8,
}

FINISHED = (Status.COMPLETED, Status.FAILED)
TRAINED_TO_END = (Outcome.OK, Outcome.COLLAPSED)


@dataclass(frozen=True)
class Cell:
    """A field of a table."""

    text: str
    note: str = ""  # small print behind the text
    value: float | None = None  # sort key; None: its text
    variant: str = ""  # the variant whose marker precedes the text
    trials: str = ""  # the filter, made by `where`, of the trials behind the number


@dataclass(frozen=True)
class Table:
    """A table under a figure; its first column holds names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Value(NamedTuple):
    """A number of a drawing: its point in the data coordinates of its axes, and what it says."""

    ax: Axes
    x: float
    y: float
    text: str
    variant: str = ""


@dataclass(frozen=True)
class Plot:
    """A figure with the words around it, all computed from the results.

    Attributes:
        question: the question it answers, used as its heading.
        takeaway: the answer in a sentence or two; the reason for no figure if `figure` is None.
        caption: method and numbers of trials.
        alt: a description of the drawing, for readers who cannot see it.
        data: the plotted numbers.
        table: the table below the figure, if any.
        group: its heading in the report.
        headline: the answer as a title, a short sentence without its full stop.
        dataset: the data set it is of; empty if of several.
        place: where the page shows it: on its first screen, open, or folded under its headline.
        values: what a pointer reads off the drawing.
    """

    name: str
    question: str
    takeaway: str
    caption: str
    alt: str
    figure: Figure | None
    data: pd.DataFrame
    table: Table | None = None
    group: str = ""
    headline: str = ""
    dataset: str = ""
    place: Literal["first", "open", "folded"] = "folded"
    values: tuple[Value, ...] = ()


def dependence(comparison: Comparison) -> str:
    """Returns the caution of a caption if the sampler learns from results; else an empty text."""
    if comparison.is_random_search:
        return ""
    return "The trials of this sampler depend on each other: intervals and shares are only indications."


def where(**fields: str | float | Iterable[str]) -> str:
    """Returns a filter of the trial browser: the trials with these values in the columns of their table.

    Several values of a column are alternatives. A value with spaces or quotes is written as in JSON.

    >>> where(variant="ns", dataset="my set", outcome=("diverged", "crashed"))
    'variant:ns dataset:"my set" outcome:diverged outcome:crashed'
    >>> where(is_default=True)
    'is_default:true'
    """
    return " ".join(
        f"{name}:{_quoted(value)}" for name, values in fields.items() for value in _alternatives(values)
    )


def _alternatives(values: str | float | Iterable[str]) -> list[str]:
    if isinstance(values, bool):
        return [str(values).lower()]
    return [str(values)] if isinstance(values, str | int | float) else list(values)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r'[^\s"]+', value) else json.dumps(value, ensure_ascii=False)


def draws(**fields: str | Iterable[str]) -> str:
    """Returns a filter: the finished trials of the search with these values, without defaults."""
    return where(**fields, phase=Phase.SEARCH, is_default=False, status=(*FINISHED, Outcome.PRUNED))


def fresh_seeds(**fields: str | Iterable[str]) -> str:
    """Returns a filter: the finished trials with these values that confirm a winner."""
    return where(**fields, phase=Phase.CONFIRM, status=FINISHED)


def linked(cells: Iterable[Cell], trials: str) -> tuple[Cell, ...]:
    """Returns the cells; a cell with a number and without a filter gets this filter.

    >>> [cell.trials for cell in linked([Cell("a"), Cell("1", value=1.0), Cell("–", value=9.0)], "seed:3")]
    ['', 'seed:3', '']
    """
    return tuple(replace(cell, trials=cell.trials or trials) if _has_number(cell) else cell for cell in cells)


def _has_number(cell: Cell) -> bool:
    return cell.value is not None and cell.text != "–"
