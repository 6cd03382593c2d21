"""What an FID looks like: trials whose samples show the range of FIDs that a study found."""

import numpy as np
import pandas as pd

from gansweep.report.comparison import Comparison
from gansweep.report.samples import own_file

_N_EXAMPLES = 6


def fid_examples(comparison: Comparison, dataset: str) -> list[pd.Series]:
    """At most six trials of a data set with samples, with FIDs in about constant ratios, best first.

    Trials of any variant. Each is a line of `trials` with `last_fid`, the FID of its last evaluation, which
    its samples are of. Empty where fewer than two trials have samples.
    """
    trials = _with_samples(comparison, dataset)
    if len(trials) < 2:
        return []
    logs = np.log(trials["last_fid"].to_numpy(float))
    wanted = np.linspace(logs[0], logs[-1], _N_EXAMPLES)
    nearest = np.abs(logs[:, None] - wanted).argmin(axis=0)
    return [trials.iloc[place] for place in np.unique(nearest)]


def _with_samples(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The finished trials, defaults too, whose file of samples is there, by the FID of these samples."""
    finished = pd.concat([comparison.finished, comparison.defaults])
    here = finished[(finished["dataset"] == dataset) & finished["sample_path"].notna()]
    exists = [own_file(comparison.folder, path) is not None for path in here["sample_path"]]
    measured = comparison.evaluations.dropna(subset=["fid"]).groupby("trial_id")["fid"].last()
    here = here[np.array(exists, bool)].assign(last_fid=lambda t: t["trial_id"].map(measured).astype(float))
    return here[here["last_fid"] > 0].sort_values(["last_fid", "trial_id"])
