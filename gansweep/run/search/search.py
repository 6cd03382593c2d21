"""The search over all cells: requests configurations, hands them out in packs, reports the results."""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import zip_longest
from pathlib import Path

from optuna.storages import BaseStorage

from gansweep.errors import UserError
from gansweep.results.row import Cell, Report, Row, Trial
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.search.cell_search import CellSearch
from gansweep.run.search.queue import Queue
from gansweep.run.search.storage import batch
from gansweep.space import INDEPENDENT, at_a_time
from gansweep.training.job import Job

PACKED_AT_ONCE = 1000  # trials of a cell by a sampler that needs no results


class Search:
    """The trials of a study's search: a `TrialSource`. pack_size: by data set, the most trials in a pack.

    The driver alone writes to the storage, so it reads it once and works on a copy in memory.
    """

    def __init__(
        self, study: ResolvedStudy, storage: BaseStorage, folder: Path, pack_size: Mapping[str, int]
    ) -> None:
        self.study, self.folder, self.pack_size, self.storage = study, folder, pack_size, storage
        self.cells = {cell: CellSearch(study, cell, storage) for cell in study.cells}
        self.queue = Queue(study, folder, pack_size, [], until=self._until, on_packed=self._store_pack)
        self._pruned: list[Trial] = []
        self.lost: set[str] = set()  # ids of the trials that have ended by the storage, but not by the rows
        self._turn = deque(self.cells.values())
        self._packed: dict[Cell, deque[Job]] = {cell: deque() for cell in self.cells}  # to be queued in turn

    def resume(self, reports: Sequence[Report]) -> None:
        """Take over from an earlier driver: report what its rows say, queue its unfinished trials.

        Raises:
            UserError: rows and storage are not of the same search.
        """
        self._check(reports)
        for report in reports:
            self.cells[report.cell].report(report)
        for search in self.cells.values():
            self._pruned += search.decide()[1]
        self.lost -= {trial.trial_id for trial in self._pruned}
        jobs = [self._interrupted_jobs(search) for search in self.cells.values()]
        self.queue.ready.extend(_in_turn(jobs))

    def _check(self, reports: Sequence[Report]) -> None:
        known = {name: trial for search in self.cells.values() for name, trial in search.known().items()}
        finished = {name for name, trial in known.items() if trial.state.is_finished()}
        self.lost = finished - {report.trial_id for report in reports if report.outcome is not None}
        if self.lost and not reports:
            raise UserError(
                f"{self.folder} has no rows, but by the search's storage {len(self.lost)} trials have ended: "
                "restore rows.jsonl from a copy, or rename the study to begin anew"
            )
        for report in reports:
            trial = known.get(report.trial_id)
            if trial is None or trial.user_attrs.get("hp", report.hp) != report.hp:
                raise UserError(
                    f"the rows in {self.folder} and the search's storage are not of one search: they differ "
                    f"in {report.trial_id}; use the storage that the study began with, or begin anew"
                )

    def _interrupted_jobs(self, search: CellSearch) -> list[Job]:
        return [
            Job(name, trials, self.study, self.folder, self._until(trials[0]))
            for name, trials in search.interrupted(self.lost).items()
        ]

    @property
    def exhausted(self) -> bool:
        cells = self.cells.items()
        return self.queue.exhausted and all(
            search.exhausted and not self._packed[cell] for cell, search in cells
        )

    @property
    def is_done(self) -> bool:
        return self.exhausted and not self.queue.out

    def next_job(self) -> Job | None:
        if self.queue.exhausted:
            self._refill()
        return self.queue.next_job()

    def unfinished(self, job: Job) -> list[Trial]:
        return self.queue.unfinished(job)

    def hand_back(self, job: Job, halved: bool = False) -> None:
        self.queue.hand_back(job, halved)

    def shrink(self, job: Job, at_most: int) -> None:
        self.queue.shrink(job, at_most)
        self._packed[job.cell] = self.queue.shrunk(self._packed[job.cell], job.cell, at_most)

    def batch(self) -> AbstractContextManager[None]:
        return batch(self.storage)

    def report(self, row: Row) -> None:
        search = self.cells[row.cell]
        search.report(row)
        if row.outcome is not None or search.is_paused(row.trial_number):
            self.queue.out.discard(row.trial_id)
        promoted, pruned = search.decide()
        self._pruned += pruned
        self.queue.ready.extend(self.queue.packs(promoted))

    def take_pruned(self) -> list[Trial]:
        pruned, self._pruned = self._pruned, []
        return pruned

    def _until(self, trial: Trial) -> int | None:
        return self.cells[trial.cell].until(trial.trial_number)

    def _store_pack(self, job: Job) -> None:
        for trial in job.trials:
            self.cells[trial.cell].stored.describe(trial.trial_number, "pack", job.pack)

    def _refill(self) -> None:
        """Queue packs of the next cell that has any, requesting more trials. Samplers that need no results
        give so many trials at once that those of equal structure fill their packs, and all where brackets are
        to be complete; others at most a tenth of a cell's trials beyond those whose results they know."""
        for _ in self.cells:
            search = self._turn[0]
            self._turn.rotate(-1)
            if self.study.sampler not in INDEPENDENT:
                at_most = at_a_time(self.study.trials) - search.n_running
                self.queue.ready.extend(self._more(search, at_most))
            else:
                packed = self._packed[search.cell]
                if not packed and not search.exhausted:
                    packed.extend(self._more(search, self.study.trials if search.halving else PACKED_AT_ONCE))
                if packed:  # one of each cell in turn, so that a study that is cut short is fair
                    self.queue.ready.append(packed.popleft())
            if self.queue.ready:
                return

    def _more(self, search: CellSearch, at_most: int) -> list[Job]:
        """Returns packs of new trials, which are in the storage before anyone sees them."""
        jobs = self.queue.packs(search.request(at_most))
        with self.batch():
            search.stored.commit()
        return jobs


def _in_turn(cells: list[list[Job]]) -> list[Job]:
    """Returns the packs of all cells, one of each in turn, so that a study that is cut short is fair.

    The largest of the last turn come first, so that workers end at about the same time.
    """
    turns = [[job for job in jobs if job is not None] for jobs in zip_longest(*cells)]
    for last in turns[-1:]:
        last.sort(key=lambda job: -len(job.trials))
    return [job for jobs in turns for job in jobs]
