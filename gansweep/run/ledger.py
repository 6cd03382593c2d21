"""The driver's books: what comes from the workers is written, told to the queue and shown."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from gansweep.errors import Stopped, UserError
from gansweep.files import patiently
from gansweep.results.halving import PRUNED
from gansweep.results.incidents import note_incident
from gansweep.results.lock import STOP
from gansweep.results.row_file import Row, RowWriter, blank_row, now, read_rows
from gansweep.results.status.display import Progress
from gansweep.run.failures import Failure, answer
from gansweep.run.search.queue import Queue
from gansweep.run.trackers.loggers import Logger
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.trainer import Job
from gansweep.variants import VARIANTS

OUTCOMES = {"hang": ("timeout", "time_limit")}  # of a trial whose failure has this kind; else crashed


class Ledger:
    """Every row is written, told to the queue, shown and logged, in this order: a crash loses none of it.

    Trials that the queue drops then are ended by rows, before anybody can be given the trials that go on.
    """

    def __init__(
        self,
        folder: Path,
        study: dict[str, Any],
        writer: RowWriter,
        queue: Queue,
        loggers: Iterable[Logger] = (),
    ) -> None:
        self.study, self.writer, self.queue, self.loggers = study, writer, queue, list(loggers)
        self.folder, self.checkpoints = folder, Checkpoints(folder)
        self.progress = Progress(study, {name: VARIANTS[name].label for name in study["variants"]})
        self.scores: dict[str, float] = {}  # the best FID so far of the trials that go on, and of `best`
        self.best: dict[tuple[str, str, str], str] = {}  # the best finished trial of a cell in a phase
        self.losses: Counter[tuple[tuple[str, ...], int]] = Counter()  # by trials and how far they had come
        self.looked = time.monotonic()
        for row in read_rows(folder):
            self.progress.note(row, earlier=True)
            self._tidy(row)

    def record(self, rows: list[Row]) -> None:
        """Take rows as they come from a worker; what is known already is passed over."""
        new = self.writer.append(rows)
        with self.queue.together():
            for row in new:
                self.queue.tell(row)
        for row in new:
            self.progress.note(row)
            self._tidy(row)
            for logger in list(self.loggers):
                self._trying(logger, partial(logger.log, row))
        if dropped := self.queue.dropped():
            latest = [self.writer.latest[trial["trial_id"]] for trial in dropped]
            self.record([_closing(row, PRUNED, None) for row in latest])

    def close(self) -> None:
        """No more rows come: close the loggers."""
        for logger in list(self.loggers):
            self._trying(logger, logger.close)

    def _trying(self, logger: Logger, action: Callable[[], None]) -> None:
        """Switch a logger off that fails: nothing that only watches may stop a study."""
        try:
            action()
        except Exception as error:  # whatever a tracker and its server may raise
            self.loggers.remove(logger)
            print(f"logger {logger.name} is switched off: {type(error).__name__}: {error}", file=sys.stderr)

    def failed(self, job: Job, failure: Failure) -> None:
        """Queue a failed pack once more, as a whole or in halves, or end its only trial.

        Raises:
            Stopped, UserError: no trial is to blame; all go on when the run goes on.
        """
        trials = self.queue.going(job)
        if not trials:
            return
        where = tuple(trial["trial_id"] for trial in trials), sum(map(self._step, trials))
        self.losses[where] += 1
        action = answer(failure, len(trials), self.losses[where])
        about = {"time": now(), "pack": job.pack, "trials": list(where[0])}
        incident = about | failure._asdict() | {"action": action}
        note_incident(self.folder, incident)
        self.progress.incident(incident)
        if action == "stopped":
            raise (Stopped if failure.kind == "Stopped" else UserError)(failure.message)
        if action == "ended":
            self._end(trials, job.pack, failure)
            return
        self.queue.hand_back(job, halved=action == "halved")
        if failure.kind == "oom":
            self.queue.shrink(job, max(1, len(trials) // 2))

    def _step(self, trial: Row) -> int:
        """The step at which a trial was last measured."""
        latest = self.writer.latest.get(trial["trial_id"])
        return latest["step"] if latest else -1

    def _end(self, trials: list[Row], pack: str, failure: Failure) -> None:
        outcome, kind = OUTCOMES.get(failure.kind, ("crashed", failure.kind))
        rows = []
        for trial in trials:
            latest = self.writer.latest.get(trial["trial_id"]) or blank_row(trial, self.study, pack)
            reason = {"kind": kind, "message": failure.message, "step": latest["step"]}
            rows.append(_closing(latest, outcome, reason))
        self.record(rows)

    def asked_to_stop(self) -> bool:
        """Whether somebody has asked this driver to end; looks at most once a second."""
        if time.monotonic() - self.looked < 1:
            return False
        self.looked = time.monotonic()
        file = self.folder / STOP
        try:
            file.unlink()
        except OSError:  # it is not there, or the storage is away
            return False
        return True

    def draw(self) -> None:
        self.progress.draw()

    def _tidy(self, row: Row) -> None:
        """Keep no training state of a finished trial, and of a cell one generator a phase, the best."""
        trial, cell = row["trial_id"], (row["variant"], row["dataset"], row["phase"])
        fid = row["metrics"].get("fid")
        self.scores[trial] = min(self.scores.get(trial, math.inf), math.inf if fid is None else fid)
        if row["outcome"] is None:
            return
        patiently(lambda: self.checkpoints.forget_training(trial), "checkpoints cannot be deleted")
        best = self.best.get(cell)
        loser: str | None = trial
        if row["outcome"] == "ok" and (best is None or self.scores[trial] < self.scores[best]):
            self.best[cell], loser = trial, best
        if loser:
            self.scores.pop(loser, None)
            self.checkpoints.forget(loser)


def _closing(latest: Row, outcome: str, failure: Row | None) -> Row:
    """The last row of a trial, of which this is the latest."""
    end = {"metrics": {}, "terms": {}, "outcome": outcome, "failure": failure, "time": now()}
    return latest | end
