"""Trials waiting to be handed out in packs."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from gansweep.results.row import Cell, Row, Trial
from gansweep.results.study_file import ResolvedStudy
from gansweep.training.job import Job, member_of
from gansweep.training.member import pack_key


class TrialSource(Protocol):
    """A source of packs for workers: what the ledger and Tune's searcher use of a queue or a search."""

    @property
    def study(self) -> ResolvedStudy: ...

    @property
    def folder(self) -> Path: ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to hand out."""

    @property
    def is_done(self) -> bool:
        """Whether all trials that were handed out have been reported, and nothing is left."""

    def next_job(self) -> Job | None:
        """Returns the next pack to train; None if there is none for now. See `exhausted`."""

    def unfinished(self, job: Job) -> list[Trial]:
        """Returns the trials of a pack that have not been reported as ended."""

    def hand_back(self, job: Job, halved: bool = False) -> None:
        """Queue the unfinished trials of a pack once more; halved: as two packs."""

    def shrink(self, job: Job, at_most: int) -> None:
        """Split the waiting packs of a pack's cell that are larger."""

    def batch(self) -> AbstractContextManager[None]:
        """A block of reports, which are durable when the block ends."""

    def report(self, row: Row) -> None:
        """Take a row: a score, a trial's end, or both. A repeated report changes nothing."""

    def take_pruned(self) -> list[Trial]:
        """Returns the trials that were pruned since the last call: each must be ended by a row."""


class Queue:
    """Hands out trials in packs. pack_size: by data set, the most trials in a pack.

    until: the evaluation after which a trial pauses. on_packed: called with every pack that is made.
    """

    def __init__(
        self,
        study: ResolvedStudy,
        folder: Path,
        pack_size: Mapping[str, int],
        trials: list[Trial],
        until: Callable[[Trial], int | None] = lambda trial: None,
        on_packed: Callable[[Job], object] = lambda job: None,
    ) -> None:
        self.study, self.folder, self.pack_size = study, folder, pack_size
        self.until, self.on_packed = until, on_packed
        self.out: set[str] = set()  # ids of the trials that were handed out and not reported as ended
        self.ready = deque(self.packs(trials))

    @property
    def exhausted(self) -> bool:
        return not self.ready

    @property
    def is_done(self) -> bool:
        return self.exhausted and not self.out

    def next_job(self) -> Job | None:
        if not self.ready:
            return None
        job = self.ready.popleft()
        self.out |= {trial.trial_id for trial in job.trials}
        return job

    def unfinished(self, job: Job) -> list[Trial]:
        return [trial for trial in job.trials if trial.trial_id in self.out]

    def hand_back(self, job: Job, halved: bool = False) -> None:
        trials = self.unfinished(job)
        self.out -= {trial.trial_id for trial in trials}
        if halved:
            self.ready.extendleft(self.packs(trials, at_most=-(-len(trials) // 2)))
        elif trials:
            self.ready.appendleft(replace(job, trials=trials))

    def shrink(self, job: Job, at_most: int) -> None:
        self.ready = self.shrunk(self.ready, job.cell, at_most)

    def shrunk(self, jobs: Iterable[Job], cell: Cell, at_most: int) -> deque[Job]:
        """Returns packs with the larger ones of a cell split, which come last."""
        kept: deque[Job] = deque()
        split: list[Job] = []
        for job in jobs:
            if job.cell == cell and len(job.trials) > at_most:
                split += self.packs(job.trials, at_most)
            else:
                kept.append(job)
        return kept + deque(split)

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def report(self, row: Row) -> None:
        if row.outcome is not None:
            self.out.discard(row.trial_id)

    def take_pruned(self) -> list[Trial]:
        return []

    def packs(self, trials: list[Trial], at_most: int | None = None) -> list[Job]:
        """Returns trials of equal structure in packs of nearly equal size. at_most: replaces `pack_size`."""
        groups: dict[Hashable, list[Trial]] = {}
        for trial in trials:
            groups.setdefault(self._key(trial), []).append(trial)
        jobs = [
            self._job(members)
            for group in groups.values()
            for members in _split(group, at_most or self.pack_size[group[0].dataset])
        ]
        for job in jobs:
            self.on_packed(job)
        return jobs

    def _key(self, trial: Trial) -> Hashable:
        """Returns what two trials must have in common to train in one pack."""
        return trial.variant, self.until(trial), pack_key(member_of(trial, self.study))

    def _job(self, trials: list[Trial]) -> Job:
        until = self.until(trials[0])
        return Job(pack_name(trials[0].trial_id, until), trials, self.study, self.folder, until)


def pack_name(first: str, until: int | None) -> str:
    """Returns the name of a pack. first: id of its first trial. until: where its trials pause, if they do."""
    pause = "" if until is None else f"-to-{until}"
    return f"{first}{pause}-pack"


def _split(trials: list[Trial], size: int) -> Iterator[list[Trial]]:
    """Yields parts of nearly equal length, none longer than `size`."""
    n_parts = -(-len(trials) // size)
    bounds = [len(trials) * i // n_parts for i in range(n_parts + 1)]
    for start, end in pairwise(bounds):
        yield trials[start:end]
