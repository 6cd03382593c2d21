"""The search: Optuna asks for configurations, packs are made of them, results are told back.

The Optuna storage is the one truth of the search: one Optuna study a cell, one Optuna trial a trial. A trial
knows its configuration and its pack before it is handed out, so any driver can go on where another one died.
The driver alone writes there, so it reads the storage once and works on a copy in memory.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from gansweep.errors import UserError
from gansweep.results.halving import PRUNED, Race
from gansweep.results.outlines import is_name
from gansweep.results.phases import SEARCH
from gansweep.results.row_file import FAILED, Row, config_id, slug
from gansweep.run.search.queue import Queue, pack_name
from gansweep.run.search.samplers import make_sampler, suggest
from gansweep.run.search.storage import StoredStudy, together
from gansweep.space import INDEPENDENT, Distribution, Scalar, Space, contains, from_json
from gansweep.training.randomness import derive
from gansweep.training.trainer import Job

GENERATIONS = 10  # of a guided search: at most a tenth of a cell's trials is on the way at a time


class Cell(NamedTuple):
    """A variant on a data set: what one Optuna study searches."""

    variant: str
    dataset: str


class Search(Queue):
    """Hands out the trials of a resolved study in packs, and takes their results.

    pack_size: for each data set, the most trials in a pack.
    """

    def __init__(
        self, study: dict[str, Any], storage: BaseStorage, folder: Path, pack_size: dict[str, int]
    ) -> None:
        super().__init__(study, folder, pack_size, [])
        self.storage = storage
        self.cells = [Cell(v, d) for d in study["datasets"] for v in study["variants"]]
        self.spaces: dict[str, Space] = {v: from_json(study["spaces"][v]) for v in study["variants"]}
        self.stored = {cell: self._open(cell, storage) for cell in self.cells}
        self.studies: dict[Cell, optuna.Study] = {cell: known.study for cell, known in self.stored.items()}
        self.loose: dict[Cell, list[Row]] = {}  # of an earlier driver, which never handed them out
        self.by_id: dict[str, tuple[Cell, int]] = {}
        self.races = {cell: Race(study) for cell in self.cells} if study.get("halving") else {}
        self._dropped: list[Row] = []
        self._turn = deque(self.cells)

    def resume(self, rows: Iterable[Row]) -> None:
        """Take up what an earlier driver left: tell what its rows say, queue what it did not finish.

        Raises:
            UserError: rows and storage are not of the same search.
        """
        known = {cell: self.studies[cell].get_trials(deepcopy=False) for cell in self.cells}
        for cell, trials in known.items():
            for trial in trials:
                if trial.state != TrialState.WAITING:
                    self._identity(cell, trial.number)
        rows = list(rows)
        self._check_rows({row["trial_id"] for row in rows if row["outcome"] is not None})
        for row in rows:
            self._note(row)
        for cell in self.cells:
            self._decide(cell)
        self.ready.extend(_in_turn([self._adopted(cell) for cell in self.cells]))

    def _check_rows(self, ended: set[str]) -> None:
        told = {
            self.trial_id(cell, trial.number)
            for cell in self.cells
            for trial in self.studies[cell].get_trials(deepcopy=False)
            if trial.state.is_finished()
        }
        rows, storage = f"the rows in {self.folder}", "the search's storage"
        only_rows, only_storage = ended - self.by_id.keys(), told - ended
        if only_rows or only_storage:
            first, other = (rows, storage) if only_rows else (storage, rows)
            raise UserError(
                f"{first} and {other} are not of one search: only the first has "
                f"{min(only_rows or only_storage)}; use the storage that the study began with, or begin anew"
            )

    def next_job(self) -> Job | None:
        if not self.ready:
            self._refill()
        return super().next_job()

    @property
    def exhausted(self) -> bool:
        return not (self.ready or any(self.loose.values())) and all(
            self._n_asked(cell) >= self.study["trials"] for cell in self.cells
        )

    def together(self) -> AbstractContextManager[None]:
        return together(self.storage)

    def tell(self, row: Row) -> None:
        self._note(row)
        cell, _ = self.by_id[row["trial_id"]]
        self.ready.extend(self.packs([self._identity(cell, number) for number in self._decide(cell)]))

    def dropped(self) -> list[Row]:
        dropped, self._dropped = self._dropped, []
        return dropped

    def _decide(self, cell: Cell) -> list[int]:
        """Those trials that go on from a rung now, as the rows say; the others are dropped."""
        promoted: list[int] = []
        race = self.races.get(cell)
        while race and (decision := race.decide()):
            promoted += decision[0]
            self._dropped += [self._identity(cell, number) for number in decision[1]]
        return promoted

    def _note(self, row: Row) -> None:
        """Tell Optuna what a row says."""
        cell, number = self.by_id[row["trial_id"]]
        if race := self.races.get(cell):
            race.note(row)
            if race.rests(number):
                self.out.discard(row["trial_id"])
        stored = self.stored[cell]
        if stored.trial(number).state.is_finished():
            return
        fid = row["metrics"].get("fid")
        if fid is not None:
            stored.score(number, row["step"], fid)
        if row["outcome"] == PRUNED:
            stored.prune(number)
        elif row["outcome"] is not None:
            stored.finish(number, self._value(cell, number, row["outcome"]))
            self.out.discard(row["trial_id"])

    def _value(self, cell: Cell, number: int, outcome: str) -> float | None:
        """What Optuna is told: the best FID; infinity for a trial that diverged, so that a sampler avoids its
        kind; no value for one that crashed or ran out of time."""
        if outcome in FAILED:
            return float("inf") if outcome == "diverged" else None
        scores = self.stored[cell].trial(number).intermediate_values
        return min(scores.values(), default=float("inf"))

    def trial_id(self, cell: Cell, number: int) -> str:
        """The name of a trial, the same in every run: data set, variant and number in the search."""
        return f"{slug(cell.dataset)}-{cell.variant}-{number:04d}"

    def _open(self, cell: Cell, storage: BaseStorage) -> StoredStudy:
        own = {name: value for name, value in self.study.items() if name not in ("trials", "question")}
        fingerprint = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
        stored = StoredStudy(storage, f"{self.study['name']}/{cell.variant}@{cell.dataset}", fingerprint)
        # A QMC sequence is one sequence; any other sampler would repeat itself after a restart.
        start = 0 if self.study["sampler"] == "qmc" else len(stored.ids)
        stored.study.sampler = make_sampler(self.study["sampler"], self._seed(cell, start))
        return stored

    def _seed(self, cell: Cell, *purpose: object) -> int:
        return derive(self.study["seed"], *cell, *purpose) % 2**32

    def _n_asked(self, cell: Cell) -> int:
        trials = self.studies[cell].get_trials(deepcopy=False)
        return sum(trial.state != TrialState.WAITING for trial in trials)

    def _adopted(self, cell: Cell) -> list[Job]:
        """What an earlier driver asked for and did not finish, in the packs it had made.

        One that died while it asked, or while it packed those that go on from a rung, had handed nothing of
        that out: those trials are packed with the rest.
        """
        packs: dict[str, list[Row]] = {}
        for frozen in self.studies[cell].get_trials(deepcopy=False):
            if frozen.state != TrialState.RUNNING:
                continue
            trial = self._identity(cell, frozen.number)
            if self.races and self.races[cell].rests(frozen.number):
                continue
            pack, ending = str(frozen.user_attrs.get("pack", "")), pack_name(trial | {"trial_id": ""})
            if is_name(pack) and pack.endswith(ending) and frozen.number < self.stored[cell].settled:
                packs.setdefault(pack, []).append(trial)
            else:
                self.loose.setdefault(cell, []).append(trial)
        return [Job(name, trials, self.study, self.folder) for name, trials in packs.items()]

    def _refill(self) -> None:
        """Ask for more. Samplers that need no results ask for everything, cells taking turns; others for no
        more than a tenth of a cell's trials beyond what they know the results of."""
        if self.study["sampler"] in INDEPENDENT:
            self.ready.extend(_in_turn([self._more(cell, self.study["trials"]) for cell in self.cells]))
            return
        for _ in self.cells:
            cell = self._turn[0]
            self._turn.rotate(-1)
            trials = self.studies[cell].get_trials(deepcopy=False)
            on_the_way = sum(trial.state == TrialState.RUNNING for trial in trials)
            at_most = max(1, self.study["trials"] // GENERATIONS) - on_the_way
            self.ready.extend(self._more(cell, at_most))
            if self.ready:
                return

    def _more(self, cell: Cell, at_most: int) -> list[Job]:
        """Packs of new trials, as they are recorded before anyone sees them."""
        jobs = self.packs(self.loose.pop(cell, []) + self._ask(cell, at_most))
        with self.together():
            self.stored[cell].settle()
        return jobs

    def _ask(self, cell: Cell, at_most: int) -> list[Row]:
        study = self.studies[cell]
        if not study.get_trials(deepcopy=False):
            space, default = self.spaces[cell.variant], self.study["defaults"][cell.variant]
            known = {name: value for name, value in default.items() if contains(space.get(name), value)}
            study.enqueue_trial(known)
        room = min(at_most, self.study["trials"] - self._n_asked(cell))
        asked = (self.stored[cell].ask() for _ in range(room))
        return [self._identity(cell, trial.number, trial) for trial in asked]

    def packs(self, trials: list[Row], at_most: int | None = None) -> list[Job]:
        """As in a queue; and every trial learns its pack."""
        jobs = super().packs(trials, at_most)
        for job in jobs:
            for trial in job.trials:
                cell, number = self.by_id[trial["trial_id"]]
                self.stored[cell].describe(number, "pack", job.pack)
        return jobs

    def _identity(self, cell: Cell, number: int, asked: Trial | None = None) -> Row:
        """The identity and the hyperparameters of a trial, as its rows have them."""
        hp = self._configuration(cell, number, asked)
        trial_id = self.trial_id(cell, number)
        self.by_id[trial_id] = (cell, number)
        pauses = {}
        if race := self.races.get(cell):
            race.enter(number)
            pauses = {"until": race.until[number]}
        return pauses | {
            "study": self.study["name"],
            "phase": SEARCH,
            "dataset": cell.dataset,
            "variant": cell.variant,
            "architecture": self.study["architectures"][cell.dataset],
            "trial_id": trial_id,
            "trial_number": number,
            "config_id": config_id(hp),
            "seed": self.study["seed"] * 100_000 + number,
            "sampler": self.study["sampler"],
            "sampler_seed": self.study["seed"],
            "is_default": number == 0,
            "hp": hp,
        }

    def _configuration(self, cell: Cell, number: int, asked: Trial | None) -> dict[str, Scalar]:
        """The hyperparameters of a trial: stored, or asked for now if a driver died before it had them all.

        What the space does not mention is as in the published default.
        """
        stored = self.stored[cell]
        attributes = stored.trial(number).user_attrs
        if "hp" in attributes:
            known: dict[str, Scalar] = attributes["hp"]
            return known
        trial = asked or Trial(stored.study, stored.trial(number)._trial_id)
        default, space = self.study["defaults"][cell.variant], self.spaces[cell.variant]
        if number == 0:
            space = {n: values for n, values in space.items() if contains(values, default.get(n))}
        drawn = {name: self._suggest(cell, trial, name, space[name]) for name in sorted(space)}
        hp: dict[str, Scalar] = default | drawn
        stored.configure(number, hp)
        return hp

    def _suggest(self, cell: Cell, trial: Trial, name: str, values: Distribution | Scalar) -> Scalar:
        """A value for one hyperparameter.

        A random one is drawn from a seed of its own, made of the study's seed, the cell, the number of the
        trial and the name, so that a search that was interrupted goes on as it would have.
        """
        if self.study["sampler"] == "random":
            drawn_for = cell._replace(dataset="") if self.study["same_configurations"] else cell
            self.studies[cell].sampler = make_sampler("random", self._seed(drawn_for, trial.number, name))
        return suggest(trial, name, values)


def _in_turn(cells: list[list[Job]]) -> list[Job]:
    """The packs of all cells, one of each at a time, so that a study that is cut short is fair."""
    return [job for some in zip_longest(*cells) for job in some if job is not None]
