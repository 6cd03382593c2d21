"""The cells that two studies have in common, and whether their FIDs may be compared."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gansweep.report.comparison import Comparison, listing
from gansweep.report.statistics import Scores
from gansweep.results.outlines import Maybe, Outline, read_outlined

SEEDS, TRIALS = "seeds", "trials"
# Of a resolved study: what all its trials have, and what it means that an early version does not say.
COMMON = {"batch_size": None, "optimizer": None, "conditional": None, "precision": "highest"}


@dataclass(frozen=True)
class Cell:
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


def common_cells(before: Comparison, after: Comparison) -> Iterator[Cell]:
    """The cells of both studies, by fresh seeds if equal searches went before them, else by trials."""
    for dataset in before.datasets:
        for variant in before.variants:
            if dataset in after.datasets and variant in after.variants:
                obstacle = next(_unlike(before, after, dataset, variant), "")
                yield _cell(before, after, dataset, variant, obstacle)


def _cell(before: Comparison, after: Comparison, dataset: str, variant: str, obstacle: str) -> Cell:
    """The scores to compare: of fresh seeds if the same effort has chosen what they confirm."""
    seeds = [study.confirmed_scores(dataset).get(variant, np.empty(0)) for study in (before, after)]
    if min(map(len, seeds)) > 1 and effort(before) == effort(after):
        return Cell(dataset, variant, SEEDS, seeds[0], seeds[1], obstacle)
    n = min(len(study.scores[dataset, variant]) for study in (before, after))
    scores = [_first_trials(study, dataset, variant, n) for study in (before, after)]
    if n < 2:
        obstacle = obstacle or f"{n or 'no'} finished trial{'s' * (n != 1)} in one of them"
    elif before.is_halved or after.is_halved:
        obstacle = obstacle or "trials of a search that prunes some are no independent draws"
    elif not before.is_random_search:
        obstacle = obstacle or f"trials of the sampler {before.manifest['sampler']} are no independent draws"
    return Cell(dataset, variant, TRIALS, scores[0], scores[1], obstacle)


def effort(study: Comparison) -> tuple[Any, ...]:
    """What has chosen the configuration that is confirmed."""
    confirm = study.manifest["budget"]["confirm"]
    budget = study.manifest["budget"]
    return budget["trials"], budget.get("halving"), confirm["top"], confirm["reruns"]


def _first_trials(study: Comparison, dataset: str, variant: str, n: int) -> Scores:
    mine = study.finished[(study.finished["dataset"] == dataset) & (study.finished["variant"] == variant)]
    return np.sort(mine.sort_values("trial_number")["score"].to_numpy(float)[:n])


def _unlike(before: Comparison, after: Comparison, dataset: str, variant: str) -> Iterator[str]:
    """What makes the FIDs of a cell incomparable, the most important first."""
    ids = [_used(study, dataset, variant, "metric_id") for study in (before, after)]
    if not all(ids):
        yield "nothing is measured in one of them"
    elif len(ids[0] | ids[1]) > 1:
        yield f"measured differently: {_measured(before, ids[0], after, ids[1])}"
    if before.selects_on(dataset) != after.selects_on(dataset):
        yield f"other selection: {before.selects_on(dataset)} and {after.selects_on(dataset)}"
    old, new = ({**m, **m["budget"]} for m in (before.manifest, after.manifest))
    for name in ("sampler", "steps", "evaluations"):
        if old[name] != new[name]:
            yield f"other {name}: {old[name]} and {new[name]}"
    for place, words in (("spaces", "other space"), ("defaults", "other default")):
        if names := _differing(old[place][variant], new[place][variant]):
            yield f"{words}: {listing(names)}"
    networks = [_used(study, dataset, variant, "architecture") for study in (before, after)]
    if networks[0] != networks[1]:
        yield f"other architecture: {listing(sorted(networks[0]))} and {listing(sorted(networks[1]))}"
    resolved = [_resolved(study.folder) for study in (before, after)]
    for name, unsaid in COMMON.items() if all(resolved) else ():
        values = [each.get(name, unsaid) for each in resolved]
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
    """How two ways to measure differ, by what their studies say of them."""
    if len(old) > 1 or len(new) > 1:
        return "one of them has FIDs of several kinds"
    a, b = (s.manifest["metrics"].get(next(iter(ids)), {}) for s, ids in ((before, old), (after, new)))
    names = [name for name in _differing(a, b) if name != "floor"]
    words = [f"{name} {json.dumps(a.get(name))} and {json.dumps(b.get(name))}" for name in names]
    return "; ".join(words) or f"metric_id {min(old)} and {min(new)}"


def _differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]


def _resolved(folder: Path) -> dict[str, Any]:
    """The resolved study; nothing if it was not handed on with the results."""
    file = folder / "study.json"
    outline: Outline = {name: Maybe(object) if unsaid else object for name, unsaid in COMMON.items()}
    return dict(read_outlined(file, outline)) if file.exists() else {}
