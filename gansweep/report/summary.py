"""The tables of a report: the summary and the failures."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from gansweep.files import write_atomically
from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.costs import TIMES, unit
from gansweep.report.figures.base import Cell, Table, draws, fresh_seeds, where
from gansweep.report.statistics import Scores
from gansweep.report.text.escaping import readable_csv
from gansweep.report.text.numbers import fid_text
from gansweep.results.columns import OUTCOMES
from gansweep.results.row import FAILED, Outcome, Phase, Status, finite
from gansweep.results.status.words import first_line

_FAILED_OR_COLLAPSED = (Outcome.COLLAPSED, *FAILED)
MAX_MESSAGE = 300  # characters of an error message


def summary_table(comparison: Comparison) -> pd.DataFrame:
    """One line per data set and variant, the best first.

    Columns: n (finished trials without the default), n_<outcome>, n_running, default_fid, best_fid, k,
    median_best_k with low and high (95 %), median_fid (of all trials), failed (share of trials that
    diverged, crashed or timed out) with low and high (Wilson, 95 %), leading (whether the leader does not
    beat the variant at budget k, by the tests of all pairs), hours (training and evaluation); and of the
    fresh seeds seeds, seeds_median with low and high (95 %), seeds_bad and seeds_leading. A value is null
    where it is a failure, where it has no bound, or where the search was not random. Of a search that prunes
    trials there are n_pruned and n_brackets or n_groups, which k counts, and no median_fid.
    """
    lines = [
        _summary_line(comparison, dataset, variant, comparison.confirmed_scores(dataset))
        for dataset in comparison.datasets
        for variant in comparison.order(dataset)
    ]
    return pd.DataFrame(lines)


def _summary_line(
    comparison: Comparison, dataset: str, variant: str, confirmed: dict[str, Scores]
) -> dict[str, object]:
    cell = _of(comparison.trials, dataset, variant)
    finished = _of(comparison.finished, dataset, variant)
    defaults = _of(comparison.defaults, dataset, variant)["score"]
    scores = comparison.scores[dataset, variant]
    seconds = cell["train_seconds"].sum() + cell["eval_seconds"].sum()
    known = not comparison.is_halved  # what all trials would have scored
    seeds_leading = comparison.seed_pairs[dataset].leading if confirmed else ()
    return (
        {"dataset": dataset, "variant": variant, "n": len(finished)}
        | {f"n_{outcome}": int((finished["outcome"] == outcome).sum()) for outcome in _outcomes(comparison)}
        | ({f"n_{comparison.unit}s": len(scores)} if comparison.is_halved else {})
        | {"n_running": int(cell["outcome"].isna().sum())}
        | {"default_fid": finite(float(defaults.iloc[0])) if len(defaults) else None}
        | {"n_default": len(defaults), "best_fid": finite(comparison.best_fid(dataset, variant))}
        | _at_budget(comparison, dataset, variant)
        | {"median_fid": finite(statistics.quantile(scores, 0.5)) if known and len(scores) else None}
        | _failed_share(finished)
        | {"leading": variant in comparison.leading(dataset), "hours": float(seconds) / 3600}
        | _fresh_seeds(_of(comparison.confirmed, dataset, variant), variant, confirmed, seeds_leading)
    )


def _outcomes(comparison: Comparison) -> tuple[str, ...]:
    pruned = (Outcome.PRUNED,) if comparison.is_halved else ()
    frozen = (Outcome.FROZEN,) if (comparison.finished["outcome"] == Outcome.FROZEN).any() else ()
    return (*OUTCOMES, *frozen, *pruned)


def _of(table: pd.DataFrame, dataset: str, variant: str) -> pd.DataFrame:
    return table[(table["dataset"] == dataset) & (table["variant"] == variant)]


def _at_budget(comparison: Comparison, dataset: str, variant: str) -> dict[str, object]:
    known = comparison.is_random_search and (dataset, variant) in comparison.at_budget
    estimate = comparison.at_budget[dataset, variant] if known else None
    return {
        "k": comparison.budget(dataset) if comparison.is_random_search else None,
        "median_best_k": finite(estimate.value) if estimate else None,
        "median_best_k_low": finite(estimate.low) if estimate else None,
        "median_best_k_high": finite(estimate.high) if estimate else None,
    }


def _failed_share(finished: pd.DataFrame) -> dict[str, float | None]:
    failed, n = int(finished["outcome"].isin(FAILED).sum()), len(finished)
    low, high = statistics.wilson(failed, n) if n else (None, None)
    return {"failed": failed / n if n else None, "failed_low": low, "failed_high": high}


def _fresh_seeds(
    seeds: pd.DataFrame, variant: str, confirmed: dict[str, Scores], leading: tuple[str, ...]
) -> dict[str, object]:
    estimate = statistics.median_best(confirmed[variant], 1) if variant in confirmed else None
    return {
        "seeds": len(seeds),
        "seeds_median": finite(estimate.value) if estimate else None,
        "seeds_median_low": finite(estimate.low) if estimate else None,
        "seeds_median_high": finite(estimate.high) if estimate else None,
        "seeds_bad": int(seeds["outcome"].isin(_FAILED_OR_COLLAPSED).sum()),
        "seeds_leading": variant in leading,
    }


def write_summary(folder: Path, summary: pd.DataFrame) -> None:
    """Write data/summary.csv and data/summary.parquet."""
    write_atomically(folder / "data" / "summary.csv", readable_csv(summary))
    write_atomically(folder / "data" / "summary.parquet", summary.to_parquet(index=False))


def summary_of(comparison: Comparison, summary: pd.DataFrame, dataset: str) -> Table:
    """The lines of one data set of the summary, as `summary_cells` shows them, without its name."""
    whole = summary_cells(comparison, summary[summary["dataset"] == dataset])
    return Table(whole.columns[1:], tuple(row[1:] for row in whole.rows))


def summary_cells(comparison: Comparison, summary: pd.DataFrame) -> Table:
    """The summary as it is shown; "●" marks the leading group, of fresh seeds where there are any."""
    budgets = sorted(set(summary["k"].dropna()))
    at = f"{budgets[0]:.0f}" if len(budgets) == 1 else "k"
    time = unit(3600 * float(summary["hours"].max()), TIMES)
    lines = [dict(_summary_cells(comparison, line, at, time)) for line in summary.to_dict("records")]
    hidden = [] if summary["seeds"].any() else ["Median FID of fresh seeds [95 %]", "Bad seeds"]
    hidden += [] if summary["n_running"].any() else ["Running"]
    hidden += ["Median FID"] if comparison.is_halved or budgets == [1] else []
    hidden += [] if comparison.is_halved else ["Pruned"]
    columns = tuple(name for name in lines[0] if name not in hidden)
    return Table(columns, tuple(tuple(line[name] for name in columns) for line in lines))


def _summary_cells(
    comparison: Comparison, line: dict[Any, Any], at: str, time: str
) -> Iterator[tuple[str, Cell]]:
    """Names of columns and cells; at: the budget, "k" if the data sets differ in it; time: its unit."""
    dataset, variant = line["dataset"], line["variant"]
    cell = {"dataset": dataset, "variant": variant}
    search = cell | {"phase": Phase.SEARCH}
    finished, seeds = draws(**cell), fresh_seeds(**cell)
    leads = line["seeds_leading"] if line["seeds"] else line["leading"]
    yield "Data set", Cell(comparison.dataset_label(dataset))
    yield "Variant", Cell(comparison.label(variant), variant=variant, trials=where(**cell))
    yield "Leads", Cell("●" if leads else "", value=0 if leads else 1)
    yield (
        "Median FID of fresh seeds [95 %]",
        _interval(line, "seeds_median", seeds) if line["seeds"] else Cell("–", value=math.nan),
    )
    bad = where(**cell, phase=Phase.CONFIRM, outcome=_FAILED_OR_COLLAPSED)
    yield "Bad seeds", Cell(f"{line['seeds_bad']} of {line['seeds']}", value=line["seeds_bad"], trials=bad)
    has_budget = line["n"] and not pd.isna(line["k"])
    middle = _interval(line, "median_best_k", finished) if has_budget else Cell("–", value=math.nan)
    if has_budget and at == "k":
        middle = replace(middle, note=f"{middle.note} k = {line['k']:.0f}")
    yield f"Median best FID at budget {at} [95 %]", middle
    best = _of(comparison.finished, dataset, variant).nsmallest(1, "score")["trial_id"]
    yield "Best FID", _fid(line["best_fid"], line["n"], where(trial_id=list(best)))
    yield "Default FID", _fid(line["default_fid"], line["n_default"], where(**search, is_default=True))
    yield "Median FID", _fid(line["median_fid"], line["n"], finished)
    failed = where(**search, is_default=False, status=Status.FAILED)
    yield "Failed, % [95 %]", _share(line, failed) if line["n"] else Cell("–", value=math.nan)
    collapsed = where(**search, is_default=False, outcome=Outcome.COLLAPSED)
    yield "Collapsed", Cell(str(line["n_collapsed"]), value=line["n_collapsed"], trials=collapsed)
    n_pruned, pruned = line.get("n_pruned", 0), where(**search, outcome=Outcome.PRUNED)
    yield "Pruned", Cell(str(n_pruned), value=n_pruned, trials=pruned)
    yield "Trials", Cell(str(line["n"]), value=line["n"], trials=finished)
    running = where(**search, status=Status.RUNNING)
    yield "Running", Cell(str(line["n_running"]), value=line["n_running"], trials=running)
    spent = line["hours"] * 3600 / TIMES[time]
    yield time.capitalize(), Cell(f"{spent:.3g}", value=spent, trials=where(**search))


def _interval(line: dict[Any, Any], name: str, trials: str) -> Cell:
    low, high = fid_text(line[f"{name}_low"], "none"), fid_text(line[f"{name}_high"], "fail")
    return Cell(fid_text(line[name], "fail"), f"[{low}, {high}]", _sort_key(line[name]), trials=trials)


def _fid(value: float | None, n: int, trials: str) -> Cell:
    """The FID of n trials, of which a failure is the worst; none without trials."""
    if not n:
        return Cell("–", value=math.nan)
    return Cell(fid_text(value, "fail"), value=_sort_key(value), trials=trials)


def _sort_key(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else value


def _share(line: dict[Any, Any], trials: str) -> Cell:
    low, high = (f"{100 * line[name]:.0f}" for name in ("failed_low", "failed_high"))
    return Cell(f"{100 * line['failed']:.0f}", f"[{low}, {high}]", line["failed"], trials=trials)


def all_trials(comparison: Comparison) -> pd.DataFrame:
    """The trials of all phases, trials of the search first."""
    parts = [comparison.trials, *([comparison.reruns] if len(comparison.reruns) else [])]
    return pd.concat(parts, ignore_index=True)


def failures(comparison: Comparison) -> Table | None:
    """One line per data set, variant and kind of failure, of all phases; None if no trial has failed."""
    everything = all_trials(comparison)
    failed = everything[everything["outcome"].isin(FAILED)]
    kinds = failed.assign(kind=failed["failure_kind"].fillna(failed["outcome"]))
    rows = [
        _failure_cells(
            comparison,
            str(dataset),
            str(variant),
            str(kind),
            group,
            len(_of(everything, str(dataset), str(variant))),
        )
        for (dataset, variant, kind), group in kinds.groupby(["dataset", "variant", "kind"])
    ]
    columns = ("Data set", "Variant", "Kind", "Trials", "Of", "First message", "Its trial", "Its log")
    return Table(columns, tuple(rows)) if rows else None


def _failure_cells(
    comparison: Comparison, dataset: str, variant: str, kind: str, group: pd.DataFrame, n: int
) -> tuple[Cell, ...]:
    first = group.sort_values("trial_number", kind="stable").iloc[0]
    column = "failure_kind" if isinstance(first["failure_kind"], str) else "outcome"
    cell = {"dataset": dataset, "variant": variant}
    trial_id, log = str(first["trial_id"]), first["log_path"]
    return (
        Cell(comparison.dataset_label(dataset)),
        Cell(comparison.label(variant), variant=variant),
        Cell(kind),
        Cell(str(len(group)), value=len(group), trials=where(**cell, **{column: kind})),
        Cell(str(n), value=n, trials=where(**cell)),
        Cell(first_line(first["failure_message"])[:MAX_MESSAGE]),
        Cell(trial_id, trials=where(trial_id=trial_id)),
        Cell(log if isinstance(log, str) else ""),
    )
