"""What all trackers share: one run for each trial, and the numbers of a row by name."""

import importlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Protocol

from gansweep.results.records import read_manifest
from gansweep.results.row import Outcome, Row
from gansweep.results.study_file import ResolvedStudy

MAX_OPEN = 100  # runs that a tracker keeps open: a file and a thread each


class Tracker(Protocol):
    """What every new row is sent to."""

    name: str

    def log(self, row: Row) -> None:
        """Take a row that no tracker of this kind has been sent before."""

    def close(self) -> None:
        """Close: there are no more rows from this driver."""


class RunPerTrial(ABC):
    """A run is open from the first row of its trial to the outcome, unless too many others are used more."""

    name: str
    package: str
    environment: ClassVar[dict[str, str]] = {}  # what the package reads, unless the user has set it

    def __init__(self, study: ResolvedStudy, folder: Path) -> None:
        """study: as resolved; folder: the study's, with its manifest."""
        self.study, self.folder = study, folder
        self.created = read_manifest(folder).created
        self.runs: dict[str, Any] = {}  # by trial_id, the one used last at the end
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        self.module = importlib.import_module(self.package)

    def log(self, row: Row) -> None:
        trial = row.trial_id
        run = self.runs.pop(trial, None) or self._open(row)
        self.runs[trial] = run
        if row.metrics:
            self._write(run, row)
        if row.outcome is not None:
            self._end(run, row)
            self._release(self.runs.pop(trial), row.outcome)
        elif len(self.runs) > MAX_OPEN:
            self._release(self.runs.pop(next(iter(self.runs))), None)

    def close(self) -> None:
        while self.runs:
            self._release(self.runs.popitem()[1], None)

    @abstractmethod
    def _open(self, row: Row) -> Any:
        """The run of a row's trial, begun now or by an earlier driver."""

    @abstractmethod
    def _write(self, run: Any, row: Row) -> None:
        """Add what a row has measured."""

    @abstractmethod
    def _end(self, run: Any, row: Row) -> None:
        """Note the outcome."""

    @abstractmethod
    def _release(self, run: Any, outcome: Outcome | None) -> None:
        """Keep nothing open; an outcome of None means that the trial continues."""


def scalars(row: Row) -> dict[str, float]:
    """Returns the numbers of a row by name, such as `metrics/fid`; those that are not finite are left out."""
    named = {f"metrics/{name}": value for name, value in row.metrics.items()}
    named |= {f"loss/{name}": value for name, value in row.terms.items()}
    named |= {"cost/train_seconds": row.train_seconds}
    return {name: value for name, value in named.items() if value is not None}


def outcome_text(row: Row) -> str:
    """Returns how a trial ended, such as `diverged: a loss is not finite`."""
    return f"{row.outcome}: {row.failure.message}" if row.failure else str(row.outcome)
