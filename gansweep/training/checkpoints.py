"""The checkpoints of a trial: its last two training states, and its trained generator.

A pack saves the states of its members when five minutes of training would be lost, and where it pauses.

`checkpoints/<trial_id>/round-<n>.pt` and `generator.pt` hold tensors, numbers and strings only, so that
loading a file executes no code. A file is used only if it holds what was written, by the same trial of the
same study. Else it counts as missing, its rounds are trained again, and it is moved to `set-aside/`.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from torch import Tensor

from gansweep.data.tensors import is_sealed, load_tensors, load_unsealed, save_tensors
from gansweep.errors import Damaged
from gansweep.files import retry_io, seconds_of, set_aside
from gansweep.results.folder import StudyFolder
from gansweep.results.row import Trial
from gansweep.results.study_file import ResolvedStudy

STATE, GENERATOR = "training state", "generator"  # kinds of files
CHECKPOINT_SECONDS, USUAL_SECONDS = "GANSWEEP_CHECKPOINT_SECONDS", 300.0
_log = logging.getLogger(__name__)


def checkpoint_seconds() -> float:
    """Returns how much training may be lost before a pack saves its states [s], see `seconds_of`."""
    return seconds_of(CHECKPOINT_SECONDS, USUAL_SECONDS)


class MemberState(TypedDict):
    """What a member needs to continue in any pack."""

    rounds: int  # that it has trained
    scalars: dict[str, Tensor]  # the floats of its variant, which some variants update
    singular: dict[str, dict[str, Tensor]]  # of each network, the vectors of its spectral norms
    players: dict[str, dict[str, Tensor]]  # of each player: parameters, the optimizer's moments, averages


class TrainingState(MemberState):
    """What a checkpoint holds."""

    history: str  # the rows so far as JSON, see `TrialState.history`
    evaluated: NotRequired[Tensor]  # the weights of G at the last evaluation, unless that was just now


class Checkpoints:
    """The checkpoints of a study, one folder for each trial, so that packs may differ later."""

    def __init__(self, folder: Path) -> None:
        self.files = StudyFolder(folder)

    def save(self, study: ResolvedStudy, trial: Trial, state: TrainingState) -> None:
        """Save the training state; delete all older ones except the previous one."""
        self._write(state, self._state_file(trial.trial_id, state["rounds"]), STATE, identity(study, trial))
        for old in self.rounds(trial.trial_id)[:-2]:
            self._state_file(trial.trial_id, old).unlink(missing_ok=True)

    def save_generator(self, study: ResolvedStudy, trial: Trial, generator: dict[str, Tensor]) -> None:
        """Save a trained generator: its parameters and batch-norm statistics by name."""
        self._write(generator, self._file(trial.trial_id, "generator.pt"), GENERATOR, identity(study, trial))

    def load_generator(self, study: ResolvedStudy, trial: Trial) -> dict[str, Tensor] | None:
        """Returns the saved generator of a trial; None if its file is missing, damaged or of something else.

        Of gansweep 0.1.0 it has no hash, and is taken as it is.
        """
        file = self._file(trial.trial_id, "generator.pt")

        def load() -> Any:
            return (
                load_tensors(file, GENERATOR, identity(study, trial))
                if is_sealed(file)
                else load_unsealed(file)
            )

        generator: dict[str, Tensor] | None = self._read(file, load)
        return generator

    def generators(self) -> list[str]:
        """Returns the trials whose trained generator is saved, sorted."""
        return sorted(file.parent.name for file in self.files.checkpoints.glob("*/generator.pt"))

    def trials(self) -> list[str]:
        """Returns the trials of which anything is saved, sorted."""
        return sorted(file.name for file in self.files.checkpoints.glob("*"))

    def rounds(self, trial_id: str) -> list[int]:
        """Returns the rounds of the saved training states, sorted."""
        numbers = (file.stem.removeprefix("round-") for file in self._file(trial_id).glob("round-*.pt"))
        return sorted(int(number) for number in numbers if number.isdecimal() and len(number) < 19)

    def load_common(
        self, study: ResolvedStudy, trials: Iterable[Trial], fits: Callable[[int, TrainingState], bool]
    ) -> list[TrainingState] | None:
        """Returns the training states of trials at the last round saved for all; None if there is none.

        fits: whether a state can be that of the i-th trial.
        """
        trials = list(trials)
        common = set.intersection(*(set(self.rounds(trial.trial_id)) for trial in trials))
        for rounds in sorted(common, reverse=True):
            states = [self._load(study, trial, rounds) for trial in trials]
            found = [state for i, state in enumerate(states) if state is not None and fits(i, state)]
            if len(found) == len(trials):
                return found
        return None

    def forget_training(self, trial_id: str) -> None:
        """Delete the training states of a finished trial, but not its generator."""
        for rounds in self.rounds(trial_id):
            self._state_file(trial_id, rounds).unlink(missing_ok=True)

    def forget(self, trial_id: str) -> None:
        """Delete all checkpoints of a trial."""
        shutil.rmtree(self._file(trial_id), ignore_errors=True)

    def _load(self, study: ResolvedStudy, trial: Trial, rounds: int) -> TrainingState | None:
        file = self._state_file(trial.trial_id, rounds)
        state = self._read(file, lambda: load_tensors(file, STATE, identity(study, trial)))
        return cast(TrainingState, state) if state and state.get("rounds") == rounds else None

    def _read(self, file: Path, load: Callable[[], Any]) -> Any:
        """Returns what a file holds; None if it is missing, or was not usable and is out of the way now."""
        try:
            return retry_io(load, f"{file} cannot be read", but=(FileNotFoundError, PermissionError))
        except FileNotFoundError:
            return None
        except (Damaged, PermissionError) as error:
            name = f"{file.parent.name}-{file.name}"
            place = retry_io(lambda: set_aside(file, self.files.aside, name), f"{file} cannot be moved")
            _log.warning("%s: it was moved to %s, and what it held is made again", error, place)
            return None

    def _write(self, value: Mapping[str, object], file: Path, kind: str, of: str) -> None:
        retry_io(lambda: save_tensors(value, file, kind, of), f"{file} cannot be written")

    def _state_file(self, trial_id: str, rounds: int) -> Path:
        return self._file(trial_id, f"round-{rounds:07d}.pt")

    def _file(self, trial_id: str, *name: str) -> Path:
        return self.files.inside("checkpoints", trial_id, *name)


MISSING = {"average", "evaluated"}  # what one state has and another one not


def same_layout(value: object, like: object) -> bool:
    """Whether a training state has the names, shapes and types of another one. Some may be missing."""
    if isinstance(like, Mapping):
        if not isinstance(value, Mapping) or value.keys() | MISSING != like.keys() | MISSING:
            return False
        return all(same_layout(value[name], like[name]) for name in value.keys() & like.keys())
    if isinstance(like, Tensor):
        return isinstance(value, Tensor) and (value.shape, value.dtype) == (like.shape, like.dtype)
    return type(value) is type(like)


def identity(study: ResolvedStudy, trial: Trial) -> str:
    """Returns a text of all that the training of a trial hangs on."""
    own = [trial.trial_id, trial.architecture, trial.seed, trial.config_id]
    return json.dumps([study.fingerprint, *own])
