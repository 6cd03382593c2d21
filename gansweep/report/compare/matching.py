"""The cells that two studies have in common, and whether their FIDs may be compared."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gansweep.report.comparison import Comparison, listing
from gansweep.report.statistics import Scores
from gansweep.results.folder import StudyFolder
from gansweep.results.study_file import ResolvedStudy, read_study

SEEDS, TRIALS = "seeds", "trials"
_COMMON = ("batch_size", "optimizer", "conditional", "precision")  # common to all trials of a resolved study


@dataclass(frozen=True)
class CommonCell:
    """A variant on a data set in both studies: the sorted scores that are compared, or why they cannot be.

    kind: "seeds" of the confirmed configuration or "trials" of the search.
    """

    dataset: str
    variant: str
    kind: str
    before: Scores
    after: Scores
    obstacle: str = ""

    @property
    def name(self) -> str:
        return f"{self.variant} on {self.dataset}"


def common_cells(before: Comparison, after: Comparison) -> Iterator[CommonCell]:
    """The cells of both studies, by fresh seeds if equal searches went before them, else by trials."""
    for dataset in before.datasets:
        for variant in before.variants:
            if dataset in after.datasets and variant in after.variants:
                obstacle = next(_obstacles(before, after, dataset, variant), "")
                yield _cell(before, after, dataset, variant, obstacle)


def _cell(before: Comparison, after: Comparison, dataset: str, variant: str, obstacle: str) -> CommonCell:
    """The scores to compare: of fresh seeds if an equal effort has chosen the confirmed configurations."""
    seeds = [study.confirmed_scores(dataset).get(variant, np.empty(0)) for study in (before, after)]
    if min(map(len, seeds)) > 1 and effort(before) == effort(after):
        return CommonCell(dataset, variant, SEEDS, seeds[0], seeds[1], obstacle)
    n = min(len(study.scores[dataset, variant]) for study in (before, after))
    scores = [_first_trials(study, dataset, variant, n) for study in (before, after)]
    if n < 2:
        obstacle = obstacle or f"{n or 'no'} finished trial{'s' * (n != 1)} in one of the studies"
    elif before.is_halved or after.is_halved:
        obstacle = obstacle or "trials of a search that prunes are not independent draws"
    elif not before.is_random_search:
        obstacle = obstacle or f"trials of the sampler {before.manifest.sampler} are not independent draws"
    return CommonCell(dataset, variant, TRIALS, scores[0], scores[1], obstacle)


def effort(study: Comparison) -> tuple[Any, ...]:
    """Returns the settings of the search that chose the confirmed configuration."""
    budget = study.manifest.budget
    chosen_by = (budget.confirm.top, budget.confirm.reruns) if budget.confirm else ()
    return budget.trials, budget.halving, *chosen_by


def _first_trials(study: Comparison, dataset: str, variant: str, n: int) -> Scores:
    mine = study.finished[(study.finished["dataset"] == dataset) & (study.finished["variant"] == variant)]
    return np.sort(mine.sort_values("trial_number")["score"].to_numpy(float)[:n])


def _obstacles(before: Comparison, after: Comparison, dataset: str, variant: str) -> Iterator[str]:
    """Yields the reasons why the FIDs of a cell are not comparable, the most important first."""
    ids = [_used(study, dataset, variant, "metric_id") for study in (before, after)]
    if not all(ids):
        yield "one of the studies has no measurement"
    elif len(ids[0] | ids[1]) > 1:
        yield f"measured differently: {_measured(before, ids[0], after, ids[1])}"
    if before.selects_on(dataset) != after.selects_on(dataset):
        yield f"other selection: {before.selects_on(dataset)} and {after.selects_on(dataset)}"
    old, new = before.manifest, after.manifest
    for name in ("sampler", "steps", "evaluations"):
        values = [getattr(m if name == "sampler" else m.budget, name) for m in (old, new)]
        if values[0] != values[1]:
            yield f"other {name}: {values[0]} and {values[1]}"
    if names := _differing(old.spaces[variant], new.spaces[variant]):
        yield f"other space: {listing(names)}"
    if names := _differing(old.defaults[variant], new.defaults[variant]):
        yield f"other default: {listing(names)}"
    networks = [_used(study, dataset, variant, "architecture") for study in (before, after)]
    if networks[0] != networks[1]:
        yield f"other architecture: {listing(sorted(networks[0]))} and {listing(sorted(networks[1]))}"
    resolved = [_resolved(study.folder) for study in (before, after)]
    for name in _COMMON if all(resolved) else ():
        values = [getattr(study, name) for study in resolved]
        if values[0] != values[1]:
            yield f"other {name}: {values[0]} and {values[1]}"


def _used(study: Comparison, dataset: str, variant: str, column: str) -> set[str]:
    """The values of a column in the trials of a cell, of all phases."""
    values: set[str] = set()
    for table in (study.trials, study.reruns):
        mine = table[(table["dataset"] == dataset) & (table["variant"] == variant)]
        values |= set(mine[column].dropna())
    return values


def _measured(before: Comparison, old: set[str], after: Comparison, new: set[str]) -> str:
    """The differences between two metrics, as recorded by their studies."""
    if len(old) > 1 or len(new) > 1:
        return "one of the studies has FIDs of several metrics"
    a, b = (_description(study, next(iter(ids))) for study, ids in ((before, old), (after, new)))
    names = _differing(a, b)
    words = [f"{name} {json.dumps(a.get(name))} and {json.dumps(b.get(name))}" for name in names]
    return "; ".join(words) or f"metric_id {min(old)} and {min(new)}"


def _description(study: Comparison, metric_id: str) -> dict[str, object]:
    """Returns how something was measured, as JSON values; an empty dict if the manifest lacks it."""
    known = study.manifest.metrics.get(metric_id)
    return known.description() if known else {}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]


def _resolved(folder: Path) -> ResolvedStudy | None:
    """Returns the resolved study; None if it is not part of the results."""
    return read_study(folder) if StudyFolder(folder).study.exists() else None
