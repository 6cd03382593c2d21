"""Trials waiting to be handed out in packs."""

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from gansweep.results.row_file import Row
from gansweep.training.member import common, make_member, pack_key
from gansweep.training.trainer import Job
from gansweep.variants import VARIANTS


class Queue:
    """Hands out trials (their identity and hp) in packs, and knows which are out.

    pack_size: for each data set, the most trials in a pack.
    """

    def __init__(
        self, study: dict[str, Any], folder: Path, pack_size: dict[str, int], trials: list[Row]
    ) -> None:
        self.study, self.folder, self.pack_size = study, folder, pack_size
        self.out: set[str] = set()  # trials handed out and not yet told
        self.ready = deque(self.packs(trials))

    @property
    def exhausted(self) -> bool:
        """Nothing is left to hand out."""
        return not self.ready

    def next_job(self) -> Job | None:
        """The next pack to train; None if there is none for now. See `exhausted`."""
        if not self.ready:
            return None
        job = self.ready.popleft()
        self.out |= {trial["trial_id"] for trial in job.trials}
        return job

    def going(self, job: Job) -> list[Row]:
        """Those trials of a job that have not ended."""
        return [trial for trial in job.trials if trial["trial_id"] in self.out]

    def hand_back(self, job: Job, halved: bool = False) -> None:
        """Queue those trials of a job once more that have not ended; halved: as two packs."""
        trials = self.going(job)
        self.out -= {trial["trial_id"] for trial in trials}
        if halved:
            self.ready.extendleft(self.packs(trials, at_most=-(-len(trials) // 2)))
        elif trials:
            self.ready.appendleft(replace(job, trials=trials))

    def shrink(self, job: Job, at_most: int) -> None:
        """Split the waiting packs of a job's cell that are larger."""
        cell = _cell(job)
        for large in [other for other in self.ready if _cell(other) == cell and len(other.trials) > at_most]:
            self.ready.remove(large)
            self.ready.extend(self.packs(large.trials, at_most))

    def together(self) -> AbstractContextManager[None]:
        """A block in which rows are told: what it keeps of them is safe when the block ends."""
        return nullcontext()

    def tell(self, row: Row) -> None:
        """Take a row: a score on the way or a trial's end. Telling twice changes nothing."""
        if row["outcome"] is not None:
            self.out.discard(row["trial_id"])

    def dropped(self) -> list[Row]:
        """The trials that have been pruned since the last call: each must be ended by a row."""
        return []

    def packs(self, trials: list[Row], at_most: int | None = None) -> list[Job]:
        """Trials of equal structure in packs of nearly equal size; `at_most` overrules `pack_size`."""
        groups: dict[Hashable, list[Row]] = {}
        for trial in trials:
            groups.setdefault(self._key(trial), []).append(trial)
        return [
            Job(pack_name(members[0]), members, self.study, self.folder)
            for group in groups.values()
            for members in _split(group, at_most or self.pack_size[group[0]["dataset"]])
        ]

    def _key(self, trial: Row) -> Hashable:
        own = {name: trial[name] for name in ("trial_id", "dataset", "architecture", "seed")}
        member = make_member(VARIANTS[trial["variant"]], trial["hp"], **own, **common(self.study))
        return trial["variant"], trial.get("until"), pack_key(member)


def pack_name(first: Row) -> str:
    """The name of a pack by its first trial and, if they pause, by where its trials pause."""
    way = f"-to-{first['until']}" if "until" in first else ""
    return f"{first['trial_id']}{way}-pack"


def _cell(job: Job) -> tuple[str, str]:
    return job.trials[0]["variant"], job.trials[0]["dataset"]


def _split(trials: list[Row], size: int) -> Iterator[list[Row]]:
    """Parts of nearly equal length, none longer than `size`."""
    n_parts = -(-len(trials) // size)
    bounds = [len(trials) * i // n_parts for i in range(n_parts + 1)]
    for start, end in pairwise(bounds):
        yield trials[start:end]
