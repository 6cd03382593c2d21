"""What a study's folder holds, held against its plan and against a run that nobody disturbed."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from gansweep.results import phases
from gansweep.results.phases import FinishedTrial
from gansweep.results.row import FAILED, Outcome, Phase, Row, slug
from gansweep.results.row_file import read_rows
from gansweep.results.study_file import ResolvedStudy, read_study
from gansweep.run.search.storage import open_storage
from gansweep.training.job import evaluation_rounds

METRICS = ("fid", "isc")


@dataclass(frozen=True)
class Audit:
    """Counts of what must be 0, and the largest relative difference of a metric to the undisturbed run."""

    trials: int  # planned
    lost: int  # planned trials without an end, and measurements of trials that ended well that are missing
    doubled: int  # ends and measurements that are there more than once
    unplanned: int  # trials that the plan does not have, and those with another configuration
    astray: (
        int  # trials of the search that the Optuna storage has not finished once, or otherwise than the rows
    )
    difference: float

    @property
    def flawless(self) -> bool:
        return not (self.lost or self.doubled or self.unplanned or self.astray)


REPORTED: list[tuple[str, int, Audit]] = []  # of this run: the fault, how often it was injected, what it cost


def require_sound(
    fault: str,
    times: int,
    folder: Path,
    whole: Path,
    tolerance: float = 1e-6,
    ends: Mapping[str, str] | None = None,
    storage: str | None = None,
) -> Audit:
    """Audit a run that was disturbed so many times, note it for the table, and fail unless it is sound.

    tolerance: of the metrics, relative to the largest of the undisturbed run. ends: outcomes of those trials
    that may not end well. storage: the URL of the search's, if it is not the journal.
    """
    audited = audit(folder, whole, dict(ends or {}), storage)
    REPORTED.append((fault, times, audited))
    assert audited.flawless, audited
    assert audited.difference <= tolerance, audited
    return audited


def audit(folder: Path, whole: Path, ends: Mapping[str, str], storage: str | None = None) -> Audit:
    """Every planned trial once, every measurement once, all as in the undisturbed run, and Optuna agrees."""
    study, rows = read_study(folder), list(read_rows(folder))
    planned = dict(plan(study, rows))
    ended = Counter(row.trial_id for row in rows if row.outcome is not None)
    outcomes = {row.trial_id: row.outcome for row in rows if row.outcome is not None}
    measured = Counter((row.trial_id, row.step) for row in rows if row.metrics)
    due = {
        (name, step) for name, trial in planned.items() if name not in ends for step in steps_of(trial, study)
    }
    wrong = [name for name in planned if outcomes.get(name, "ok") != ends.get(name, "ok")]
    assert not wrong, {name: outcomes[name] for name in wrong}
    return Audit(
        trials=len(planned),
        lost=len(planned.keys() - ended.keys()) + len(due - measured.keys()),
        doubled=sum((ended - Counter(set(ended))).values())
        + sum((measured - Counter(set(measured))).values()),
        unplanned=len(ended.keys() - planned.keys()) + _others(rows, whole),
        astray=sum(1 for _ in _astray(folder, study, rows, storage)),
        difference=_difference(rows, list(read_rows(whole))),
    )


def plan(study: ResolvedStudy, rows: list[Row]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The trials that a study has, and their hyperparameters: those of the search by number, those of its
    phases from the rows."""
    known = {row.trial_id: row.hp for row in rows}
    for dataset, variant in study.cells:
        for number in range(study.trials):
            name = f"{slug(dataset)}-{variant}-{number:04d}"
            yield name, known.get(name, study.defaults[variant])
    for stage in phases.stages(study):
        for phase in stage:
            for trial in phases.planned(phase, study, phases.finished_trials(rows)):
                yield trial.trial_id, trial.hp


def steps_of(hp: dict[str, Any], study: ResolvedStudy) -> list[int]:
    """When a trial is measured."""
    n = int(hp.get("n_critic", 1))
    return [n * rounds for rounds in evaluation_rounds(study.steps, n, study.evaluations)]


def _others(rows: list[Row], whole: Path) -> int:
    """How many trials have another configuration or seed than in the undisturbed run."""
    pairs = [
        {row.trial_id: (row.config_id, row.seed) for row in some} for some in (rows, list(read_rows(whole)))
    ]
    return sum(pairs[0][name] != pairs[1].get(name) for name in pairs[0])


def _difference(rows: list[Row], undisturbed: list[Row]) -> float:
    """The largest difference of a metric, relative to the largest value of the undisturbed run."""
    furthest = 0.0
    for metric in METRICS:
        ours, theirs = (
            {(r.trial_id, r.step): r.metrics[metric] for r in some if metric in r.metrics}
            for some in (rows, undisturbed)
        )
        apart = max((abs(ours[key] - theirs[key]) for key in ours.keys() & theirs.keys()), default=math.inf)
        furthest = max(furthest, apart / max(map(abs, theirs.values())))
    return furthest


def _astray(folder: Path, study: ResolvedStudy, rows: list[Row], url: str | None) -> Iterator[FrozenTrial]:
    """Trials in the Optuna storage that are not what the rows say, or that the search does not have."""
    storage = open_storage(folder, url)
    finished = phases.finished_trials(rows)
    by_name = {trial.trial_id: trial for trial in finished if trial.phase == Phase.SEARCH}
    for dataset, variant in study.cells:
        name = f"{study.name}/{variant}@{dataset}"
        trials = optuna.load_study(storage=storage, study_name=name).get_trials(deepcopy=False)
        yield from trials[study.trials :]
        for trial in trials:
            ended = by_name.get(f"{slug(dataset)}-{variant}-{trial.number:04d}")
            if ended is None or not _agree(trial, ended):
                yield trial


def _agree(trial: FrozenTrial, ended: FinishedTrial) -> bool:
    """Whether Optuna's state and value of a trial are those of its rows."""
    states = optuna.trial.TrialState
    if ended.outcome in FAILED:
        return trial.state == (states.COMPLETE if ended.outcome == Outcome.DIVERGED else states.FAIL)
    if ended.outcome == Outcome.PRUNED:
        return trial.state == states.PRUNED
    return trial.state == states.COMPLETE and trial.value == ended.score


def table() -> list[str]:
    """The faults of this run as lines of text: how often injected, and what was lost or doubled."""
    lines = [f"{'fault':<58}{'injected':>9}{'trials':>8}{'lost':>6}{'doubled':>9}{'difference':>12}"]
    lines += [
        f"{fault:<58}{times:>9}{one.trials:>8}{one.lost:>6}{one.doubled:>9}{one.difference:>12.1g}"
        for fault, times, one in REPORTED
    ]
    return lines
