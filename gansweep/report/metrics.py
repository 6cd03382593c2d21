"""Metrics besides FID: the value of each trial, and the median over trials."""

import math

import numpy as np
import pandas as pd

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.statistics import Estimate
from gansweep.report.text.numbers import fid_text
from gansweep.results.metrics import METRICS
from gansweep.results.row import FAILED


def metric_text(name: str, value: float) -> str:
    """A value of a metric for a table; "fail" where a failure counts as infinitely bad.

    >>> metric_text("kid", 0.12345), metric_text("accuracy", 0.9), metric_text("fid", math.inf)
    ('0.123', '0.90', 'fail')
    """
    if not math.isfinite(value):
        return "fail"
    if name.endswith("fid"):
        return fid_text(value)
    is_share = METRICS[name].share
    return f"{value:.2f}" if is_share else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def metric_interval(name: str, estimate: Estimate) -> str:
    """An interval in brackets; "none" where the data give no bound."""
    ends = [metric_text(name, e) if math.isfinite(e) else "none" for e in (estimate.low, estimate.high)]
    return f"[{', '.join(ends)}]"


def measurements(comparison: Comparison, dataset: str, names: list[str], at: str = "") -> pd.DataFrame:
    """One line per finished trial of a data set: variant, trial_id, trial_number, score, outcome, step, and
    the metrics.

    at: the metric at whose best value of the trial the others are read; "" reads them at the last
    evaluation. What a trial has not measured is NaN.
    """
    rows = comparison.evaluations[comparison.evaluations["dataset"] == dataset].dropna(subset=names)
    if at:
        rows = rows.sort_values(at, ascending=METRICS[at].higher, kind="stable")
    chosen = rows.drop_duplicates("trial_id", keep="last").set_index("trial_id")[["step", *names]]
    columns = ["variant", "trial_id", "trial_number", "score", "outcome"]
    finished = comparison.finished[comparison.finished["dataset"] == dataset]
    table = finished.sort_values(["variant", "trial_number"])[columns].join(chosen, on="trial_id")
    return table.astype(dict.fromkeys(names, float)).reset_index(drop=True)


def per_trial(comparison: Comparison, dataset: str, names: list[str], at: str = "") -> pd.DataFrame:
    """`measurements` with the worst value for failed trials: 0 where higher is better, else +inf."""
    table = measurements(comparison, dataset, names, at)
    for name in names:
        worst = 0.0 if METRICS[name].higher else math.inf
        table[name] = table[name].mask(table["outcome"].isin(FAILED), worst)
    return table.dropna(subset=names).reset_index(drop=True)


def median(values: pd.Series, higher: bool) -> Estimate:
    """The median over trials with its exact 95 % interval; infinite where the trials give no bound."""
    sign = -1.0 if higher else 1.0
    estimate = statistics.median_best(np.sort(sign * values.to_numpy(float)), 1)
    ends = sorted((sign * estimate.low, sign * estimate.high))
    return Estimate(sign * estimate.value, *ends)
