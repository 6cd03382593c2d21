"""The display of a running study: a live table on a terminal, plain lines elsewhere."""

import math
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import TextIO

from gansweep.errors import one_line, say
from gansweep.results.plan import Plan
from gansweep.results.records import Incident
from gansweep.results.row import Outcome, Row
from gansweep.results.status.progress import StudyProgress
from gansweep.results.status.words import counted, duration, first_line, time_left

_MAX_NAME, _MAX_BAR = 26, 20
NOT_FAILED = (Outcome.OK, Outcome.PRUNED)
_ESTIMATE_SECONDS = 5.0  # between two estimates of the remaining time


class LiveLines:
    """Lines that replace the lines drawn before, limited to the height of the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.n_lines = stream, 0

    def draw(self, lines: list[str]) -> None:
        """Draw lines; if they do not fit, those in the middle are omitted."""
        width, height = shutil.get_terminal_size()
        if len(lines) >= height:  # a line that has scrolled off the screen cannot be replaced
            hidden = len(lines) - height + 2
            lines = [*lines[: height - 3], f"... and {hidden} more", lines[-1]]
        up = f"\033[{self.n_lines}A\033[J" if self.n_lines else ""
        self.stream.write(up)
        say(*(one_line(line)[: width - 1] for line in lines), stream=self.stream)
        self.n_lines = len(lines)


class ProgressDisplay:
    """Counts trials and tracks the best FID of every cell; draws at most twice a second."""

    def __init__(self, plan: Plan, labels: dict[str, str], stream: TextIO | None = None) -> None:
        self.labels, self.stream = labels, stream or sys.stdout
        self.live, self.screen = self.stream.isatty(), LiveLines(self.stream)
        self.progress = StudyProgress(plan, since=math.floor(time.time()))
        self.incidents: Counter[str] = Counter()  # of this run, by kind
        self.started = self.drawn = time.monotonic()
        self.judged, self.left = 0.0, "no estimate yet"

    def note(self, row: Row, earlier: bool = False) -> None:
        """Count a row; `earlier`: the row is from an earlier run."""
        self.progress.note(row)
        if row.outcome is None or earlier or self.live:
            return
        if row.fid is not None:
            shown = f"FID {row.fid:.2f}"
        elif row.failure:
            shown = first_line(row.failure.message)
        else:
            shown = f"step {row.step:,} of {row.steps_planned:,}"
        self._say(f"{self.count()}  {row.trial_id}  {row.outcome}, {shown}")

    def incident(self, incident: Incident) -> None:
        """Count an incident, as incidents.jsonl has it."""
        self.incidents[incident.kind] += 1
        if not self.live:
            self._say(f"{self.count()}  {incident_line(incident)}")

    def draw(self, force: bool = False) -> None:
        """Redraw the table, on a terminal."""
        now = time.monotonic()
        if not self.live or (now - self.drawn < 0.5 and not force):
            return
        self.drawn = now
        self.screen.draw(self.table(shutil.get_terminal_size().columns))

    def table(self, width: int = 80) -> list[str]:
        """Returns one line for each cell, and one or more for the whole study."""
        outcomes = self.progress.outcomes
        problems = {"failed": counted(outcomes, skip=NOT_FAILED), "incidents": counted(self.incidents)}
        notes = [f"{name}: {text}" for name, text in problems.items() if text]
        notes += [f"pruned: {outcomes[Outcome.PRUNED]}"] if outcomes[Outcome.PRUNED] else []
        so_far = duration(time.monotonic() - self.started)
        summary = f"{self.count()} trials, {so_far} so far{self._time_left()}"
        return [*cell_lines(self.progress, self.labels, width), *notes, summary]

    def count(self) -> str:
        """Returns finished / planned trials, as text."""
        n_ended, n_planned = self.progress.count()
        return f"{n_ended}/{n_planned}"

    def _time_left(self) -> str:
        n_ended, n_planned = self.progress.count()
        if n_ended == n_planned:
            return ""
        if not self.judged or time.monotonic() - self.judged > _ESTIMATE_SECONDS:
            self.judged, self.left = time.monotonic(), time_left(self.progress.seconds_left(time.time()))
        return f", {self.left}"

    def _say(self, text: str) -> None:
        say(text, stream=self.stream)


def cell_lines(progress: StudyProgress, labels: Mapping[str, str], width: int) -> list[str]:
    """Returns a line for each cell: name, bar, ended and planned trials, best FID, failed trials."""
    several = len(progress.plan.datasets) > 1
    names = [f"{labels[v]}{f' on {d}' if several else ''}"[:_MAX_NAME] for d, v in progress.cells]
    wide = max(map(len, names))
    digits = max((len(str(progress.planned(cell))) for cell in progress.cells), default=1)
    bar_width = min(_MAX_BAR, max(4, width - wide - 2 * digits - 36))
    lines = []
    for name, cell in zip(names, progress.cells, strict=True):
        done, planned = progress.done[cell], progress.planned(cell)
        bar = "█" * (bar_width * done // max(1, planned))
        best = f"best FID {progress.best[cell]:8.2f}" if math.isfinite(progress.best[cell]) else ""
        failed = f"{progress.failed[cell]} failed" if progress.failed[cell] else ""
        count = f"{done:>{digits}}/{planned:<{digits}}"
        lines.append(f"{name:<{wide}} {bar:<{bar_width}} {count}  {best:<17}  {failed}".rstrip())
    return lines


def incident_line(incident: Incident) -> str:
    """Returns an incident as a sentence."""
    n = len(incident.trials)
    return (
        f"{incident.pack} ({n} trial{'s' if n > 1 else ''}) {incident.kind}, {incident.action}: "
        f"{first_line(incident.message)}"
    )
