"""The search: Optuna asks for configurations, packs are made of them, results are told back.

The Optuna storage is the one truth of the search: one Optuna study a cell, one Optuna trial a trial. A trial
knows its configuration and its pack before it is handed out, so any driver can go on where another one died.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from gansweep.errors import UserError
from gansweep.phases import SEARCH
from gansweep.queue import Queue
from gansweep.results import FAILED, Row, config_id, slug
from gansweep.samplers import INDEPENDENT, make_sampler, suggest
from gansweep.space import Distribution, Scalar, Space, contains, from_json
from gansweep.training.streams import derive
from gansweep.training.train import Job

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
        self.studies = {cell: self._open(cell) for cell in self.cells}
        self.by_id: dict[str, tuple[Cell, int]] = {}
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
            self.tell(row)
        for cell in self.cells:
            self._adopt(cell)

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
        return not self.ready and all(self._n_asked(cell) >= self.study["trials"] for cell in self.cells)

    def tell(self, row: Row) -> None:
        cell, number = self.by_id[row["trial_id"]]
        if self._frozen(cell, number).state.is_finished():
            return
        fid = row["metrics"].get("fid")
        if fid is not None:
            self.storage.set_trial_intermediate_value(self._optuna_id(cell, number), row["step"], fid)
        if row["outcome"] is not None:
            self._finish(cell, number, row["outcome"])

    def _finish(self, cell: Cell, number: int, outcome: str) -> None:
        """Tell Optuna: the best FID; infinity for a trial that diverged, so that a sampler avoids its kind;
        no value for one that crashed or ran out of time."""
        study = self.studies[cell]
        best = min(self._frozen(cell, number).intermediate_values.values(), default=float("inf"))
        if outcome in FAILED and outcome != "diverged":
            study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            value = float("inf") if outcome == "diverged" else best
            study.tell(number, value, skip_if_finished=True)
        self.out.discard(self.trial_id(cell, number))

    def trial_id(self, cell: Cell, number: int) -> str:
        """The name of a trial, the same in every run: data set, variant and number in the search."""
        return f"{slug(cell.dataset)}-{cell.variant}-{number:04d}"

    def _open(self, cell: Cell) -> optuna.Study:
        study = optuna.create_study(
            storage=self.storage,
            study_name=f"{self.study['name']}/{cell.variant}@{cell.dataset}",
            load_if_exists=True,
            direction="minimize",
            pruner=optuna.pruners.NopPruner(),
        )
        own = {name: value for name, value in self.study.items() if name not in ("trials", "question")}
        fingerprint = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
        if study.user_attrs.setdefault("study", fingerprint) != fingerprint:
            raise UserError(
                f"the search's storage holds a different study of the name {study.study_name!r}: "
                "rename the study, or give another storage"
            )
        study.set_user_attr("study", fingerprint)
        # A QMC sequence is one sequence; any other sampler would repeat itself after a restart.
        start = 0 if self.study["sampler"] == "qmc" else len(study.get_trials(deepcopy=False))
        study.sampler = make_sampler(self.study["sampler"], self._seed(cell, start))
        return study

    def _seed(self, cell: Cell, *purpose: object) -> int:
        return derive(self.study["seed"], *cell, *purpose) % 2**32

    def _n_asked(self, cell: Cell) -> int:
        trials = self.studies[cell].get_trials(deepcopy=False)
        return sum(trial.state != TrialState.WAITING for trial in trials)

    def _frozen(self, cell: Cell, number: int) -> FrozenTrial:
        return self.studies[cell].get_trials(deepcopy=False)[number]

    def _optuna_id(self, cell: Cell, number: int) -> int:
        study_id = self.storage.get_study_id_from_name(self.studies[cell].study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, number)

    def _adopt(self, cell: Cell) -> None:
        """Queue what an earlier driver asked for and did not finish, in the packs it had made."""
        packs: dict[str, list[Row]] = {}
        loose = []
        for frozen in self.studies[cell].get_trials(deepcopy=False):
            if frozen.state != TrialState.RUNNING:
                continue
            trial = self._identity(cell, frozen.number)
            if "pack" in frozen.user_attrs:
                packs.setdefault(frozen.user_attrs["pack"], []).append(trial)
            else:
                loose.append(trial)
        self.ready.extend(Job(name, trials, self.study, self.folder) for name, trials in packs.items())
        self.ready.extend(self._packs(cell, loose))

    def _refill(self) -> None:
        """Ask for more. Samplers that need no results ask for everything, cells taking turns; others for no
        more than a tenth of a cell's trials beyond what they know the results of."""
        if self.study["sampler"] in INDEPENDENT:
            queues = [deque(self._packs(cell, self._ask(cell, self.study["trials"]))) for cell in self.cells]
            while any(queues):
                self.ready.extend(queue.popleft() for queue in queues if queue)
            return
        for _ in self.cells:
            cell = self._turn[0]
            self._turn.rotate(-1)
            trials = self.studies[cell].get_trials(deepcopy=False)
            on_the_way = sum(trial.state == TrialState.RUNNING for trial in trials)
            at_most = max(1, self.study["trials"] // GENERATIONS) - on_the_way
            self.ready.extend(self._packs(cell, self._ask(cell, at_most)))
            if self.ready:
                return

    def _ask(self, cell: Cell, at_most: int) -> list[Row]:
        study = self.studies[cell]
        if not study.get_trials(deepcopy=False):
            space, default = self.spaces[cell.variant], self.study["defaults"][cell.variant]
            known = {name: value for name, value in default.items() if contains(space.get(name), value)}
            study.enqueue_trial(known)
        room = min(at_most, self.study["trials"] - self._n_asked(cell))
        return [self._identity(cell, trial.number, trial) for trial in (study.ask() for _ in range(room))]

    def _packs(self, cell: Cell, trials: list[Row]) -> list[Job]:
        """Packs of a cell's trials; every trial learns its pack before anyone sees it."""
        jobs = self.packs(trials)
        for job in jobs:
            for trial in job.trials:
                optuna_id = self._optuna_id(cell, trial["trial_number"])
                self.storage.set_trial_user_attr(optuna_id, "pack", job.pack)
        return jobs

    def _identity(self, cell: Cell, number: int, asked: Trial | None = None) -> Row:
        """The identity and the hyperparameters of a trial, as its rows have them."""
        hp = self._configuration(cell, number, asked)
        trial_id = self.trial_id(cell, number)
        self.by_id[trial_id] = (cell, number)
        return {
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
        attributes = self._frozen(cell, number).user_attrs
        if "hp" in attributes:
            stored: dict[str, Scalar] = attributes["hp"]
            return stored
        optuna_id = self._optuna_id(cell, number)
        trial = asked or Trial(self.studies[cell], optuna_id)
        default, space = self.study["defaults"][cell.variant], self.spaces[cell.variant]
        if number == 0:
            space = {n: values for n, values in space.items() if contains(values, default.get(n))}
        drawn = {name: self._suggest(cell, trial, name, space[name]) for name in sorted(space)}
        hp: dict[str, Scalar] = default | drawn
        self.storage.set_trial_user_attr(optuna_id, "hp", hp)
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
