"""The remaining time of a study, estimated from the latest reports of its workers.

Packs run in parallel and report in bursts. So the work of a row is spread over the time since the preceding
report of its trial; and a pack continues to work after its report.
"""

import math
from collections import deque
from statistics import median

from msgspec import Struct

_RECENT_SECONDS = 3600.0  # the recent past; longer if the slowest pack has reported less often
_N_RECENT_REPORTS, _MIN_REPORTS = (
    4,
    2,
)  # reports of the slowest pack: that make the recent past; before there is an estimate
_MAX_REPORTS = 20_000  # rows kept


class Report(Struct, frozen=True, gc=False):
    """A row: its time, the time since the preceding row, and the trial's own share of that time."""

    time: float  # seconds since the epoch, as span and work
    span: float
    work: float
    is_measured: bool = True

    def share_after(self, start: float, end: float) -> float:
        """Returns the work done between two times, at an even rate."""
        if self.span <= 0:
            return self.work if start <= self.time <= end else 0.0
        overlap = min(self.time, end) - max(self.time - self.span, start)
        return self.work * max(0.0, overlap) / self.span

    def unreported(self, now: float) -> float:
        """Returns the work that a running trial has probably done since this report.

        It is at most the work of this report, because the trial may have crashed.
        """
        return self.work * min(max(0.0, now - self.time) / self.span, 1.0) if self.span > 0 else 0.0


class Throughput:
    """Worker time per wall time. since: start of this driver; earlier reports are ignored."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.reports: deque[Report] = deque(maxlen=_MAX_REPORTS)

    def add(self, report: Report) -> None:
        if report.time >= self.since:
            self.reports.append(report)

    def sharing(self) -> float:
        """Returns the median number of trials that share a worker."""
        return median([report.span / report.work for report in self.reports if report.work > 0] or [1.0])

    def workers(self, now: float, running: list[Report]) -> tuple[float, float] | None:
        """Returns the mean number of running workers and the number of reports of packs behind this mean;
        None before there are enough reports.

        running: the last report of every trial that has not ended.
        """
        longest = max((report.span for report in self.reports if report.is_measured), default=math.inf)
        began = min((report.time - report.span for report in self.reports), default=now)
        start = max(began, now - max(_RECENT_SECONDS, _N_RECENT_REPORTS * longest))
        if now - start < _MIN_REPORTS * longest:
            return None
        recent = [report for report in self.reports if report.time > start]
        work = sum(report.share_after(start, now) for report in recent)
        work += sum(last.unreported(now) for last in running if last.time > start)
        n_reports = sum(min(1.0, report.work / report.span) for report in recent if report.span > 0)
        return (work / (now - start), n_reports) if work > 0 and n_reports > _MIN_REPORTS else None


def seconds_left(
    work: float, longest: float, workers: tuple[float, float] | None, unknown_share: float = 0.0
) -> tuple[float, float] | None:
    """Returns the least and the most seconds that this worker time may take; None if `workers` is None.

    work: worker time [s]. longest: time of the slowest pack [s], a bound for any number of workers.
    workers: the result of `Throughput.workers`. unknown_share: the share of the work whose cost is unknown.
    """
    if workers is None:
        return None
    n_workers, n_reports = workers
    doubt = 1.2 + 1 / math.sqrt(n_reports)  # trials differ, for any number of reports
    idle = longest * max(0.0, 1 - 1 / n_workers)  # at most, when the last packs leave workers without work
    least = max(work / n_workers, longest) / (doubt + unknown_share)
    return least, max(work / n_workers + idle, longest) * doubt
