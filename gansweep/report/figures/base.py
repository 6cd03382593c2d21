"""What the page needs of a figure."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from gansweep.report import style

STAR: dict[str, Any] = {  # marks the default configuration
    "linestyle": "",
    "marker": "*",
    "markersize": 7.0,
    "markerfacecolor": style.PAPER,
    "markeredgecolor": style.INK,
    "markeredgewidth": 0.8,
}


@dataclass(frozen=True)
class Cell:
    """A field of a table."""

    text: str
    note: str = ""  # small print behind the text
    value: float | None = None  # what it is sorted by; None: its text
    variant: str = ""  # the variant whose mark stands before it


@dataclass(frozen=True)
class Table:
    """A table under a figure; its first column holds names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Plot:
    """A figure with the words around it, all computed from the results.

    Attributes:
        question: what it answers, the heading.
        takeaway: the answer in a sentence or two; why there is no figure where `figure` is None.
        caption: method and numbers of trials.
        alt: what is drawn, for readers who cannot see it.
        data: the plotted numbers.
        table: what the page shows below the figure, if anything.
    """

    name: str
    question: str
    takeaway: str
    caption: str
    alt: str
    figure: Figure | None
    data: pd.DataFrame
    table: Table | None = None
