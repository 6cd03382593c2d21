"""What the user sees while a study runs: a table that redraws itself on a terminal, plain lines elsewhere."""

import math
import shutil
import sys
import time
from typing import Any, TextIO

from gansweep.phases import n_planned
from gansweep.results import FAILED, Row


class Progress:
    """Counts trials and keeps the best FID of every cell; draws at most twice a second."""

    def __init__(self, study: dict[str, Any], labels: dict[str, str], stream: TextIO | None = None) -> None:
        self.study, self.labels, self.stream = study, labels, stream or sys.stdout
        self.live = self.stream.isatty()
        self.cells = [(v, d) for d in study["datasets"] for v in study["variants"]]
        self.n_trials = n_planned(study)  # of a cell, in all phases
        self.done = dict.fromkeys(self.cells, 0)
        self.failed = dict.fromkeys(self.cells, 0)
        self.best = dict.fromkeys(self.cells, math.inf)
        self.started, self.drawn, self._before, self._lines = time.monotonic(), 0.0, 0, 0

    def note(self, row: Row, earlier: bool = False) -> None:
        """Count a row; `earlier`: it is from a run before this one and says nothing about speed."""
        cell = (row["variant"], row["dataset"])
        fid = row["metrics"].get("fid")
        self.best[cell] = min(self.best[cell], math.inf if fid is None else fid)
        if row["outcome"] is None:
            return
        self.done[cell] += 1
        self.failed[cell] += row["outcome"] in FAILED
        self._before += earlier
        if not earlier and not self.live:
            shown = f"FID {fid:.2f}" if fid is not None else row["failure"]["message"]
            self._print(f"{self.count()}  {row['trial_id']}  {row['outcome']}, {shown}")

    def draw(self, force: bool = False) -> None:
        """Redraw the table, on a terminal."""
        now = time.monotonic()
        if not self.live or (now - self.drawn < 0.5 and not force):
            return
        self.drawn = now
        width, height = shutil.get_terminal_size()
        lines = self.table(width)
        if len(lines) >= height:  # what has left the screen could not be drawn over
            hidden = len(lines) - height + 2
            lines = [*lines[: height - 3], f"... and {hidden} more", lines[-1]]
        up = f"\033[{self._lines}A" if self._lines else ""
        self._print(up + "\n".join(f"\033[2K{line[: width - 1]}" for line in lines))
        self._lines = len(lines)

    def table(self, width: int = 100) -> list[str]:
        """One line a cell, and one for the whole study."""
        several = len(self.study["datasets"]) > 1
        wide = 24 if several else 10
        bar_width = min(20, max(4, width - wide - 50))
        lines = []
        for variant, dataset in self.cells:
            cell = (variant, dataset)
            done, total = self.done[cell], self.n_trials
            bar = "█" * round(bar_width * done / total)
            best = f"best FID {self.best[cell]:8.2f}" if math.isfinite(self.best[cell]) else ""
            failed = f"{self.failed[cell]} failed" if self.failed[cell] else ""
            label = f"{self.labels[variant]}{f' on {dataset}' if several else ''}"[:wide]
            line = f"{label:<{wide}} {bar:<{bar_width}} {done:>4}/{total}  {best:<18} {failed}"
            lines.append(line.rstrip())
        return [*lines, f"{self.count()} trials, {self._eta()}"]

    def count(self) -> str:
        """Finished trials of all planned ones."""
        return f"{sum(self.done.values())}/{len(self.cells) * self.n_trials}"

    def _eta(self) -> str:
        elapsed = time.monotonic() - self.started
        here = sum(self.done.values()) - self._before
        left = len(self.cells) * self.n_trials - sum(self.done.values())
        if not left:
            return f"{duration(elapsed)} so far"
        eta = f"about {duration(elapsed / here * left)} left" if here else "no estimate yet"
        return f"{duration(elapsed)} so far, {eta}"

    def _print(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


def duration(seconds: float) -> str:
    """A time span for people.

    >>> duration(42), duration(150), duration(9000), duration(200_000)
    ('42 s', '2.5 min', '2.5 h', '2.3 days')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"
