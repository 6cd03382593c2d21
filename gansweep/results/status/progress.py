"""The progress, failures, costs and remaining time of a study, updated row by row."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from msgspec import structs

from gansweep.results import phases
from gansweep.results.halving import share_left
from gansweep.results.plan import Plan
from gansweep.results.row import FAILED, Cell, Outcome, Phase, Row, Trial, epoch
from gansweep.results.status.eta import Report, Throughput, seconds_left
from gansweep.results.status.words import first_line

_NOTHING = Report(-math.inf, 0.0, 0.0)


@dataclass(slots=True)
class TrialProgress:
    """The progress of a trial."""

    trial: Trial
    outcome: Outcome | None = None
    best: float = math.inf
    seconds: float = 0.0  # its own share of its pack's time
    done: float = 0.0  # share of its steps
    last: Report = _NOTHING
    device: str | None = None
    gpus: float | None = None

    @property
    def full_seconds(self) -> float:
        """Its expected total time [s]; so far only, before the first report of progress."""
        return self.seconds if self.outcome or not self.done else self.seconds / self.done


class FailureGroup(NamedTuple):
    """Trials with equal outcome and message; `trial` and `log` are of the first."""

    outcome: str
    message: str
    n_trials: int
    trial: str
    log: str | None


class Cost(NamedTuple):
    """Hours of workers and of GPUs on a kind of device; None where a row lacks the number of GPUs."""

    device: str
    worker_hours: float | None
    gpu_hours: float | None


class StudyProgress:
    """The progress of a study, from its rows. since: start of its driver [s since the epoch]; inf without
    a driver.
    """

    def __init__(self, plan: Plan, since: float = math.inf) -> None:
        self.plan, self.throughput = plan, Throughput(since)
        self.cells = plan.cells
        self.trials: dict[Cell, dict[str, TrialProgress]] = {cell: {} for cell in self.cells}
        self.done: Counter[Cell] = Counter()
        self.searched: Counter[Cell] = Counter()  # of the search, how many have ended
        self.failed: Counter[Cell] = Counter()
        self.best = dict.fromkeys(self.cells, math.inf)
        self.outcomes: Counter[str] = Counter()
        self.failures: dict[tuple[str, str], FailureGroup] = {}
        self.last_row: str | None = None
        self._left: dict[Cell, tuple[int, int]] = {}  # how many had ended, and how many were left then

    def note(self, row: Row) -> None:
        """Add a row.

        Raises:
            KeyError: the study does not have the cell of the row.
        """
        cell = row.cell
        trial = self.trials[cell].get(row.trial_id)
        if trial is None:
            trial = self.trials[cell][row.trial_id] = TrialProgress(row.trial)
        self.last_row = row.time
        self._measure(trial, row)
        fid = row.fid
        if fid is not None and fid < trial.best:
            trial.best = fid
            self.best[cell] = min(self.best[cell], fid)
        if row.outcome is not None:
            self._end(cell, trial, row, row.outcome)

    def _measure(self, trial: TrialProgress, row: Row) -> None:
        """Update the times of a trial from a row."""
        time, seconds = epoch(row.time), row.train_seconds + row.eval_seconds
        work = max(0.0, seconds - trial.seconds)
        before = max(trial.last.time, self.throughput.since)  # a pause between two drivers is not work
        if trial.last.time < 0 and row.started_at:
            before = max(before, epoch(row.started_at))
        span = time - before if math.isfinite(before) else 0.0
        trial.last = Report(time, max(span, work), work, bool(row.metrics))
        trial.seconds, trial.done = seconds, row.step / max(1, row.steps_planned)
        trial.device, trial.gpus = row.gpu_kind or row.device, row.gpus
        self.throughput.add(trial.last)

    def _end(self, cell: Cell, trial: TrialProgress, row: Row, outcome: Outcome) -> None:
        trial.outcome = outcome
        self.done[cell] += 1
        self.searched[cell] += row.phase == Phase.SEARCH
        self.outcomes[outcome] += 1
        if outcome not in FAILED:
            return
        self.failed[cell] += 1
        message = first_line(row.failure.message if row.failure else None)
        first = FailureGroup(outcome, message, 0, row.trial_id, row.files.get("log"))
        group = self.failures.get(first[:2], first)
        self.failures[first[:2]] = group._replace(n_trials=group.n_trials + 1)

    def left(self, cell: Cell) -> int:
        """Returns the number of trials of a cell that have not ended, over all phases."""
        if self.searched[cell] < self.plan.trials:
            return max(0, phases.n_planned(self.plan) - self.done[cell])
        n_ended, n_left = self._left.get(cell, (-1, 0))
        if n_ended != self.done[cell]:
            alone = structs.replace(self.plan, datasets=(cell.dataset,), variants=(cell.variant,))
            finished = [
                phases.finished_trial(trial.trial, trial.outcome, trial.best)
                for trial in self.trials[cell].values()
                if trial.outcome
            ]
            n_left = phases.n_left(alone, finished)
            self._left[cell] = self.done[cell], max(0, n_left)
        return self._left[cell][1]

    def planned(self, cell: Cell) -> int:
        """Returns the number of trials of a cell over all phases, including the ended ones."""
        return self.done[cell] + self.left(cell)

    def count(self) -> tuple[int, int]:
        """Returns the number of ended trials and the number of all trials."""
        return self.done.total(), sum(map(self.planned, self.cells))

    def seconds_left(self, now: float) -> tuple[float, float] | None:
        """Returns the least and the most remaining time [s] at the throughput of the running driver; None
        before there are enough reports. now: [s since the epoch]."""
        running = [trial for trial in self._every() if trial.outcome is None]
        expected = {cell: self._expected_seconds(cell) for cell in self.cells if self.left(cell)}
        work = sum(self.left(cell) * seconds for cell, seconds in expected.items())
        remaining = [max(0.0, t.full_seconds - t.seconds - t.last.unreported(now)) for t in running]
        work -= sum(trial.full_seconds for trial in running) - sum(remaining)
        sharing = self.throughput.sharing()
        longest = max(remaining, default=0.0) * sharing
        if sum(map(self.left, self.cells)) > len(running):  # some have not started
            longest = max(longest, sharing * max(expected.values(), default=0.0))
        workers = self.throughput.workers(now, [trial.last for trial in running])
        return seconds_left(max(work, 0.0), longest, workers, self._unknown_share())

    def _unknown_share(self) -> float:
        """Returns the share of the remaining trials in phases without a started trial, of unknown cost."""
        seen = {trial.trial.phase for trial in self._every()}
        ahead = sum(n for phase, n in phases.n_by_phase(self.plan).items() if phase not in seen)
        return min(1.0, ahead * len(self.cells) / max(1, sum(map(self.left, self.cells))))

    def _expected_seconds(self, cell: Cell) -> float:
        """Returns the expected time of a trial of a cell [s]: the mean over trials of the cell, else of the
        data set, else of the study."""
        halved = self.plan.halving and self.searched[cell] < self.plan.trials
        if halved and any(trial.done for trial in self.trials[cell].values()):
            return self._expected_of_halved(cell)
        for others in ([cell], [c for c in self.cells if c.dataset == cell.dataset], self.cells):
            known = [t.full_seconds for other in others for t in self.trials[other].values() if t.seconds]
            if known:
                return fmean(known[-32:])
        return 0.0

    def _expected_of_halved(self, cell: Cell) -> float:
        """Returns the expected time of an unfinished trial [s] while the search of its cell prunes trials."""
        known = {trial.trial.trial_number: trial for trial in self.trials[cell].values()}
        full = sum(trial.seconds for trial in known.values()) / sum(trial.done for trial in known.values())
        n = self.plan.trials
        ahead = full * (phases.n_planned(self.plan) - n)
        ahead += full * sum(share_left(self.plan, number) for number in range(n) if number not in known)
        for number, trial in known.items():
            if trial.outcome is None:
                ahead += full * share_left(self.plan, number, trial.done) + trial.seconds
        return ahead / max(1, self.left(cell))

    def costs(self) -> list[Cost]:
        """Returns the costs of each kind of device, including trials that have not ended."""
        spent: dict[str, list[TrialProgress]] = {}
        for trial in self._every():
            if trial.device is not None:
                spent.setdefault(trial.device, []).append(trial)
        return [Cost(device, _hours(own), _hours(own, shared=True)) for device, own in sorted(spent.items())]

    def _every(self) -> Iterator[TrialProgress]:
        for trials in self.trials.values():
            yield from trials.values()


def _hours(trials: list[TrialProgress], shared: bool = False) -> float | None:
    """Returns the hours of these trials; shared: hours of GPUs by the share held, None if it is not known."""
    shares = [trial.gpus if shared else 1.0 for trial in trials]
    known = [share for share in shares if share is not None]
    if len(known) < len(trials):
        return None
    return sum(share * trial.seconds for share, trial in zip(known, trials, strict=True)) / 3600
