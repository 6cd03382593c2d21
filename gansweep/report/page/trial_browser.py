"""The trials that the page holds, to be filtered and sorted by its reader."""

import math
from typing import Any

import numpy as np
import pandas as pd

from gansweep.report.comparison import Comparison
from gansweep.report.samples import own_file
from gansweep.report.summary import all_trials, first_line
from gansweep.report.text.escaping import readable
from gansweep.results.row import FAILED, Phase

MOST = 5_000  # trials in a page: more would make it slow to open
IDENTITY = ("trial_id", "dataset", "variant", "phase", "trial_number", "outcome")
SCORES = ("fid_best", "fid_best_step", "fid", "fid_reported")
COST = ("steps", "train_seconds", "is_default", "failure_kind", "seed")
# The table leaves these to the details of a selected trial; a filter knows them.
DETAILS = ("config_id", "status", "failure_message", "sample_path", "log_path")


def trial_browser(comparison: Comparison) -> dict[str, Any]:
    """What the page's script needs, as JSON values: nothing is NaN or infinite, no text unreadable.

    `columns`, of which the first `shown` are columns of the table; `rows`; `labels` of data sets and
    variants; `study`, as a command names it; `left_out`, the number of trials that are not in `rows`.
    """
    everything = all_trials(comparison)
    trials = embedded(comparison, everything)
    trials = trials.assign(
        failure_message=pd.Series(map(first_line, trials["failure_message"]), trials.index).replace("", None),
        sample_path=_existing(comparison, trials["sample_path"]),
        log_path=_existing(comparison, trials["log_path"]),
    )
    names = [str(name) for name in trials]
    hyperparameters = [name for name in names if name.startswith("hp_") and trials[name].notna().any()]
    scores = [name for name in SCORES if name != "fid_reported" or _has_own_report(trials)]
    columns = [*IDENTITY, *scores, *hyperparameters, *COST, *DETAILS]
    rows = trials[columns].itertuples(index=False, name=None)
    return {
        "study": readable(comparison.manifest.study),
        "columns": [readable(name) for name in columns],
        "shown": len(columns) - len(DETAILS),
        "rows": [[_value(value) for value in row] for row in rows],
        "labels": {
            "dataset": {
                readable(name): readable(comparison.dataset_label(name)) for name in comparison.datasets
            },
            "variant": {readable(name): readable(comparison.label(name)) for name in comparison.variants},
        },
        "left_out": len(everything) - len(trials),
    }


def embedded(comparison: Comparison, trials: pd.DataFrame) -> pd.DataFrame:
    """All trials; of more than MOST those that matter, as `embedding` says, in the order they were in.

    Without exception: fresh seeds that choose or confirm, default configurations and finalists. Of every
    cell and phase: as many of the best and of the first failed trials as there is room for.
    """
    if len(trials) <= MOST:
        return trials
    always = trials["phase"].isin([Phase.SELECT, Phase.CONFIRM]) | trials["is_default"]
    always |= trials["trial_id"].isin([entry.trial_id for entry in comparison.finalists])
    failed = trials["outcome"].isin(FAILED)
    cell = [trials[name] for name in ("phase", "dataset", "variant")]
    best = trials["score"].mask(failed).groupby(cell).rank(method="first")
    first = trials["trial_number"].where(failed).groupby(cell).rank(method="first")
    place = best.fillna(first).fillna(math.inf).mask(always, 0.0)
    sizes = place.value_counts().sort_index().cumsum()
    last = sizes.index[max(0, int((sizes <= MOST).sum()) - 1)]
    return trials[place <= last]


def embedding(browser: dict[str, Any]) -> str:
    """Which trials the page holds, if not all."""
    n, left_out = len(browser["rows"]), browser["left_out"]
    if not left_out:
        return ""
    return (
        f"This page holds {n:,} of {n + left_out:,} trials: all fresh seeds that choose or confirm, default "
        "configurations and finalists, and of every other cell and phase as many of the best and of the "
        "first failed trials as there is room for. The complete tables hold all."
    )


def _has_own_report(trials: pd.DataFrame) -> bool:
    """Whether what is reported is not the very FID that selected."""
    return bool((trials["fid_reported"].notna() & (trials["fid_reported"] != trials["fid_best"])).any())


def _existing(comparison: Comparison, paths: pd.Series) -> pd.Series:
    """Those of the paths that are files of the study's folder."""
    own = {path for path in set(paths.dropna()) if own_file(comparison.folder, path)}
    return paths.where(paths.isin(own), None)


def _value(value: Any) -> Any:
    """A value for JSON: six digits are enough to read."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, float) else readable(str(value))
