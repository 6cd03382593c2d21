"""What follows a search: winners run again on fresh seeds, and random configurations run again.

    select      the `top` configurations of each cell on a few fresh seeds each, to choose one
    confirm     the chosen configuration on many fresh seeds: what a report may call a result
    replicate   random configurations on fresh seeds, to split the variance between configuration and seed

Which trials a phase has follows from the plan and the finished trials alone, so an interrupted phase resumes
as a search does. A failed trial counts as worse than any score, and so does a pruned one.
"""

import hashlib
import math
from collections.abc import Iterable
from statistics import median
from typing import Protocol, TypeVar

from msgspec import structs

from gansweep.results.halving import n_completed
from gansweep.results.plan import Budget, Confirm, Plan, Replicate
from gansweep.results.row import FAILED, Cell, Outcome, Phase, Row, Trial, fields_of, slug


class FinishedTrial(Trial, frozen=True, kw_only=True):
    """A trial that has ended. score: its lowest FID; inf if it failed or was pruned."""

    outcome: Outcome
    score: float


class Scored(Protocol):
    """What choosing a configuration needs to know of a finished trial."""

    @property
    def phase(self) -> str: ...

    @property
    def trial_number(self) -> int: ...

    @property
    def score(self) -> float: ...


AnyScored = TypeVar("AnyScored", bound=Scored)


def stages(budget: Budget) -> list[tuple[Phase, ...]]:
    """Returns the phases after the search in order; those of one tuple may run side by side."""
    first = (Phase.SELECT,) if budget.confirm and budget.confirm.top > 1 else ()
    last = (Phase.CONFIRM,) if budget.confirm else ()
    beside = (Phase.REPLICATE,) if budget.replicate else ()
    return [phases for phases in ((*first, *beside), last) if phases]


def n_planned(budget: Budget) -> int:
    """Returns how many trials a cell has in all phases, if any trial of its search ends well."""
    return sum(n_by_phase(budget).values())


def n_by_phase(budget: Budget) -> dict[Phase, int]:
    """Returns how many trials a cell has in each phase, if any trial of its search ends well."""
    n = {Phase.SEARCH: budget.trials}
    if budget.confirm and budget.confirm.top > 1:
        n[Phase.SELECT] = budget.confirm.reruns * min(budget.confirm.top, n_completed(budget))
    if budget.confirm:
        n[Phase.CONFIRM] = budget.confirm.seeds
    if budget.replicate:
        n[Phase.REPLICATE] = budget.replicate.seeds * min(budget.replicate.configurations, budget.trials - 1)
    return n


class Finished:
    """The trials that have ended, from rows as they come.

    trials: in the order of their ends. best: the lowest FID so far of each trial that has not ended.
    """

    def __init__(self) -> None:
        self.trials: list[FinishedTrial] = []
        self.best: dict[str, float] = {}

    def note(self, row: Row) -> None:
        """Take the next row."""
        fid = math.inf if row.fid is None else row.fid
        best = self.best[row.trial_id] = min(self.best.get(row.trial_id, math.inf), fid)
        if row.outcome is not None:
            del self.best[row.trial_id]
            self.trials.append(finished_trial(row, row.outcome, best))


def finished_trials(rows: Iterable[Row]) -> list[FinishedTrial]:
    """Returns the trials that have ended, in the order of their ends."""
    finished = Finished()
    for row in rows:
        finished.note(row)
    return finished.trials


def finished_trial(trial: Trial, outcome: Outcome, best: float) -> FinishedTrial:
    """Returns a trial that has ended. best: its lowest FID."""
    score = math.inf if outcome in (*FAILED, Outcome.PRUNED) else best
    return FinishedTrial(**fields_of(trial), outcome=outcome, score=score)


def planned(phase: Phase, plan: Plan, finished: Iterable[FinishedTrial]) -> list[Trial]:
    """Returns the trials of a phase after the search. finished: of the phases before it."""
    by_cell: dict[Cell, list[FinishedTrial]] = {}
    for trial in finished:
        by_cell.setdefault(trial.cell, []).append(trial)
    return [trial for cell in plan.cells for trial in _planned(phase, plan, by_cell.get(cell, []))]


def unfinished(phase: Phase, plan: Plan, finished: list[FinishedTrial]) -> list[Trial]:
    """Returns the trials of a phase after the search that have not ended."""
    done = {trial.trial_id for trial in finished}
    return [trial for trial in planned(phase, plan, finished) if trial.trial_id not in done]


def n_left(plan: Plan, finished: list[FinishedTrial]) -> int:
    """Returns how many trials are still to run in all phases."""
    n_cells = len(plan.cells)
    if sum(trial.phase == Phase.SEARCH for trial in finished) < n_cells * plan.trials:
        return n_cells * n_planned(plan) - len(finished)
    left = {phase: len(unfinished(phase, plan, finished)) for stage in stages(plan) for phase in stage}
    if left.get(Phase.SELECT) and plan.confirm:  # the winners are not known yet
        alive = {trial.cell for trial in finished if trial.score < math.inf}
        left[Phase.CONFIRM] = plan.confirm.seeds * len(alive)
    return sum(left.values())


def finalists(finished: Iterable[FinishedTrial]) -> dict[Cell, FinishedTrial]:
    """Returns by cell the best trial on a fresh seed, or of the search where nothing is confirmed.

    A cell whose trials have all failed has none.
    """
    best: dict[Cell, FinishedTrial] = {}
    phases = (Phase.SEARCH, Phase.CONFIRM)
    good = [trial for trial in finished if trial.score < math.inf and trial.phase in phases]
    good.sort(key=lambda trial: (trial.phase != Phase.CONFIRM, trial.score, trial.trial_id))
    for trial in good:
        best.setdefault(trial.cell, trial)
    return best


def best_configurations(confirm: Confirm, trials: Iterable[AnyScored]) -> list[AnyScored]:
    """Returns the best configurations of a cell's search, best first. trials: those that have ended."""
    search = [trial for trial in trials if trial.phase == Phase.SEARCH and trial.score < math.inf]
    search.sort(key=lambda trial: (trial.score, trial.trial_number))
    return search[: confirm.top]


def winner(confirm: Confirm, trials: list[AnyScored]) -> AnyScored | None:
    """Returns the configuration of a cell to confirm; None if no trial ended well.

    trials: the finished ones of the cell, in all phases.
    """
    best = best_configurations(confirm, trials)
    if len(best) < 2:
        return best[0] if best else None
    scores: dict[int, list[float]] = {trial.trial_number: [] for trial in best}
    for trial in trials:
        if trial.phase == Phase.SELECT and trial.trial_number in scores:
            scores[trial.trial_number].append(trial.score)
    return min(best, key=lambda trial: (median(scores[trial.trial_number] or [math.inf]), trial.score))


def _planned(phase: Phase, plan: Plan, trials: list[FinishedTrial]) -> list[Trial]:
    """Returns the trials of a phase in one cell. trials: the finished ones of the cell."""
    if phase == Phase.REPLICATE and plan.replicate:
        return _replicates(plan, plan.replicate, trials)
    if phase == Phase.SELECT and plan.confirm:
        best = best_configurations(plan.confirm, trials)
        return _with_fresh_seeds(plan, phase, best, plan.confirm.reruns)
    if phase == Phase.CONFIRM and plan.confirm:
        best_one = winner(plan.confirm, trials)
        return _with_fresh_seeds(plan, phase, [best_one] if best_one else [], plan.confirm.seeds)
    return []


def _replicates(plan: Plan, replicate: Replicate, trials: list[FinishedTrial]) -> list[Trial]:
    drawn = [trial for trial in trials if trial.phase == Phase.SEARCH and not trial.is_default]
    # Random, but always the same order, which is that of gansweep 0.1.0.
    drawn.sort(key=lambda trial: _fresh(f"{plan.seed}/{trial.trial_number}/{Phase.REPLICATE}/0"))
    return _with_fresh_seeds(plan, Phase.REPLICATE, drawn[: replicate.configurations], replicate.seeds)


def _with_fresh_seeds(plan: Plan, phase: Phase, originals: list[FinishedTrial], n_seeds: int) -> list[Trial]:
    return [
        structs.replace(
            Trial(**fields_of(original)),
            phase=phase,
            trial_id=f"{slug(original.dataset)}-{original.variant}"
            f"-{original.trial_number:04d}-{phase}-{i:03d}",
            seed=_seed(plan, original, phase, i),
        )
        for original in originals
        for i in range(n_seeds)
    ]


def _seed(plan: Plan, original: Trial, phase: Phase, i: int) -> int:
    """Returns a training seed that no trial of the search has, nor one of another cell.

    Those of the search are below 100,000 (plan.seed + 1).
    """
    own = f"{original.dataset}/{original.variant}/{original.trial_number}/{phase}/{i}"
    return _fresh(f"{plan.seed}/{own}")


def shared_seed(plan: Plan, trial: Trial) -> int:
    """Returns the seed that gansweep 0.1.0 gave a trial after the search: the same in all cells."""
    i = int(trial.trial_id.rpartition("-")[2])
    return _fresh(f"{plan.seed}/{trial.trial_number}/{trial.phase}/{i}")


def _fresh(text: str) -> int:
    return 2**50 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
