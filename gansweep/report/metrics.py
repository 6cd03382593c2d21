"""Metrics besides FID: what a trial counts for, and the median over trials."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gansweep.evaluation.settings import METRICS
from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.statistics import Estimate
from gansweep.results.row import FAILED


@dataclass(frozen=True)
class Measure:
    """A metric as a report speaks of it."""

    label: str
    higher: bool  # higher is better
    share: bool = False  # lies in [0, 1]
    log: bool = False  # drawn on a logarithmic axis

    def text(self, value: float) -> str:
        """A value for a table; "fail" where a failure counts as infinitely bad.

        >>> MEASURES["kid"].text(0.12345), MEASURES["accuracy"].text(0.9), MEASURES["fid"].text(math.inf)
        ('0.123', '0.90', 'fail')
        """
        if not math.isfinite(value):
            return "fail"
        return f"{value:.2f}" if self.share else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

    def interval(self, estimate: Estimate) -> str:
        """An interval in brackets; "none" where the data give no bound."""
        ends = [self.text(end) if math.isfinite(end) else "none" for end in (estimate.low, estimate.high)]
        return f"[{', '.join(ends)}]"


def _measure(name: str, label: str, share: bool = False, log: bool = False) -> Measure:
    return Measure(label, higher=METRICS[name].better == "higher", share=share, log=log)


MEASURES = {
    "fid": _measure("fid", "FID", log=True),
    "test_fid": _measure("test_fid", "FID to the test images", log=True),
    "second_fid": _measure("second_fid", "FID of a second extractor", log=True),
    "isc": _measure("isc", "Inception Score"),
    "kid": _measure("kid", "KID"),
    "precision": _measure("precision", "precision (k-NN)", share=True),
    "recall": _measure("recall", "recall (k-NN)", share=True),
    "intra_fid": _measure("intra_fid", "intra-class FID", log=True),
    "accuracy": _measure("accuracy", "accuracy", share=True),
    "modes": _measure("modes", "number of modes"),
    "high_quality": _measure("high_quality", "high-quality share", share=True),
    "polygon_f1": _measure("polygon_f1", "F1", share=True),
    "polygon_precision": _measure("polygon_precision", "precision", share=True),
    "polygon_recall": _measure("polygon_recall", "recall", share=True),
}


def measurements(comparison: Comparison, dataset: str, names: list[str], at: str = "") -> pd.DataFrame:
    """One line per finished trial of a data set: variant, trial_id, trial_number, score, outcome, step, and
    the metrics.

    at: the metric at whose best value of the trial the others are read; "" reads them at the last
    evaluation. What a trial has not measured is NaN.
    """
    rows = comparison.evaluations[comparison.evaluations["dataset"] == dataset].dropna(subset=names)
    if at:
        rows = rows.sort_values(at, ascending=MEASURES[at].higher, kind="stable")
    chosen = rows.drop_duplicates("trial_id", keep="last").set_index("trial_id")[["step", *names]]
    columns = ["variant", "trial_id", "trial_number", "score", "outcome"]
    finished = comparison.finished[comparison.finished["dataset"] == dataset]
    table = finished.sort_values(["variant", "trial_number"])[columns].join(chosen, on="trial_id")
    return table.astype(dict.fromkeys(names, float)).reset_index(drop=True)


def per_trial(comparison: Comparison, dataset: str, names: list[str], at: str = "") -> pd.DataFrame:
    """`measurements` with the worst value for failed trials: 0 where higher is better, else +inf."""
    table = measurements(comparison, dataset, names, at)
    for name in names:
        worst = 0.0 if MEASURES[name].higher else math.inf
        table[name] = table[name].mask(table["outcome"].isin(FAILED), worst)
    return table.dropna(subset=names).reset_index(drop=True)


def median(values: pd.Series, higher: bool) -> Estimate:
    """The median over trials with its exact 95 % interval; infinite where the trials give no bound."""
    sign = -1.0 if higher else 1.0
    estimate = statistics.median_best(np.sort(sign * values.to_numpy(float)), 1)
    ends = sorted((sign * estimate.low, sign * estimate.high))
    return Estimate(sign * estimate.value, *ends)
