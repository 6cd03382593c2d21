"""Checks of the rows of a study: within a row, within a trial, and against the plan."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from gansweep.results import phases
from gansweep.results.halving import HalvingState
from gansweep.results.phases import FinishedTrial
from gansweep.results.plan import Budget, Plan
from gansweep.results.records import Manifest
from gansweep.results.row import FAILED, IDENTITY, Cell, Outcome, Phase, Row, Trial, config_id
from gansweep.space import Distribution, contains

_MAX_NAMED = 5  # names listed in a sentence; the others are counted


def check_rows(rows: list[Row], manifest: Manifest) -> list[str]:
    """Returns a sentence for each error in the rows of a study."""
    wrong: list[str] = []
    trials: dict[str, list[Row]] = {}
    for row in rows:
        trials.setdefault(row.trial_id, []).append(row)
    for trial_id, history in trials.items():
        checks = (_check_history(history, manifest), _check_scores(history, manifest))
        wrong += [f"trial {trial_id}: {sentence}" for check in checks for sentence in check]
        wrong += [f"trial {trial_id}: {sentence}" for sentence in _check_configuration(history[0], manifest)]
    firsts = [history[0] for history in trials.values()]
    wrong += [*_check_search(firsts, manifest), *_check_pruned(rows, manifest)]
    return wrong + list(_check_phases(firsts, rows, manifest))


def _check_history(history: list[Row], manifest: Manifest) -> Iterator[str]:
    """The rows of one trial, whose order the reader has checked."""
    first, last = history[0], history[-1]
    for name in (*IDENTITY, "hp", "steps_planned", "n_images"):
        if any(getattr(row, name) != getattr(first, name) for row in history):
            yield f"{name} changes from row to row"
    steps = [row.step for row in history if row.metrics]
    if not 0 <= last.step <= last.steps_planned:
        yield f"it is at step {last.step} of {last.steps_planned}"
    for name in ("train_seconds", "eval_seconds"):
        if any(getattr(a, name) > getattr(b, name) for a, b in pairwise(history)) or getattr(first, name) < 0:
            yield f"{name} decreases"
    n_planned = manifest.budget.evaluations
    every_round = [(i + 1) * steps[0] for i in range(len(steps))] if steps else []
    if last.outcome == Outcome.OK and len(steps) != n_planned and steps != every_round:
        yield f"it has {len(steps)} of {n_planned} measurements"


def _check_scores(history: list[Row], manifest: Manifest) -> Iterator[str]:
    """The measurements, their metric, and whether the outcome follows from them."""
    for metric_id in sorted({row.metric_id for row in history if row.metrics}, key=str):
        known = manifest.metrics.get(str(metric_id))
        if known is None:
            yield f"its metric_id {metric_id} is not in the manifest"
        elif (known.dataset, known.n_images) != (history[0].dataset, history[0].n_images):
            yield f"its metric_id {metric_id} belongs to other images than those of the trial"
    last = history[-1]
    measured = any(row.fid is not None for row in history)
    if last.outcome == Outcome.OK and not measured:
        yield "its outcome is ok, but no FID was measured"
    if (last.failure is not None) != (last.outcome in FAILED):
        yield f"its outcome is {last.outcome}, but its failure is {last.failure and last.failure.kind}"


def _check_configuration(row: Row, manifest: Manifest) -> Iterator[str]:
    """The study of the trial, and whether the search could have drawn its hyperparameters."""
    for name in ("study", "sampler", "sampler_seed"):
        if getattr(row, name) != getattr(manifest, name):
            yield f"its {name} is {getattr(row, name)!r}, the manifest's {getattr(manifest, name)!r}"
    if row.steps_planned != manifest.budget.steps:
        yield f"its steps_planned is {row.steps_planned}, the manifest's {manifest.budget.steps}"
    if row.dataset not in manifest.datasets or row.variant not in manifest.variants:
        yield f"the manifest has no {row.variant} on {row.dataset}"
        return
    if config_id(row.hp) != row.config_id:
        yield f"config_id {row.config_id} is not the hash of its hyperparameters"
    default = manifest.defaults[row.variant]
    if row.is_default:
        if row.hp != default:
            yield "it is marked as the default, but has other hyperparameters"
        return
    space = manifest.space(row.variant)
    for name in sorted(row.hp.keys() | {n for n, v in space.items() if isinstance(v, Distribution)}):
        values, value = space.get(name, default.get(name)), row.hp.get(name)
        allowed = contains(values, value) if isinstance(values, Distribution) else value == values
        if not allowed:
            yield f"hyperparameter {name} is {value!r}, which is outside its space"


def _check_search(trials: list[Row], manifest: Manifest) -> Iterator[str]:
    """The search: each number once, with its name, seed and role. trials: the first row of each."""
    search = [trial for trial in trials if trial.phase == Phase.SEARCH]
    numbers = Counter((trial.dataset, trial.variant, trial.trial_number) for trial in search)
    for (dataset, variant, number), count in numbers.items():
        if count > 1:
            yield f"the search of {variant} on {dataset} has {count} trials of number {number}"
    n_trials = manifest.budget.trials
    for trial in search:
        number = trial.trial_number
        if not 0 <= number < n_trials:
            yield f"trial {trial.trial_id}: its number is {number}, but a search has {n_trials} trials"
        if trial.trial_id.rpartition("-")[2].lstrip("0") != str(number or ""):
            yield f"trial {trial.trial_id}: its number is {number}"
        if trial.seed != manifest.sampler_seed * 100_000 + number:
            yield f"trial {trial.trial_id}: its seed is {trial.seed}, which does not follow from its number"
        if trial.is_default != (number == 0):
            yield f"trial {trial.trial_id}: number 0, and no other, is the default"


def _check_pruned(rows: list[Row], manifest: Manifest) -> Iterator[str]:
    """The pruned trials: exactly the trials that were worse than others at a rung."""
    ends = {(*_place(row), row.phase): row.outcome for row in rows if row.outcome}
    pruned = {place for place, outcome in ends.items() if outcome == Outcome.PRUNED}
    dropped = {(*place, Phase.SEARCH) for place in _pruned(rows, manifest.budget)}
    dropped = {place for place in dropped if ends.get(place) not in FAILED}
    for places, words in ((pruned - dropped, "pruned, but no"), (dropped - pruned, "not pruned, but a")):
        for dataset, variant, number, _ in sorted(places):
            yield f"trial number {number} of {variant} on {dataset} was {words} rung drops it"


def _pruned(rows: list[Row], budget: Budget) -> Iterator[tuple[str, str, int]]:
    """Yields the trials that the searches prune, once every possible rung is decided."""
    cells: dict[Cell, HalvingState] = {}
    for row in rows if budget.halving else ():
        if row.phase == Phase.SEARCH and 0 <= row.trial_number < budget.trials and budget.halving:
            if row.cell not in cells:
                cells[row.cell] = HalvingState(budget.halving, budget.evaluations)
                for number in range(budget.trials):
                    cells[row.cell].add(number)
            cells[row.cell].note(row)
    for cell, halving in cells.items():
        while halving.decide():
            pass
        yield from ((*cell, number) for number in halving.pruned)


def _check_phases(trials: list[Row], rows: list[Row], manifest: Manifest) -> Iterator[str]:
    """The trials on fresh seeds, and the unfinished ones. trials: the first row of each."""
    plan, finished = manifest.plan, phases.finished_trials(rows)
    after = [phase for stage in phases.stages(plan) for phase in stage]
    planned = {
        trial.trial_id: trial.seed for phase in after for trial in phases.planned(phase, plan, finished)
    }
    originals = {_place(trial): trial for trial in trials if trial.phase == Phase.SEARCH}
    for trial in trials:
        if trial.phase == Phase.SEARCH:
            continue
        original = originals.get(_place(trial))
        if trial.phase not in after:
            yield f"trial {trial.trial_id}: the study has no phase {trial.phase!r}"
        elif original is None:
            yield f"trial {trial.trial_id}: the search has no original of it"
        elif trial.hp != original.hp:
            yield f"trial {trial.trial_id}: its hyperparameters differ from {original.trial_id}"
        # An extended study retains fresh seeds of configurations that are no longer chosen.
        elif trial.seed not in (planned.get(trial.trial_id, trial.seed), _old_seed(plan, trial)):
            yield f"trial {trial.trial_id}: its seed is {trial.seed}, which is not the planned one"
    yield from _unfinished(plan, finished, after)


def _old_seed(plan: Plan, trial: Trial) -> int | None:
    """The seed that an early version gave a trial on a fresh seed; None where its id has no number."""
    return phases.shared_seed(plan, trial) if trial.trial_id.rpartition("-")[2].isdecimal() else None


def _place(trial: Trial) -> tuple[str, str, int]:
    return trial.dataset, trial.variant, trial.trial_number


def _unfinished(plan: Plan, finished: list[FinishedTrial], after: list[Phase]) -> Iterator[str]:
    """The planned trials that have not ended; a phase is planned once the earlier phases are complete."""
    ended = {_place(trial) for trial in finished if trial.phase == Phase.SEARCH}
    left = {
        f"the search of {variant} on {dataset}": [
            f"number {i}" for i in range(plan.trials) if (dataset, variant, i) not in ended
        ]
        for dataset, variant in plan.cells
    }
    for phase in after:
        if not any(left.values()):
            left[f"phase {phase}"] = [trial.trial_id for trial in phases.unfinished(phase, plan, finished)]
    for name, trials in left.items():
        if trials:
            yield f"{name}: {len(trials)} planned trials have not ended: {_some(trials)}"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
