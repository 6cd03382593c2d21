"""The checkpoints of a trial: its training state at the last two evaluations, and its trained generator.

`checkpoints/<trial_id>/round-<n>.pt` and `generator.pt` hold tensors, numbers and strings only, so that
loading a file executes no code.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypedDict
from zipfile import BadZipFile

import torch
from torch import Tensor

from gansweep.data.base import save_tensors
from gansweep.files import retry_io


class MemberState(TypedDict):
    """What a member needs to continue in any pack."""

    rounds: int  # that it has trained
    scalars: dict[str, Tensor]  # the floats of its variant, which some variants update
    singular: dict[str, dict[str, Tensor]]  # of each network, the vectors of its spectral norms
    players: dict[str, dict[str, Tensor]]  # of each player: parameters, the optimizer's moments, averages


class TrainingState(MemberState):
    """What a checkpoint holds."""

    history: str  # the rows so far as JSON, see `TrialState.history`


class Checkpoints:
    """The checkpoints of a study, one folder for each trial, so that packs may differ later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"

    def save(self, trial_id: str, rounds: int, state: TrainingState) -> None:
        """Save the training state after this many rounds; delete all older ones except the previous one."""
        self._write(state, self._file(trial_id, rounds))
        for old in self.rounds(trial_id)[:-2]:
            self._file(trial_id, old).unlink(missing_ok=True)

    def save_generator(self, trial_id: str, generator: dict[str, Tensor]) -> None:
        """Save a trained generator: its parameters and batch-norm statistics by name."""
        self._write(generator, self.folder / trial_id / "generator.pt")

    def load_generator(self, trial_id: str) -> dict[str, Tensor] | None:
        """Returns the saved generator of a trial; None if its file is missing or cannot be read."""
        generator: dict[str, Tensor] | None = _read(self.folder / trial_id / "generator.pt")
        return generator

    def generators(self) -> list[str]:
        """Returns the trials whose trained generator is saved, sorted."""
        return sorted(file.parent.name for file in self.folder.glob("*/generator.pt"))

    def rounds(self, trial_id: str) -> list[int]:
        """Returns the rounds of the saved training states, sorted."""
        files = (self.folder / trial_id).glob("round-*.pt")
        return sorted(int(file.stem.removeprefix("round-")) for file in files)

    def load_common(self, trial_ids: list[str]) -> list[TrainingState] | None:
        """Returns the training states of these trials at the last round saved for all; None if there is none.

        A file that cannot be read counts as missing: its rounds are trained again.
        """
        common = set.intersection(*(set(self.rounds(trial_id)) for trial_id in trial_ids))
        for rounds in sorted(common, reverse=True):
            states = [_read(self._file(trial_id, rounds)) for trial_id in trial_ids]
            if all(state is not None for state in states):
                return [state for state in states if state is not None]
        return None

    def forget_training(self, trial_id: str) -> None:
        """Delete the training states of a finished trial, but not its generator."""
        for rounds in self.rounds(trial_id):
            self._file(trial_id, rounds).unlink(missing_ok=True)

    def forget(self, trial_id: str) -> None:
        """Delete all checkpoints of a trial."""
        shutil.rmtree(self.folder / trial_id, ignore_errors=True)

    def _write(self, value: Mapping[str, object], file: Path) -> None:
        retry_io(lambda: save_tensors(value, file), f"{file} cannot be written")

    def _file(self, trial_id: str, rounds: int) -> Path:
        return self.folder / trial_id / f"round-{rounds:07d}.pt"


def _read(file: Path) -> Any:
    """Returns what the file holds; None if it is missing or cannot be read."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, BadZipFile, ValueError):
        return None
