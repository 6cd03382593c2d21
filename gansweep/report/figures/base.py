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
class Plot:
    """A figure with the words around it, all computed from the results.

    Attributes:
        question: what it answers, the heading.
        takeaway: the answer in a sentence or two; why there is no figure where `figure` is None.
        caption: method and numbers of trials.
        alt: what is drawn, for readers who cannot see it.
        data: the plotted numbers.
    """

    name: str
    question: str
    takeaway: str
    caption: str
    alt: str
    figure: Figure | None
    data: pd.DataFrame
