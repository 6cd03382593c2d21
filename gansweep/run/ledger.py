"""Handles the rows that workers send: writes, reports and shows them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from gansweep.errors import Stopped, UserError, complain
from gansweep.files import retry_io
from gansweep.results.folder import StudyFolder
from gansweep.results.incidents import append_incident
from gansweep.results.phases import FinishedTrial
from gansweep.results.records import Incident
from gansweep.results.row import Cell, Failure, Outcome, Phase, Row, Trial, now
from gansweep.results.row_file import RowWriter
from gansweep.results.status.display import ProgressDisplay
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.failures import PackFailure, recovery_action
from gansweep.run.search.queue import TrialSource
from gansweep.run.trackers.base import Tracker
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.job import Job
from gansweep.variants import VARIANTS

CANNOT_DELETE = "checkpoints cannot be deleted"
# Outcome and kind of failure of a trial, by the kind of failure of its pack; others crash.
ENDS = {"hang": (Outcome.TIMEOUT, "time_limit")}


class Ledger:
    """Writes every row, reports it, shows it and sends it to trackers, in this order: a crash loses none.

    Trials that are pruned then are ended by rows, before workers can be given the trials that continue.

    progress: a display that knows the rows of `writer`.
    """

    def __init__(
        self,
        folder: Path,
        study: ResolvedStudy,
        writer: RowWriter,
        queue: TrialSource,
        trackers: Iterable[Tracker] = (),
        progress: ProgressDisplay | None = None,
    ) -> None:
        self.study, self.writer, self.queue, self.trackers = study, writer, queue, list(trackers)
        self.folder, self.checkpoints = folder, Checkpoints(folder)
        self.progress = progress or display(study)
        self.best: dict[tuple[Cell, Phase], FinishedTrial] = {}  # the best of a cell in a phase
        self.losses: Counter[tuple[tuple[str, ...], int]] = Counter()  # by trials and how far they had come
        self.checked = time.monotonic()
        self._tidy_all()

    def record(self, rows: list[Row]) -> None:
        """Take rows from a worker; those that are known already are ignored."""
        n_finished = len(self.writer.finished.trials)
        new = self.writer.append(rows)
        with self.queue.batch():
            for row in new:
                self.queue.report(row)
        for trial in self.writer.finished.trials[n_finished:]:
            self._tidy(trial)
        for row in new:
            self.progress.note(row)
            for tracker in list(self.trackers):
                self._trying(tracker, partial(tracker.log, row))
        if pruned := self.queue.take_pruned():
            latest = [self.writer.latest[trial.trial_id] for trial in pruned]
            self.record([row.ended(Outcome.PRUNED) for row in latest])

    def close(self) -> None:
        """Close the trackers: there are no more rows."""
        for tracker in list(self.trackers):
            self._trying(tracker, tracker.close)

    def _trying(self, tracker: Tracker, action: Callable[[], None]) -> None:
        """Run an action of a tracker, and switch it off if it fails: no tracker may stop a study."""
        try:
            action()
        except Exception as error:  # whatever a tracker and its server may raise
            self.trackers.remove(tracker)
            complain(f"tracker {tracker.name} is switched off: {type(error).__name__}: {error}")

    def failed(self, job: Job, failure: PackFailure) -> None:
        """Queue a failed pack once more, as a whole or in halves, or end its only trial.

        Raises:
            Stopped, UserError: no trial is to blame; all continue when the study is resumed.
        """
        trials = self.queue.unfinished(job)
        if not trials:
            return
        where = tuple(trial.trial_id for trial in trials), sum(map(self._step, trials))
        self.losses[where] += 1
        action = recovery_action(failure, len(trials), self.losses[where])
        incident = Incident(
            time=now(),
            pack=job.pack,
            trials=list(where[0]),
            kind=failure.kind,
            message=failure.message,
            action=action,
        )
        append_incident(self.folder, incident)
        self.progress.incident(incident)
        if action == "stopped":
            raise (Stopped if failure.kind == "Stopped" else UserError)(failure.message)
        if action == "ended":
            self._end(trials, job.pack, failure)
            return
        self.queue.hand_back(job, halved=action == "halved")
        if failure.kind == "oom":
            self.queue.shrink(job, max(1, len(trials) // 2))

    def _step(self, trial: Trial) -> int:
        """Returns the step at which a trial was last measured."""
        latest = self.writer.latest.get(trial.trial_id)
        return latest.step if latest else -1

    def _end(self, trials: list[Trial], pack: str, failure: PackFailure) -> None:
        outcome, kind = ENDS.get(failure.kind, (Outcome.CRASHED, failure.kind))
        rows = []
        for trial in trials:
            n_images = self.study.n_images(trial.dataset)
            first = Row.first(trial, pack, self.study.steps, n_images)
            latest = self.writer.latest.get(trial.trial_id) or first
            reason = Failure(kind=kind, message=failure.message, step=latest.step)
            rows.append(latest.ended(outcome, reason))
        self.record(rows)

    def stop_requested(self) -> bool:
        """Whether a user has requested this driver to end; checks at most once a second."""
        if time.monotonic() - self.checked < 1:
            return False
        self.checked = time.monotonic()
        file = StudyFolder(self.folder).stop
        try:
            file.unlink()
        except OSError:  # it is not there, or the storage is unavailable
            return False
        return True

    def draw(self) -> None:
        self.progress.draw()

    def _tidy_all(self) -> None:
        """Do for all finished trials what an earlier driver may not have done for the last ones."""
        for trial in self.writer.finished.trials:
            self._rank(trial)
        kept = {trial.trial_id for trial in self.best.values()}
        for name in self.checkpoints.trials():
            if name in kept:
                retry_io(partial(self.checkpoints.forget_training, name), CANNOT_DELETE)
            elif name in self.writer.ended:
                self.checkpoints.forget(name)

    def _tidy(self, trial: FinishedTrial) -> None:
        """Delete the training states of a finished trial; of each cell and phase keep the best generator."""
        retry_io(partial(self.checkpoints.forget_training, trial.trial_id), CANNOT_DELETE)
        if loser := self._rank(trial):
            self.checkpoints.forget(loser.trial_id)

    def _rank(self, trial: FinishedTrial) -> FinishedTrial | None:
        """Compare a finished trial with the best of its cell and phase; returns that which is not it."""
        place = trial.cell, trial.phase
        best = self.best.get(place)
        if trial.outcome == Outcome.OK and (best is None or trial.score < best.score):
            self.best[place] = trial
            return best
        return trial


def display(study: ResolvedStudy) -> ProgressDisplay:
    """The display of a study of which nothing is known yet."""
    return ProgressDisplay(study, {name: VARIANTS[name].label for name in study.variants})
