"""The trials embedded in the page, which its reader can filter and sort."""

import math
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from gansweep.errors import readable
from gansweep.report.comparison import Comparison
from gansweep.report.samples import own_file
from gansweep.report.summary import MAX_MESSAGE, all_trials
from gansweep.results.row import FAILED, Phase
from gansweep.results.status.words import first_line

_MAX_TRIALS = 5_000  # in a page: more would make it slow to open
_IDENTITY_COLUMNS = ("trial_id", "variant", "dataset", "phase", "outcome")
_SCORE_COLUMNS = ("fid_best", "fid_reported")
# Not in the table until its reader asks for them; a filter can use them.
_FURTHER_COLUMNS = ("fid", "fid_best_step", "steps", "train_seconds", "trial_number", "seed", "is_default")
_DETAIL_COLUMNS = ("failure_kind", "failure_message", "config_id", "status", "sample_path", "log_path")
_HEADINGS = {
    "trial_id": "Trial",
    "variant": "Variant",
    "dataset": "Data set",
    "phase": "Phase",
    "outcome": "Outcome",
    "fid_best": "Best FID",
    "fid_reported": "Test FID",
    "fid": "Last FID",
    "fid_best_step": "Best at step",
    "steps": "Steps",
    "train_seconds": "Training, s",
    "trial_number": "Number",
    "seed": "Seed",
    "is_default": "Default",
    "failure_kind": "Failure",
    "failure_message": "Message",
    "config_id": "Configuration",
    "status": "Status",
    "sample_path": "Samples",
    "log_path": "Log",
}


class BrowserData(TypedDict):
    """The trials as the page's script reads them."""

    study: str  # as a command names it
    columns: list[str]
    headings: list[str]  # of the columns, for people
    shown: int  # the first columns, which the table has until its reader chooses others
    rows: list[list[Any]]
    labels: dict[str, dict[str, str]]  # of data sets and variants
    left_out: int  # trials that are not in `rows`


def trial_browser(comparison: Comparison) -> BrowserData:
    """Returns the data of the page's script as JSON values: no number is NaN or infinite."""
    everything = all_trials(comparison)
    trials = _embedded(comparison, everything)
    trials = trials.assign(
        failure_message=pd.Series(map(_message, trials["failure_message"]), trials.index),
        sample_path=_existing(comparison, trials["sample_path"]),
        log_path=_existing(comparison, trials["log_path"]),
    )
    names = [str(name) for name in trials]
    hyperparameters = [name for name in names if name.startswith("hp_") and trials[name].notna().any()]
    scores = [name for name in _SCORE_COLUMNS if name != "fid_reported" or _has_own_report(trials)]
    identity = [name for name in _IDENTITY_COLUMNS if name != "dataset" or len(comparison.datasets) > 1]
    shown = [*identity, *scores, *hyperparameters]
    further = ["dataset"] if "dataset" not in identity else []
    columns = [*shown, *further, *_FURTHER_COLUMNS, *_DETAIL_COLUMNS]
    rows = trials[columns].itertuples(index=False, name=None)
    return {
        "study": readable(comparison.manifest.study),
        "columns": [readable(name) for name in columns],
        "headings": [_HEADINGS.get(name, readable(name.removeprefix("hp_"))) for name in columns],
        "shown": len(shown),
        "rows": [[_value(value) for value in row] for row in rows],
        "labels": {
            "dataset": {
                readable(name): readable(comparison.dataset_label(name)) for name in comparison.datasets
            },
            "variant": {readable(name): readable(comparison.label(name)) for name in comparison.variants},
        },
        "left_out": len(everything) - len(trials),
    }


def _embedded(comparison: Comparison, trials: pd.DataFrame) -> pd.DataFrame:
    """Returns all trials; of more than MAX_TRIALS a selection, described by `embedding`, in the same order.

    Without exception: fresh seeds that choose or confirm, default configurations and finalists. Of every
    cell and phase: as many of the best and of the first failed trials as fit.
    """
    if len(trials) <= _MAX_TRIALS:
        return trials
    always = trials["phase"].isin([Phase.SELECT, Phase.CONFIRM]) | trials["is_default"]
    always |= trials["trial_id"].isin([entry.trial_id for entry in comparison.finalists])
    failed = trials["outcome"].isin(FAILED)
    cell = [trials[name] for name in ("phase", "dataset", "variant")]
    best = trials["score"].mask(failed).groupby(cell).rank(method="first")
    first = trials["trial_number"].where(failed).groupby(cell).rank(method="first")
    place = best.fillna(first).fillna(math.inf).mask(always, 0.0)
    sizes = place.value_counts().sort_index().cumsum()
    last = sizes.index[max(0, int((sizes <= _MAX_TRIALS).sum()) - 1)]
    chosen: pd.DataFrame = trials[place <= last]
    return chosen


def _message(message: object) -> str | None:
    return first_line(message)[:MAX_MESSAGE] or None


def embedding(browser: BrowserData) -> str:
    """Returns a sentence about the embedded trials; empty if all are embedded."""
    n, left_out = len(browser["rows"]), browser["left_out"]
    if not left_out:
        return ""
    return (
        f"This page holds {n:,} of {n + left_out:,} trials: all fresh seeds that choose or confirm, default "
        "configurations and finalists, and of every other cell and phase as many of the best and of the "
        "first failed trials as fit. The complete tables hold all trials."
    )


def _has_own_report(trials: pd.DataFrame) -> bool:
    """Whether the reported FID differs from the FID that selected checkpoints."""
    return bool((trials["fid_reported"].notna() & (trials["fid_reported"] != trials["fid_best"])).any())


def _existing(comparison: Comparison, paths: pd.Series) -> pd.Series:
    """Returns the paths that are files in the study's folder; None for the others."""
    own = {path for path in set(paths.dropna()) if own_file(comparison.folder, path)}
    return paths.where(paths.isin(own), None)


def _value(value: Any) -> Any:
    """Returns a value for JSON, with six digits."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, float) else readable(str(value))
