"""What follows a search: winners run again on fresh seeds, and random configurations run again.

    select      the `top` configurations of each cell on a few fresh seeds each, to choose one
    confirm     the chosen configuration on many fresh seeds: what a report may call a result
    replicate   random configurations on fresh seeds, to split the variance between configuration and seed

Which trials a phase has follows from the study and the rows alone, so an interrupted one goes on like a
search does. A failed trial counts as worse than any score, and so does one that halving has pruned.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from gansweep.fields import Count, Several, check_fields
from gansweep.results.halving import PRUNED, n_completed
from gansweep.results.row_file import FAILED, Row, slug

SEARCH, SELECT, CONFIRM, REPLICATE = "search", "select", "confirm", "replicate"


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The best `top` configurations of each cell are run on `reruns` fresh seeds, and the one with the lowest
    median on `seeds` more. With `top` 1 the search alone chooses.

    Lucic et al. (2018) have top=1 and seeds=50. Of 100 configurations the luckiest is rarely the best: five
    candidates and five seeds each cost little and choose better.
    """

    top: Count = 5
    reruns: Count = 5
    seeds: Several = 30

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """`configurations` random ones of each search, each run on `seeds` fresh seeds."""

    configurations: Several = 20
    seeds: Several = 3

    def __post_init__(self) -> None:
        check_fields(self)


def stages(study: dict[str, Any]) -> list[tuple[str, ...]]:
    """The phases after the search, those that may run side by side together."""
    confirm = study["confirm"]
    first = (SELECT,) if confirm and confirm["top"] > 1 else ()
    last = (CONFIRM,) if confirm else ()
    beside = (REPLICATE,) if study["replicate"] else ()
    return [phases for phases in ((*first, *beside), last) if phases]


def n_planned(study: dict[str, Any]) -> int:
    """How many trials a cell has in all phases, if any trial of its search ends well."""
    return sum(n_by_phase(study).values())


def n_by_phase(study: dict[str, Any]) -> dict[str, int]:
    """How many trials a cell has in each phase, if any trial of its search ends well."""
    confirm, replicate = study["confirm"], study["replicate"]
    n: dict[str, int] = {SEARCH: study["trials"]}
    if confirm and confirm["top"] > 1:
        n[SELECT] = confirm["reruns"] * _n_top(study)
    if confirm:
        n[CONFIRM] = confirm["seeds"]
    if replicate:
        n[REPLICATE] = replicate["seeds"] * min(replicate["configurations"], study["trials"] - 1)
    return n


def planned(phase: str, study: dict[str, Any], rows: Iterable[Row]) -> list[Row]:
    """The trials of a phase, their identity and hp, from the rows of the phases before it."""
    by_cell: dict[tuple[str, str], list[Row]] = {}
    for row in ended(rows):
        by_cell.setdefault(_cell(row), []).append(row)
    trials = []
    for dataset in study["datasets"]:
        for variant in study["variants"]:
            trials += _planned(phase, study, by_cell.get((dataset, variant), []))
    return trials


def unfinished(phase: str, study: dict[str, Any], rows: Iterable[Row]) -> list[Row]:
    """Those trials of a phase that have not ended."""
    rows = list(rows)
    done = {row["trial_id"] for row in rows if row["outcome"] is not None}
    return [trial for trial in planned(phase, study, rows) if trial["trial_id"] not in done]


def n_left(study: dict[str, Any], rows: Iterable[Row]) -> int:
    """How many trials are still to run in all phases."""
    rows = list(rows)
    n_cells = len(study["datasets"]) * len(study["variants"])
    done = [row for row in rows if row["outcome"] is not None and row["phase"] == SEARCH]
    if len(done) < n_cells * study["trials"]:
        return n_cells * n_planned(study) - sum(row["outcome"] is not None for row in rows)
    left = {phase: len(unfinished(phase, study, rows)) for stage in stages(study) for phase in stage}
    if left.get(SELECT):  # who is confirmed is not known yet
        alive = {_cell(row) for row in ended(rows) if row["score"] < math.inf}
        left[CONFIRM] = study["confirm"]["seeds"] * len(alive)
    return sum(left.values())


def ended(rows: Iterable[Row]) -> list[Row]:
    """The last row of every trial that has ended, with its `score`: its lowest FID, inf if it failed or was
    pruned."""
    best: dict[str, float] = {}
    last = []
    for row in rows:
        fid = row["metrics"].get("fid")
        best[row["trial_id"]] = min(best.get(row["trial_id"], math.inf), math.inf if fid is None else fid)
        if row["outcome"] is not None:
            score = math.inf if row["outcome"] in (*FAILED, PRUNED) else best[row["trial_id"]]
            last.append(row | {"score": score})
    return last


def finalists(rows: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """By (data set, variant), the best trial on a fresh seed, or of the search where nothing is confirmed.

    A cell whose trials have all failed has none.
    """
    best: dict[tuple[str, str], Row] = {}
    last = [row for row in ended(rows) if row["score"] < math.inf and row["phase"] in (SEARCH, CONFIRM)]
    for row in sorted(last, key=lambda row: (row["phase"] != CONFIRM, row["score"], row["trial_id"])):
        best.setdefault(_cell(row), row)
    return best


def candidates(study: dict[str, Any], rows: list[Row]) -> list[Row]:
    """The best configurations of a cell's search, best first; rows: those that `ended` gives."""
    search = [row for row in rows if row["phase"] == SEARCH and row["score"] < math.inf]
    search.sort(key=lambda row: (row["score"], row["trial_number"]))
    return search[: study["confirm"]["top"]]


def chosen(study: dict[str, Any], rows: list[Row]) -> Row | None:
    """The configuration of a cell to confirm, None if no trial ended well; rows: those that `ended` gives."""
    best = candidates(study, rows)
    if len(best) < 2:
        return best[0] if best else None
    scores: dict[int, list[float]] = {row["trial_number"]: [] for row in best}
    for row in rows:
        if row["phase"] == SELECT and row["trial_number"] in scores:
            scores[row["trial_number"]].append(row["score"])
    return min(best, key=lambda row: (median(scores[row["trial_number"]] or [math.inf]), row["score"]))


def _planned(phase: str, study: dict[str, Any], rows: list[Row]) -> list[Row]:
    if phase == SELECT:
        return _fresh(study, phase, candidates(study, rows), study["confirm"]["reruns"])
    if phase == CONFIRM:
        winner = chosen(study, rows)
        return _fresh(study, phase, [winner] if winner else [], study["confirm"]["seeds"])
    drawn = [row for row in rows if row["phase"] == SEARCH and not row["is_default"]]
    drawn.sort(key=lambda row: _seed(study, row, phase, 0))  # in a random order that stays the same
    return _fresh(study, phase, drawn[: study["replicate"]["configurations"]], study["replicate"]["seeds"])


def _cell(row: Row) -> tuple[str, str]:
    return row["dataset"], row["variant"]


def _fresh(study: dict[str, Any], phase: str, originals: list[Row], n_seeds: int) -> list[Row]:
    """Trials like these, each on fresh seeds."""
    return [
        original
        | {
            "phase": phase,
            "trial_id": f"{slug(original['dataset'])}-{original['variant']}"
            f"-{original['trial_number']:04d}-{phase}-{i:03d}",
            "seed": _seed(study, original, phase, i),
        }
        for original in originals
        for i in range(n_seeds)
    ]


def _seed(study: dict[str, Any], original: Row, phase: str, i: int) -> int:
    """A training seed that no trial of the search has: those are below 100,000 times the study's seed + 1."""
    text = f"{study['seed']}/{original['trial_number']}/{phase}/{i}"
    return 2**50 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _n_top(study: dict[str, Any]) -> int:
    n: int = min(study["confirm"]["top"], n_completed(study))
    return n
