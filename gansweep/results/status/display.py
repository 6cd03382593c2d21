"""What the user sees while a study runs: a table that redraws itself on a terminal, plain lines elsewhere."""

import math
import shutil
import sys
import time
from collections import Counter
from collections.abc import Container, Mapping
from typing import TextIO

from gansweep.results.plan import Plan
from gansweep.results.records import Incident
from gansweep.results.row import Outcome, Row
from gansweep.results.status.progress import StudyProgress

WIDEST_NAME, WIDEST_BAR = 26, 20
NOT_FAILED = (Outcome.OK, Outcome.PRUNED)
JUDGED_SECONDS = 5.0  # between two estimates of the time that is left


class LiveLines:
    """Lines that are drawn over the ones before, as far as a terminal has room for them."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.n_lines = stream, 0

    def draw(self, lines: list[str]) -> None:
        """Draw lines; of too many those in the middle are left out."""
        width, height = shutil.get_terminal_size()
        if len(lines) >= height:  # what has left the screen could not be drawn over
            hidden = len(lines) - height + 2
            lines = [*lines[: height - 3], f"... and {hidden} more", lines[-1]]
        up = f"\033[{self.n_lines}A\033[J" if self.n_lines else ""
        print(up + "\n".join(line[: width - 1] for line in lines), file=self.stream, flush=True)
        self.n_lines = len(lines)


class ProgressDisplay:
    """Counts trials and keeps the best FID of every cell; draws at most twice a second."""

    def __init__(self, plan: Plan, labels: dict[str, str], stream: TextIO | None = None) -> None:
        self.labels, self.stream = labels, stream or sys.stdout
        self.live, self.screen = self.stream.isatty(), LiveLines(self.stream)
        self.tally = StudyProgress(plan, since=math.floor(time.time()))
        self.incidents: Counter[str] = Counter()  # of this run, by what was done about them
        self.started = self.drawn = time.monotonic()
        self.judged, self.left = 0.0, "no estimate yet"

    def note(self, row: Row, earlier: bool = False) -> None:
        """Count a row; `earlier`: it is from a run before this one."""
        self.tally.note(row)
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
        """One line a cell, and one or two for the whole study."""
        outcomes = self.tally.outcomes
        trouble = {"failed": counted(outcomes, skip=NOT_FAILED), "incidents": counted(self.incidents)}
        told = [f"{name}: {text}" for name, text in trouble.items() if text]
        told += [f"pruned: {outcomes[Outcome.PRUNED]}"] if outcomes[Outcome.PRUNED] else []
        so_far = duration(time.monotonic() - self.started)
        summary = f"{self.count()} trials, {so_far} so far{self._time_left()}"
        return [*cell_lines(self.tally, self.labels, width), *told, summary]

    def count(self) -> str:
        """Finished trials of all planned ones."""
        n_ended, n_planned = self.tally.count()
        return f"{n_ended}/{n_planned}"

    def _time_left(self) -> str:
        n_ended, n_planned = self.tally.count()
        if n_ended == n_planned:
            return ""
        if not self.judged or time.monotonic() - self.judged > JUDGED_SECONDS:
            self.judged, self.left = time.monotonic(), time_left(self.tally.seconds_left(time.time()))
        return f", {self.left}"

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


def cell_lines(tally: StudyProgress, labels: Mapping[str, str], width: int) -> list[str]:
    """A line for each cell: its name, a bar, how many trials have ended, the best FID, how many failed."""
    several = len(tally.plan.datasets) > 1
    names = [f"{labels[v]}{f' on {d}' if several else ''}"[:WIDEST_NAME] for d, v in tally.cells]
    wide = max(map(len, names))
    digits = max((len(str(tally.planned(cell))) for cell in tally.cells), default=1)
    bar_width = min(WIDEST_BAR, max(4, width - wide - 2 * digits - 36))
    lines = []
    for name, cell in zip(names, tally.cells, strict=True):
        done, planned = tally.done[cell], tally.planned(cell)
        bar = "█" * (bar_width * done // max(1, planned))
        best = f"best FID {tally.best[cell]:8.2f}" if math.isfinite(tally.best[cell]) else ""
        failed = f"{tally.failed[cell]} failed" if tally.failed[cell] else ""
        count = f"{done:>{digits}}/{planned:<{digits}}"
        lines.append(f"{name:<{wide}} {bar:<{bar_width}} {count}  {best:<17}  {failed}".rstrip())
    return lines


def counted(counts: Counter[str], skip: Container[str] = ()) -> str:
    """Counts in words, the largest first.

    >>> counted(Counter(ok=9, diverged=1, crashed=2), skip=("ok",))
    '2 crashed, 1 diverged'
    """
    return ", ".join(f"{n} {name}" for name, n in counts.most_common() if name not in skip)


def incident_line(incident: Incident) -> str:
    """An incident in words."""
    n = len(incident.trials)
    return (
        f"{incident.pack} ({n} trial{'s' if n > 1 else ''}) {incident.kind}, {incident.action}: "
        f"{first_line(incident.message)}"
    )


def first_line(text: str) -> str:
    """The first line of a text.

    >>> first_line("loss is NaN\\nTraceback ..."), first_line("")
    ('loss is NaN', '')
    """
    return (text.strip().splitlines() or [""])[0]


def time_left(seconds: tuple[float, float] | None) -> str:
    """The time that is left in words; seconds: the least and the most.

    >>> time_left((7300.0, 9000.0)), time_left((50.0, 150.0)), time_left((60.0, 60.0))
    ('2.0 to 2.5 h left', '50 s to 2.5 min left', 'about 60 s left')
    >>> time_left(None)
    'no estimate yet'
    """
    if seconds is None:
        return "no estimate yet"
    low, high = map(duration, seconds)
    if low == high:
        return f"about {low} left"
    number, unit = low.split()
    return f"{number if high.endswith(f' {unit}') else low} to {high} left"


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
