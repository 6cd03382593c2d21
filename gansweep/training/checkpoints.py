"""The checkpoints of a trial: its training state at the last two evaluations, and its trained generator.

`checkpoints/<trial_id>/round-<n>.pt` and `generator.pt` hold tensors, numbers and strings only, so that
loading a file executes no code.
"""

import shutil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import torch

from gansweep.data.base import save_tensors
from gansweep.files import retry_io


class Checkpoints:
    """The checkpoints of a study, one folder for each trial, so that packs may differ later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"

    def save(self, trial_id: str, rounds: int, state: dict[str, Any]) -> None:
        """Save the training state after this many rounds; delete all older ones except the previous one."""
        self._write(state, self._file(trial_id, rounds))
        for old in self.rounds(trial_id)[:-2]:
            self._file(trial_id, old).unlink(missing_ok=True)

    def save_generator(self, trial_id: str, generator: dict[str, torch.Tensor]) -> None:
        """Save a trained generator: its parameters and batch-norm statistics by name."""
        self._write(dict(generator), self.folder / trial_id / "generator.pt")

    def load_generator(self, trial_id: str) -> dict[str, torch.Tensor] | None:
        """Returns the saved generator of a trial; None if its file is missing or cannot be read."""
        return _read(self.folder / trial_id / "generator.pt")

    def generators(self) -> list[str]:
        """Returns the trials whose trained generator is saved, sorted."""
        return sorted(file.parent.name for file in self.folder.glob("*/generator.pt"))

    def rounds(self, trial_id: str) -> list[int]:
        """Returns the rounds of the saved training states, sorted."""
        files = (self.folder / trial_id).glob("round-*.pt")
        return sorted(int(file.stem.removeprefix("round-")) for file in files)

    def load_common(self, trial_ids: list[str]) -> list[dict[str, Any]] | None:
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

    def _write(self, value: dict[str, Any], file: Path) -> None:
        retry_io(lambda: save_tensors(value, file), f"{file} cannot be written")

    def _file(self, trial_id: str, rounds: int) -> Path:
        return self.folder / trial_id / f"round-{rounds:07d}.pt"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, BadZipFile, ValueError):
        return None
    return state
