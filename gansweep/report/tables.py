"""The tables of a report: the summary, the failures, and every trial."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gansweep.files import write_atomically
from gansweep.report import statistics
from gansweep.report.comparison import OUTCOMES, Comparison
from gansweep.results import FAILED, finite


def summary_table(comparison: Comparison) -> pd.DataFrame:
    """One line per data set and variant, the best first.

    Columns: n (finished trials without the default), n_<outcome>, n_running, default_fid, best_fid, k,
    median_best_k with low and high (95 %), median_fid (of all trials), failed (share of trials that
    diverged, crashed or timed out) with low and high (Wilson, 95 %), leading (whether the data cannot tell
    the variant from the best one at budget k), hours (trial time, training and evaluation). A value is null
    where it is a failure, where it has no bound, or where the search was not random.
    """
    lines = [
        _summary_line(comparison, dataset, variant)
        for dataset in comparison.datasets
        for variant in comparison.ranked(dataset)
    ]
    return pd.DataFrame(lines)


def _summary_line(comparison: Comparison, dataset: str, variant: str) -> dict[str, Any]:
    cell = _of(comparison.trials, dataset, variant)
    finished = _of(comparison.finished, dataset, variant)
    defaults = _of(comparison.defaults, dataset, variant)["score"]
    scores = comparison.scores[dataset, variant]
    seconds = cell["train_seconds"].sum() + cell["eval_seconds"].sum()
    return (
        {"dataset": dataset, "variant": variant, "n": len(scores)}
        | {f"n_{outcome}": int((finished["outcome"] == outcome).sum()) for outcome in OUTCOMES}
        | {"n_running": int(cell["outcome"].isna().sum())}
        | {"default_fid": finite(float(defaults.iloc[0])) if len(defaults) else None}
        | {"n_default": len(defaults), "best_fid": finite(comparison.best_fid(dataset, variant))}
        | _at_budget(comparison, dataset, variant)
        | {"median_fid": finite(statistics.quantile(scores, 0.5)) if len(scores) else None}
        | _failed_share(finished)
        | {"leading": variant in comparison.leading[dataset], "hours": float(seconds) / 3600}
    )


def _of(table: pd.DataFrame, dataset: str, variant: str) -> pd.DataFrame:
    return table[(table["dataset"] == dataset) & (table["variant"] == variant)]


def _at_budget(comparison: Comparison, dataset: str, variant: str) -> dict[str, Any]:
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


def write_summary(folder: Path, summary: pd.DataFrame) -> None:
    """Write data/summary.csv and data/summary.parquet."""
    write_atomically(folder / "data" / "summary.csv", summary.to_csv(index=False))
    write_atomically(folder / "data" / "summary.parquet", summary.to_parquet(index=False))


def failures(comparison: Comparison) -> list[dict[str, Any]]:
    """One line per data set, variant and kind of failure: count, first message and its trial and log."""
    failed = comparison.trials[comparison.trials["outcome"].isin(FAILED)]
    kinds = failed.assign(kind=failed["failure_kind"].fillna(failed["outcome"]))
    lines = []
    for (dataset, variant, kind), group in kinds.groupby(["dataset", "variant", "kind"]):
        first = group.sort_values("trial_number").iloc[0]
        message, log = first["failure_message"], first["log_path"]
        lines.append(
            {
                "dataset": comparison.dataset_label(str(dataset)),
                "variant": comparison.label(str(variant)),
                "kind": kind,
                "count": len(group),
                "of": len(_of(comparison.trials, str(dataset), str(variant))),
                "message": str(message).splitlines()[0] if isinstance(message, str) and message else "",
                "trial_id": first["trial_id"],
                "log": log if isinstance(log, str) else "",
            }
        )
    return lines


TRIAL_COLUMNS = (
    "trial_id",
    "dataset",
    "variant",
    "trial_number",
    "outcome",
    "fid_best",
    "fid_best_step",
    "fid",
)
COST_COLUMNS = ("steps", "train_seconds", "is_default", "failure_kind", "seed", "log_path")


def trial_browser(comparison: Comparison) -> dict[str, Any]:
    """All trials as {"columns": [...], "rows": [[...], ...]} for the page; nothing is NaN or infinite."""
    hyperparameters = [name for name in comparison.trials.columns if name.startswith("hp_")]
    columns = [*TRIAL_COLUMNS, *hyperparameters, *COST_COLUMNS]
    table = comparison.trials[columns]
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return {"columns": columns, "rows": rows}


def _cell(value: Any) -> Any:
    """A value for JSON: six digits are enough to read."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, float) else str(value)
