"""The pictures of a demonstration: small multiples over time, and an animation."""

import io
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from gansweep.demos.discriminator.training import Snapshot, Training
from gansweep.files import write_atomically
from gansweep.report.style import style
from gansweep.report.style.panels import small_panels
from gansweep.variants import VARIANTS

_N_PANELS = 8
_FRAME_MILLISECONDS, _LAST_FRAME_MILLISECONDS = 120, 2500
_DASHED = (0, (3, 1.4))


def write_pictures(training: Training, folder: Path) -> list[Path]:
    """Write figures/<name>.png, .svg and .pdf, data/<name>.csv and <name>.gif; return the PNG and the GIF."""
    name = f"{training.variant}-on-a-line"
    with style.house_style():
        figure = _snapshot_figure(training)
    style.save(figure, folder, name, _snapshot_data(training))
    write_atomically(folder / f"{name}.gif", _animation(training))
    return [folder / "figures" / f"{name}.png", folder / f"{name}.gif"]


def _snapshot_data(training: Training) -> pd.DataFrame:
    """All that is drawn, one line for each snapshot and point of the axis."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "step": m.step,
                    "x": training.x,
                    "p": training.p,
                    "q": m.q,
                    "optimum": m.optimum,
                    "D": m.discriminator,
                }
            )
            for m in training.snapshots
        ]
    ).round(5)


def plot_snapshot(training: Training, snapshot: Snapshot, ax: Axes | None = None) -> Axes:
    """Draw the densities of data and samples, as shares of the data's peak, and D beside its optimum."""
    ax = ax or style.new_figure(1.6, 2.2).subplots()
    peak = training.p.max()
    hue = style.COLORS[VARIANTS[training.variant].hue]
    ax.fill_between(training.x, training.p / peak, color=style.FAINT, linewidth=0)
    ax.fill_between(training.x, snapshot.q / peak, color=hue, alpha=0.25, linewidth=0)
    ax.plot(training.x, snapshot.q / peak, color=hue, linewidth=1.1)
    ax.plot(training.x, snapshot.optimum, color=style.MUTE, linewidth=1.1, linestyle=_DASHED)
    ax.plot(training.x, snapshot.discriminator, color=style.INK, linewidth=1.4)
    ax.axhline(0.5, color=style.GRID, linewidth=0.6, zorder=0)
    ax.set_xlim(training.x[0], training.x[-1])
    ax.set_ylim(0, 1.25)
    ax.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    ax.set_title(f"step {snapshot.step}", fontsize=8, pad=3)
    return ax


def _snapshot_figure(training: Training) -> Figure:
    """Eight snapshots, close together at first and ever farther apart: most happens early."""
    chosen = [training.snapshots[i] for i in _early(len(training.snapshots), _N_PANELS)]
    panels = small_panels(_N_PANELS, height=1.75, margin=0.0)
    for ax, snapshot in zip(panels.axes, chosen, strict=False):
        plot_snapshot(training, snapshot, ax)
    for ax in panels.axes[len(chosen) :]:
        ax.set_axis_off()
    panels.label("", "D" if not training.is_fitted else "D, fitted")
    panels.figure.suptitle(f"{training.label} on {training.dataset_label}", fontsize=9, x=0.01, ha="left")
    _add_legend(panels.figure, training)
    return panels.figure


def _early(n: int, k: int) -> list[int]:
    """At most k of n indices, the first and the last among them, denser at the start.

    >>> _early(41, 8), _early(3, 8)
    ([0, 1, 3, 7, 13, 20, 29, 40], [0, 1, 2])
    """
    return sorted({min(n - 1, max(i, round((n - 1) * (i / (k - 1)) ** 2))) for i in range(k)})


def _add_legend(figure: Figure, training: Training) -> None:
    hue = style.COLORS[VARIANTS[training.variant].hue]
    entries = [
        style.legend_entry("data", color=style.FAINT, linewidth=6),
        style.legend_entry("samples of G", color=hue, linewidth=1.6),
        style.legend_entry("D", color=style.INK, linewidth=1.4),
        style.legend_entry(f"best D: {training.ideal}", color=style.MUTE, linewidth=1.1, linestyle=_DASHED),
    ]
    figure.legend(handles=entries, loc="outside lower center", ncol=4)


def _animation(training: Training) -> bytes:
    """All snapshots as a GIF that repeats."""
    frames = [_frame(training, snapshot) for snapshot in training.snapshots]
    # One palette for all frames: with one for each, colours would flicker.
    palette = frames[len(frames) // 2].quantize(64)
    images = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [_FRAME_MILLISECONDS] * (len(images) - 1) + [_LAST_FRAME_MILLISECONDS]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return file.getvalue()


def _frame(training: Training, snapshot: Snapshot) -> Image.Image:
    file = io.BytesIO()
    with style.house_style():
        figure = style.new_figure(2.9, 4.4)
        ax = plot_snapshot(training, snapshot, figure.subplots())
        ax.set_title(f"{training.label} on {training.dataset_label}, step {snapshot.step}", pad=6)
        ax.set_ylabel("D" if not training.is_fitted else "D, fitted")
        _add_legend(figure, training)
        figure.savefig(file, format="png", dpi=120)
    return Image.open(file).convert("RGB")
