"""The costs of trials: time, steps of the discriminator, images."""

import math

import pandas as pd

from gansweep.report import pruned, statistics
from gansweep.report.comparison import Comparison
from gansweep.report.statistics import Estimate

PRICES = ("seconds", "steps", "images")
TIMES = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
COUNTS = {"billions": 1e9, "millions": 1e6, "thousands": 1e3, "": 1.0}


def trial_costs(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """The mean cost of a draw of each variant, a trial or a group of a search that prunes, including failed
    trials: columns seconds (training and evaluation; of a GPU, by the share that its pack held), steps (of
    the discriminator) and images (real ones seen); a line per variant."""
    here = comparison.finished[comparison.finished["dataset"] == dataset]
    if comparison.is_halved:
        here = pruned.complete(here, comparison.manifest.budget)
    spent = pd.DataFrame(
        {
            "variant": here["variant"],
            "seconds": (here["train_seconds"] + here["eval_seconds"]).astype(float) * _shares(here),
            "steps": here["steps"].astype(float),
            "images": here["images_seen"].astype(float),
        }
    )
    if comparison.is_halved:
        spent = spent.groupby(["variant", here["group"]]).sum().droplevel("group")
    return spent.groupby("variant").mean()


def _shares(trials: pd.DataFrame) -> pd.Series:
    """The number of devices whose time a trial used: its share of a GPU, else one."""
    known = trials.get("gpus", pd.Series(math.nan, trials.index))
    return known.where(known > 0, 1.0)


def equal_cost(comparison: Comparison, dataset: str) -> tuple[float, dict[str, Estimate]]:
    """The most seconds for which every median best FID can be bounded, and that median of each variant.

    Left out are variants too few of whose trials have finished for any interval, that never succeeded, or of
    which these seconds do not buy one trial. The lowest median comes first.
    """
    costs, scores = trial_costs(comparison, dataset)["seconds"], comparison.started(dataset)
    known = {v: s for v, s in scores.items() if statistics.largest_budget(len(s)) >= 1 and s[0] < math.inf}
    spent = min((statistics.largest_budget(len(s)) * float(costs[v]) for v, s in known.items()), default=0.0)
    trials = {v: (1 - 1e-9) * spent / float(costs[v]) for v in known}
    medians = {v: statistics.median_best(known[v], k) for v, k in trials.items() if k >= 1}
    return spent, dict(sorted(medians.items(), key=lambda item: item[1].value))


def device(comparison: Comparison) -> str:
    """The device whose time the trials took: CPU, GPU, or device if there are both."""
    kinds = {str(name).startswith("cuda") for name in comparison.finished["device"].dropna()}
    return "device" if len(kinds) != 1 else "GPU" if kinds.pop() else "CPU"


def unit(value: float, units: dict[str, float]) -> str:
    """The largest of the units of which the value is at least one.

    >>> unit(90.0, TIMES), unit(0.5, TIMES), unit(2e4, COUNTS)
    ('minutes', 'seconds', 'thousands')
    """
    return next((name for name, size in units.items() if value >= size), list(units)[-1])
