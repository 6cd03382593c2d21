"""An Optuna study that only this process writes: sampled in memory, written through to a storage."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from gansweep.errors import UserError
from gansweep.files import retry_io
from gansweep.space import Scalar

Result = TypeVar("Result")
FINGERPRINT, COMMITTED = "study", "settled"  # attributes of the study in the storage
SAMPLER = "sampler"  # attribute of a trial: what its sampler had noted about the study


class WriteThroughStudy:
    """An Optuna study in a storage, which is read once, when it is opened.

    Samplers work on the copy in memory, `study`. A trial is written when all is known that it begins with, in
    one operation; so is each of its scores, and its end. An interrupted operation is tried again
    after a check of what the storage has: nothing is lost, nothing doubled.

    committed: the trials below this number may have been handed out. n_known: how many trials there are,
    n_asked: without those that wait, n_running: without those that have ended.

    Raises:
        UserError: the storage has another study of this name.
        Stopped, from any operation: the storage was unavailable for too long.
    """

    def __init__(self, storage: BaseStorage, name: str, fingerprint: str) -> None:
        self.storage, self.name, self.fingerprint = storage, name, fingerprint
        self.memory = InMemoryStorage()
        self.study = optuna.create_study(
            storage=self.memory, study_name=name, direction="minimize", pruner=optuna.pruners.NopPruner()
        )
        self.ids: list[int] = []  # of the trials in the storage
        self.committed = 0
        for trial in self._retry(self._open):
            self.ids.append(trial._trial_id)
            self.study.add_trial(trial)
            for key, value in trial.system_attrs.get(SAMPLER, {}).items():
                self.memory.set_study_system_attr(self.study._study_id, key, value)
        states = [trial.state for trial in self.study.get_trials(deepcopy=False)]
        self.n_known = len(states)
        self.n_asked = self.n_known - states.count(TrialState.WAITING)
        self.n_running = states.count(TrialState.RUNNING)

    def enqueue(self, values: dict[str, Scalar]) -> None:
        """Add a waiting trial of these values."""
        self.study.enqueue_trial(values)
        self.n_known += 1

    def ask(self) -> Trial:
        """Returns a new trial, or a waiting one of the storage."""
        is_new = self.n_asked == self.n_known
        if is_new and isinstance(
            self.study.sampler, RandomSampler
        ):  # Optuna looks for a waiting one among all
            trial = Trial(self.study, self.memory.create_new_trial(self.study._study_id))
        else:
            trial = self.study.ask()
        self.n_known += is_new
        self.n_asked += 1
        self.n_running += 1
        if trial.number < len(self.ids):
            stored = self.ids[trial.number]
            self._retry(lambda: self.storage.set_trial_state_values(stored, TrialState.RUNNING))
        return trial

    def trial(self, number: int) -> FrozenTrial:
        return self.memory.get_trial(self._memory_id(number))

    def configure(self, number: int, hp: dict[str, Scalar]) -> None:
        """Set the configuration of a trial that was just drawn, with what its sampler noted then."""
        self.describe(number, "hp", hp)
        if noted := self.memory.get_study_system_attrs(self.study._study_id):
            self.memory.set_trial_system_attr(self._memory_id(number), SAMPLER, noted)

    def describe(self, number: int, key: str, value: Any) -> None:
        """Set a user attribute of a trial."""
        if self.trial(number).user_attrs.get(key) == value:
            return
        if number < len(self.ids):
            self._retry(lambda: self.storage.set_trial_user_attr(self.ids[number], key, value))
        self.memory.set_trial_user_attr(self._memory_id(number), key, value)

    def commit(self) -> None:
        """Record the requested trials; they may be handed out from now on.

        Raises:
            UserError: another program has added trials to the study.
        """
        for trial in self.study.get_trials(deepcopy=False)[len(self.ids) :]:
            self._record(trial)
        n_trials = len(self.ids)
        if n_trials and self._retry(self._last_number) != n_trials - 1:
            raise UserError(f"another program has added trials to {self.name} in the search's storage")
        if self.committed != n_trials:
            self._retry(lambda: self.storage.set_study_user_attr(self.id, COMMITTED, n_trials))
            self.committed = n_trials

    def score(self, number: int, step: int, value: float) -> None:
        """Note a score of a trial on its way."""
        if self.trial(number).intermediate_values.get(step) == value:
            return
        self._unless_finished(
            lambda: self.storage.set_trial_intermediate_value(self.ids[number], step, value)
        )
        self.memory.set_trial_intermediate_value(self._memory_id(number), step, value)

    def finish(self, number: int, value: float | None) -> None:
        """End a trial; None: it failed."""
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        values = None if value is None else [value]
        self._unless_finished(lambda: self.storage.set_trial_state_values(self.ids[number], state, values))
        self.study.tell(number, values, state=state)
        self.n_running -= 1

    def prune(self, number: int) -> None:
        """End a trial early; as is usual, its value is its last score."""
        scores = self.trial(number).intermediate_values
        values = [scores[max(scores)]] if scores else None
        self._unless_finished(
            lambda: self.storage.set_trial_state_values(self.ids[number], TrialState.PRUNED, values)
        )
        self.study.tell(number, state=TrialState.PRUNED)
        self.n_running -= 1

    def _open(self) -> list[FrozenTrial]:
        study = optuna.create_study(
            storage=self.storage, study_name=self.name, load_if_exists=True, direction="minimize"
        )
        self.id = self.storage.get_study_id_from_name(self.name)
        if study.user_attrs.get(FINGERPRINT, self.fingerprint) != self.fingerprint:
            raise UserError(
                f"the search's storage holds a different study of the name {self.name!r}: "
                "rename the study, or give another storage"
            )
        if FINGERPRINT not in study.user_attrs:
            study.set_user_attr(COMMITTED, 0)
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                study.set_metric_names(["FID"])  # what optuna-dashboard writes beside values
            study.set_user_attr(FINGERPRINT, self.fingerprint)
        trials = study.get_trials(deepcopy=False)
        self.committed = study.user_attrs.get(COMMITTED, len(trials))
        return trials

    def _record(self, trial: FrozenTrial) -> None:
        """Create a trial in the storage, once: an earlier try may have succeeded without a word."""
        tries = count()

        def create() -> None:
            if next(tries):
                self.ids = [known._trial_id for known in self._stored()]
            if len(self.ids) == trial.number:
                self.ids.append(self.storage.create_new_trial(self.id, trial))

        self._retry(create)

    def _last_number(self) -> int:
        return self.storage.get_trial_number_from_id(self.ids[-1])

    def _stored(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.id, deepcopy=False)

    def _memory_id(self, number: int) -> int:
        return self.memory.get_trial_id_from_study_id_trial_number(self.study._study_id, number)

    def _unless_finished(self, action: Callable[[], object]) -> None:
        """Change a trial, which an earlier try may have ended without a word."""
        with suppress(UpdateFinishedTrialError):
            self._retry(action)

    def _retry(self, action: Callable[[], Result]) -> Result:
        return retry_io(action, "the search's storage cannot be used")
