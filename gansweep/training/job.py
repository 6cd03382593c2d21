"""A job: the trials of one pack, and the progress of each."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from gansweep.results.row import Cell, Row, Trial, now
from gansweep.results.study_file import ResolvedStudy
from gansweep.training.member import Member, common, make_member
from gansweep.variants import VARIANTS


@dataclass(frozen=True)
class Job:
    """The trials of one pack. until: the evaluation after which they pause; None: the last one."""

    pack: str
    trials: list[Trial]
    study: ResolvedStudy
    folder: Path
    until: int | None = None

    @property
    def cell(self) -> Cell:
        return self.trials[0].cell

    def members(self) -> list[Member]:
        """Returns the members of the pack, in the order of the trials."""
        return [member_of(trial, self.study) for trial in self.trials]

    def to_config(self) -> dict[str, Any]:
        """Returns the pack as plain values for a worker, which reads the study from its folder."""
        return {"pack": self.pack, "trials": msgspec.to_builtins(self.trials), "until": self.until}

    @classmethod
    def from_config(cls, config: dict[str, Any], study: ResolvedStudy, folder: Path) -> Self:
        """The inverse of `to_config`."""
        trials = msgspec.convert(config["trials"], list[Trial])
        return cls(config["pack"], trials, study, folder, config["until"])


def member_of(trial: Trial, study: ResolvedStudy) -> Member:
    """Returns the member of a trial."""
    own = {name: getattr(trial, name) for name in ("trial_id", "dataset", "architecture", "seed")}
    return make_member(VARIANTS[trial.variant], trial.hp, **own, **common(study))


@dataclass
class TrialState:
    """A trial in training: its rows so far, and its share of the time of the pack, in seconds."""

    trial: Trial
    rows: list[Row] = field(default_factory=list)
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    started_at: str = field(default_factory=now)

    def history(self) -> str:
        """Returns everything except the trial as JSON, which is part of its checkpoint."""
        values = {name: value for name, value in vars(self).items() if name != "trial"}
        return json.dumps(msgspec.to_builtins(values))

    @classmethod
    def from_history(cls, trial: Trial, history: str) -> Self:
        """The inverse of `history`."""
        values = json.loads(history)
        return cls(trial, **values | {"rows": msgspec.convert(values["rows"], list[Row])})


def evaluation_rounds(steps: int, n_steps: int, evaluations: int) -> list[int]:
    """Returns the rounds after which to evaluate: evenly spaced, the last one after all `steps`.

    n_steps: the steps in a round. A remainder of `steps` shorter than a round is not trained.

    >>> evaluation_rounds(15_625, 5, 5)
    [625, 1250, 1875, 2500, 3125]
    """
    total = max(1, steps // n_steps)
    return sorted({max(1, total * (i + 1) // evaluations) for i in range(evaluations)})
