"""The look of every figure: palette, matplotlib settings, logarithmic ticks, saving."""

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gansweep.files import write_atomically
from gansweep.report.style import fonts
from gansweep.report.text.escaping import readable_csv
from gansweep.results.records import Manifest

WIDTH = 6.75  # inches: the text width of a two-column paper
# Marks stand out 3:1 from white, and any two hues differ by 5 in OKLab (x 100) to colour-blind readers too.
COLORS = {
    "blue": "#004e8f",
    "sky": "#3a9bd9",
    "green": "#008a63",
    "orange": "#c68800",
    "verm": "#b8400e",
    "purple": "#c069a8",
}
# The same hues, dark enough for text: 4.5:1 from white.
TEXT_COLORS = COLORS | {
    "sky": "#1c76ad",
    "green": "#00795a",
    "orange": "#8a6000",
    "verm": "#b0400f",
    "purple": "#a3467c",
}
# The web page replaces each of these greys by a variable of its theme, so they are all different.
INK, AXIS, MUTE, FAINT = "#222222", "#555555", "#707070", "#cfcfcf"
GRID, BAND, PAPER = "#e6e6e6", "#efefef", "#ffffff"
DIVERGED, COLLAPSED = "#4d4d4d", "#a6a6a6"


class Marker(NamedTuple):
    """A matplotlib marker, filled or hollow, the factor that makes it look as large as the others, and the
    dashes of its lines, so that two variants of one hue are told apart at a line's width."""

    symbol: str
    filled: bool
    scale: float
    dashes: tuple[float, ...] = ()


SHAPES = {
    "circle": Marker("o", True, 1.0),
    "diamond": Marker("D", False, 0.85, (4, 1.5)),
    "square": Marker("s", True, 0.9, (1.2, 1.2)),
    "triangle": Marker("^", False, 1.1, (5, 1.2, 1, 1.2)),
    "nabla": Marker("v", True, 1.1, (8, 1.5)),
    "pentagon": Marker("p", False, 1.1, (2.5, 1.5)),
    "hexagon": Marker("h", True, 1.1, (5, 1.2, 1, 1.2, 1, 1.2)),
    "plus": Marker("P", False, 1.1, (1, 2.4)),
}


@dataclass(frozen=True)
class Look:
    """How a variant appears in every figure: one of six hues and one of eight markers."""

    label: str
    hue: str
    shape: str  # a key of SHAPES

    @property
    def color(self) -> str:
        return COLORS[self.hue]

    @property
    def text_color(self) -> str:
        return TEXT_COLORS[self.hue]

    @property
    def filled(self) -> bool:
        return SHAPES[self.shape].filled

    @property
    def linestyle(self) -> tuple[float, tuple[float, ...] | None]:
        """Of lines: solid for a circle, else the dashes of the shape."""
        return (0, SHAPES[self.shape].dashes or None)

    def marker(self, size: float) -> dict[str, Any]:
        """Keywords of `Axes.plot` for a marker of `size` points."""
        return {
            "marker": SHAPES[self.shape].symbol,
            "markersize": size * SHAPES[self.shape].scale,
            "markerfacecolor": self.color if self.filled else PAPER,
            "markeredgecolor": self.color,
            "markeredgewidth": 1.0,
        }


_SLOTS = [(hue, marker) for marker in SHAPES for hue in COLORS]


def looks(manifest: Manifest) -> dict[str, Look]:
    """The look of every variant of a study, all different as long as there are looks left.

    A variant with the hue and marker of another one, or with a look outside the palette, gets the next free
    look, of its own hue if possible.
    """
    requested = {name: (v.hue, v.marker) for name, v in sorted(manifest.variants.items())}
    chosen: dict[str, tuple[str, str]] = {}
    for name, slot in requested.items():
        taken = set(chosen.values())
        if slot not in _SLOTS or slot in taken:
            free = [s for s in _SLOTS if s not in taken and s not in requested.values()] or _SLOTS
            slot = min(free, key=lambda s: s[0] != slot[0])
        chosen[name] = slot
    return {name: Look(manifest.variants[name].label, *slot) for name, slot in chosen.items()}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings while a figure is made or saved; they are restored on leaving."""
    settings = sns.plotting_context("paper") | sns.axes_style("ticks") | _TEXT | _LINES | _FILES
    with mpl.rc_context(settings | {"font.family": fonts.families()}), fonts.missing_letters_said():
        yield


_TEXT = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 6.8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,  # labels are the user's text: a dollar sign is a dollar sign
}
_LINES = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": AXIS,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}
_FILES = {
    "figure.dpi": 100,
    "savefig.bbox": None,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "gansweep",
}


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure in inches, laid out so that nothing overlaps or is cut off."""
    return Figure(figsize=(width, height), layout="constrained")


def scatter_offsets(n: int, step: float = (math.sqrt(5) - 1) / 2) -> np.ndarray:
    """n offsets spread evenly over (-0.5, 0.5) so that neighbours differ: [n], the same at every call.

    step: an irrational number; a second axis takes another than the first, such as the root of 2.
    """
    return (np.arange(1, n + 1) * step) % 1 - 0.5


@contextmanager
def of_variant(ax: Axes, variant: str) -> Iterator[None]:
    """Mark what is drawn inside as of a variant, so that the page can make it stand out."""
    before = set(ax.get_children())
    yield
    for artist in ax.get_children():
        if artist not in before:
            artist.set_gid(f"variant:{variant}")


def legend_entry(label: str, **style: Any) -> Line2D:
    """A line or marker that stands for itself in a legend."""
    return Line2D([], [], label=label, **style)


KINDS: dict[str, dict[str, Any]] = {  # of files of figures, each without what differs between two runs
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None},
}


def save(
    figure: Figure, folder: Path, name: str, data: pd.DataFrame, kinds: Iterable[str] = tuple(KINDS)
) -> str:
    """Write figures/<name>.svg, other `KINDS` if asked, and the plotted numbers as data/<name>.csv.

    The same figure and data give the same bytes. Returns the SVG.
    """
    svg = b""
    with house_style():
        _freeze(figure)
        for kind in sorted({*kinds, "svg"}):
            figure.savefig(file := io.BytesIO(), format=kind, dpi=200, metadata=KINDS[kind])
            write_atomically(folder / "figures" / f"{name}.{kind}", svg := file.getvalue())
    write_atomically(folder / "data" / f"{name}.csv", readable_csv(data))
    return svg.decode()


def _freeze(figure: Figure) -> None:
    """Lay the figure out once and round the result: the solver's last digits differ from run to run."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # "none" would keep a placeholder, and with it a draw before each save
    for ax in figure.axes:
        left, bottom, width, height = (round(float(edge), 5) for edge in ax.get_position().bounds)
        ax.set_position((left, bottom, width, height))
