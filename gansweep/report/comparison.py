"""A study's results, read once and ready to be reported."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gansweep.errors import UserError
from gansweep.report import pruned, statistics
from gansweep.report.statistics import Estimate, Pairs, Scores
from gansweep.results import phases, row_file
from gansweep.results.records import Finalist, Manifest, read_finalists, read_manifest
from gansweep.results.row import FAILED, Cell, Outcome, Phase
from gansweep.results.tables import read_tables


@dataclass(frozen=True)
class Comparison:
    """Variants compared on data sets by the trials of one search.

    `trials` has one line per trial and the columns `score`, the lowest FID of the trial, and `reported`, the
    FID to the test images at that checkpoint; both are +inf where it failed or measured none, NaN while it
    runs and where it was pruned. `evaluations` has one line per measurement: dataset, trial_id, step,
    metric_id, fid and whatever other metrics were measured. `reruns` is like `trials`, for what ran again on
    fresh seeds after the search; they are not draws of it. `finalists` are the entries of finalists.json:
    the best trial of each cell measured once more.
    """

    folder: Path
    manifest: Manifest
    trials: pd.DataFrame
    evaluations: pd.DataFrame
    reruns: pd.DataFrame
    finalists: tuple[Finalist, ...] = ()

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        return tuple(self.manifest.datasets)

    @cached_property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.manifest.variants)

    @property
    def is_random_search(self) -> bool:
        """Whether trials are drawn without regard to results, as every interval of the report assumes."""
        return self.manifest.sampler in ("random", "qmc")

    @property
    def is_halved(self) -> bool:
        """Whether the search prunes trials, so that they are not independent draws; see `pruned`."""
        return self.manifest.budget.halving is not None

    @property
    def unit(self) -> str:
        """What a budget counts: "configuration", or "bracket" or "group" if the search prunes trials."""
        return pruned.unit_of_budget(self.manifest.budget)

    @cached_property
    def finished(self) -> pd.DataFrame:
        """The trials with an outcome that count: without the default configurations."""
        return self.trials[self.trials["outcome"].notna() & ~self.trials["is_default"]]

    @cached_property
    def defaults(self) -> pd.DataFrame:
        """The finished trials of the default configurations."""
        return self.trials[self.trials["outcome"].notna() & self.trials["is_default"]]

    @cached_property
    def confirmed(self) -> pd.DataFrame:
        """The finished trials that confirm the configuration chosen for each cell, if there are any."""
        everything = pd.concat([self.trials, self.reruns]) if len(self.reruns) else self.trials
        finished = everything[everything["outcome"].notna()]
        parts = [self._confirmed(cell) for _, cell in finished.groupby(["dataset", "variant"])]
        return pd.concat(parts) if parts else finished

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """The finished trials of random configurations on fresh seeds, and those configurations' trials of
        the search, unless it prunes trials: two or more lines for each (dataset, variant, config_id)."""
        again = self.reruns[(self.reruns["phase"] == Phase.REPLICATE) & self.reruns["outcome"].notna()]
        key = ["dataset", "variant", "config_id"]
        if self.is_halved:  # the search knows the final scores of good configurations only
            return again.reset_index(drop=True)
        first = self.finished.merge(again[key].drop_duplicates(), on=key)
        return pd.concat([first, again], ignore_index=True)

    def selects_on(self, dataset: str) -> str:
        """The images whose FID chooses among checkpoints and configurations: "test" or "validation"."""
        return self.manifest.selection[dataset]

    def confirmed_scores(self, dataset: str) -> dict[str, Scores]:
        """The sorted FIDs of each variant's fresh seeds on a data set, to the test images at the checkpoint
        that was selected; +inf where a seed failed; the lowest median first."""
        here = self.confirmed[self.confirmed["dataset"] == dataset]
        scores = {str(v): np.sort(mine["reported"].to_numpy(float)) for v, mine in here.groupby("variant")}
        return dict(sorted(scores.items(), key=lambda item: (statistics.quantile(item[1], 0.5), item[1][0])))

    def _confirmed(self, cell: pd.DataFrame) -> pd.DataFrame:
        seeds = cell[cell["phase"] == Phase.CONFIRM]
        if seeds.empty:
            return seeds
        trials: list[Any] = list(cell.itertuples())
        confirm = self.manifest.budget.confirm
        winner = phases.winner(confirm, trials) if confirm else None
        return seeds[seeds["trial_number"] == winner.trial_number] if winner else seeds.iloc[:0]

    @cached_property
    def scores(self) -> dict[tuple[str, str], Scores]:
        """The sorted scores of the independent draws of every (dataset, variant): its finished trials, or
        if the search prunes trials its complete groups; empty where there is none."""
        draws = pruned.draws(self.finished, self.manifest.budget) if self.is_halved else self.finished
        groups = {key: group["score"] for key, group in draws.groupby(["dataset", "variant"])}
        return {
            (dataset, variant): np.sort(
                groups.get((dataset, variant), pd.Series(dtype=float)).to_numpy(float)
            )
            for dataset in self.datasets
            for variant in self.variants
        }

    def measured(self, dataset: str, names: Iterable[str]) -> list[str]:
        """Those of the metrics that were measured on a data set."""
        here = self.evaluations[self.evaluations["dataset"] == dataset]
        return [name for name in names if name in here and here[name].notna().any()]

    def started(self, dataset: str) -> dict[str, Scores]:
        """The scores of the variants with at least one finished trial on a data set."""
        return {variant: s for variant in self.variants if len(s := self.scores[dataset, variant])}

    def budget(self, dataset: str) -> int:
        """The largest budget k at which every variant with trials on the data set can be bounded (>= 1)."""
        sizes = [len(scores) for scores in self.started(dataset).values()]
        return max(1, math.floor(statistics.largest_budget(min(sizes)))) if sizes else 1

    @cached_property
    def at_budget(self) -> dict[tuple[str, str], Estimate]:
        """The median best FID at the data set's budget, for every (dataset, variant) with finished trials."""
        return {
            (dataset, variant): statistics.median_best(scores, self.budget(dataset))
            for (dataset, variant), scores in self.scores.items()
            if len(scores)
        }

    @cached_property
    def search_pairs(self) -> dict[str, Pairs]:
        """All pairs of variants by the draws of a random search, at the budget of each data set; of the data
        sets where a trial has finished, none if the search was not random."""
        return {
            dataset: statistics.compare_pairs(started, self.budget(dataset))
            for dataset in self.datasets
            if self.is_random_search and (started := self.started(dataset))
        }

    @cached_property
    def seed_pairs(self) -> dict[str, Pairs]:
        """All pairs of variants by their fresh seeds, of the data sets that have them."""
        scores = {dataset: self.confirmed_scores(dataset) for dataset in self.datasets}
        return {dataset: statistics.compare_pairs(found) for dataset, found in scores.items() if found}

    def leading(self, dataset: str) -> tuple[str, ...]:
        """The leading group of the search; empty where no trial succeeded or the search was not random."""
        return self.search_pairs[dataset].leading if dataset in self.search_pairs else ()

    def ranked(self, dataset: str) -> list[str]:
        """All variants, the lowest median best FID at the budget first, those without trials last."""
        return sorted(self.variants, key=lambda variant: self._rank_key(dataset, variant))

    def _rank_key(self, dataset: str, variant: str) -> tuple[float, float, float, str]:
        scores = self.scores[dataset, variant]
        if not len(scores):
            return (1.0, math.inf, math.inf, variant)
        return (0.0, self.at_budget[dataset, variant].value, float(scores[0]), variant)

    def order(self, dataset: str) -> list[str]:
        """All variants as the results list them: those with fresh seeds first, by their median, the others
        as the search ranks them."""
        confirmed = list(self.confirmed_scores(dataset))
        return confirmed + [name for name in self.ranked(dataset) if name not in confirmed]

    def best_fid(self, dataset: str, variant: str) -> float:
        """The lowest FID that the search found; +inf where it found none."""
        scores = self.scores[dataset, variant]
        return float(scores[0]) if len(scores) else math.inf

    def label(self, variant: str) -> str:
        return self.manifest.variants[variant].label

    def dataset_label(self, dataset: str) -> str:
        return self.manifest.datasets[dataset].label

    def labels(self, variants: tuple[str, ...] | list[str]) -> str:
        """The labels as part of a sentence: "A", "A and B", "A, B and C"."""
        return listing([self.label(variant) for variant in variants])


def listing(words: list[str]) -> str:
    """Words as part of a sentence.

    >>> listing(["A", "B", "C"])
    'A, B and C'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def read_comparison(folder: Path, tables: dict[str, pd.DataFrame] | None = None) -> Comparison:
    """Read a study's folder. tables: what `tables.load` gives of it, if that has been done.

    Raises:
        UserError: the folder holds no results, no trial has reported yet, or a file is damaged.
    """
    manifest = read_manifest(folder)
    tables = tables or read_tables(folder, manifest.collapse_above)
    if tables["trials"].empty:
        raise UserError(f"{folder} holds no results: no trial has reported yet; run the study first")
    trials = tables["trials"]
    row_file.require_known(folder, map(Cell, trials["dataset"], trials["variant"]), manifest)
    trials = trials.assign(score=_score(trials, "fid_best"), reported=_score(trials, "fid_reported"))
    search = trials[trials["phase"] == Phase.SEARCH]
    evaluations = tables["evaluations"]
    for name in ("dataset", "trial_id", "step", "metric_id", "fid"):
        evaluations[name] = evaluations.get(name)  # nothing was measured yet
    mine = evaluations[evaluations["trial_id"].isin(search["trial_id"])]
    reruns = trials[trials["phase"] != Phase.SEARCH]
    return Comparison(folder, manifest, search, mine, reruns, _read_finalists(folder, manifest))


def _read_finalists(folder: Path, manifest: Manifest) -> tuple[Finalist, ...]:
    entries = read_finalists(folder)
    row_file.require_known(folder, (Cell(entry.dataset, entry.variant) for entry in entries), manifest)
    return tuple(entries)


def _score(trials: pd.DataFrame, column: str) -> pd.Series:
    measured = pd.to_numeric(trials[column]).astype(float)
    score = measured.where(measured.notna() & ~trials["outcome"].isin(FAILED), math.inf)
    return score.where(trials["outcome"].notna() & (trials["outcome"] != Outcome.PRUNED), math.nan)
