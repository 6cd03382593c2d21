"""How long a study will still take, from what its workers have lately reported.

Packs work side by side and report in bursts. So what a row says is not taken as work of the moment of its
report, but of the time since the report before it; and a pack that has reported goes on working.
"""

import math
from collections import deque
from statistics import median
from typing import NamedTuple

RECENT_SECONDS = 3600.0  # of this time, but of several reports of the slowest pack at least
REPORTS, ENOUGH = 4, 2  # reports of the slowest pack: that make the recent past; before there is an estimate
MOST = 20_000  # rows kept


class Report(NamedTuple):
    """A row: when it came, the time since the row before it, and the trial's own share of that time."""

    time: float  # seconds since the epoch, as span and work
    span: float
    work: float
    is_measured: bool = True

    def share_after(self, start: float, end: float) -> float:
        """The work done between two times, as if it had been even."""
        if self.span <= 0:
            return self.work if start <= self.time <= end else 0.0
        overlap = min(self.time, end) - max(self.time - self.span, start)
        return self.work * max(0.0, overlap) / self.span

    def unreported(self, now: float) -> float:
        """The work that a trial that goes on has probably done since; it may have been lost, so no more than
        it did before this report."""
        return self.work * min(max(0.0, now - self.time) / self.span, 1.0) if self.span > 0 else 0.0


class Pace:
    """Worker time per wall time. since: when the driver began; what is older says nothing about the pace."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.reports: deque[Report] = deque(maxlen=MOST)

    def add(self, report: Report) -> None:
        if report.time >= self.since:
            self.reports.append(report)

    def sharing(self) -> float:
        """How many trials share a worker, as a median: a pack takes so many times the share of each."""
        return median([report.span / report.work for report in self.reports if report.work > 0] or [1.0])

    def workers(self, now: float, going: list[Report]) -> tuple[float, float] | None:
        """How many workers have been at work on average, and how many reports of packs say so; None if it
        is too early to say.

        going: the last report of every trial that has not ended.
        """
        longest = max((report.span for report in self.reports if report.is_measured), default=math.inf)
        began = min((report.time - report.span for report in self.reports), default=now)
        start = max(began, now - max(RECENT_SECONDS, REPORTS * longest))
        if now - start < ENOUGH * longest:
            return None
        recent = [report for report in self.reports if report.time > start]
        work = sum(report.share_after(start, now) for report in recent)
        work += sum(last.unreported(now) for last in going if last.time > start)
        n_reports = sum(min(1.0, report.work / report.span) for report in recent if report.span > 0)
        return (work / (now - start), n_reports) if work > 0 and n_reports > ENOUGH else None


def seconds_left(
    work: float, longest: float, workers: tuple[float, float] | None, unknown_share: float = 0.0
) -> tuple[float, float] | None:
    """The least and the most seconds that so much worker time may take; None if nothing can be said.

    longest: the time that the slowest pack takes, however many workers there are. workers: of Pace.
    unknown_share: of the work, that may be anything from next to nothing.
    """
    if workers is None:
        return None
    n_workers, n_reports = workers
    doubt = 1.2 + 1 / math.sqrt(n_reports)  # trials differ, however many have been seen
    idle = longest * max(0.0, 1 - 1 / n_workers)  # at most, when the last packs leave workers without work
    least = max(work / n_workers, longest) / (doubt + unknown_share)
    return least, max(work / n_workers + idle, longest) * doubt
