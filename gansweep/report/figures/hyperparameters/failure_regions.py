"""The share of bad trials in parts of the search space. A trial is bad if it failed or collapsed."""

import math
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import where
from gansweep.report.figures.hyperparameters.slices import hyperparameter_data
from gansweep.report.style.scales import MIN_TRIALS_PER_BIN, Scale, option, searched
from gansweep.results.row import Outcome

_MAX_HYPERPARAMETERS = 5  # columns of panels; the most shared hyperparameters have one


class BadShare(NamedTuple):
    """The number of trials and of bad ones, their share, and its 95 % interval."""

    trials: int
    bad: int
    share: float
    low_95: float
    high_95: float


class Region(NamedTuple):
    """A part of a search space: its name, the filter of its trials, and shares of bad trials."""

    text: str
    trials: str
    inside: BadShare
    elsewhere: float
    overall: float


def shared(comparison: Comparison) -> dict[str, Scale]:
    """The scale of each hyperparameter that at least two variants search (one, if it is alone)."""
    enough = min(2, len(comparison.variants))
    pooled = {name: _pooled(users) for name, users in searched(comparison).items() if len(users) >= enough}
    return dict(list(pooled.items())[:_MAX_HYPERPARAMETERS])


def _pooled(users: dict[str, Scale]) -> Scale:
    """One scale with the values of all variants whose own is of the kind of the first."""
    kind = next(iter(users.values())).kind
    values = [value for scale in users.values() if scale.kind == kind for value in scale.values]
    return Scale(kind, tuple(dict.fromkeys(values)) if kind == "choice" else (min(values), max(values)))


def binned(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per trial and shared hyperparameter: variant, its bin, and whether the trial is bad."""
    points = hyperparameter_data(comparison, dataset)
    points = points[~points["is_default"].astype(bool)]
    points = points.assign(bad=(points["outcome"] != Outcome.OK).to_numpy(bool), bin=0)
    own, parts = searched(comparison), [points.iloc[:0]]
    for name, scale in shared(comparison).items():
        for variant, mine in points[points["parameter"] == name].groupby("variant"):
            if own[name][str(variant)].kind == scale.kind:
                parts.append(mine.assign(bin=_bins(scale, scale.edges(len(mine)), mine["value"])))
    columns = ["variant", "parameter", "value", "trial_id", "bin", "bad"]
    return pd.concat(parts)[columns].reset_index(drop=True)


def _bins(scale: Scale, edges: NDArray[np.float64], values: pd.Series) -> NDArray[np.int64]:
    """The bin of each value, 0 the lowest: [n]."""
    return np.clip(np.searchsorted(edges, scale.positions(values), side="right") - 1, 0, len(edges) - 2)


def failure_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per shared hyperparameter, variant and bin: its trials, the bad ones, Wilson's interval."""
    points, scales, lines = binned(comparison, dataset), shared(comparison), []
    for (name, variant), mine in points.groupby(["parameter", "variant"]):
        scale = scales[str(name)]
        edges = scale.edges(len(mine))
        for index, (low, high) in enumerate(pairwise(edges)):
            text = option(scale.values[index]) if scale.kind == "choice" else ""
            place = {"variant": variant, "parameter": name, "low": low, "high": high, "option": text}
            bad = mine.loc[mine["bin"] == index, "bad"].to_numpy(bool)
            lines.append(place | bad_share(bad)._asdict())
    return pd.DataFrame(lines)


def bad_share(failed_or_collapsed: NDArray[np.bool_]) -> BadShare:
    """Returns the share of bad trials among some trials."""
    n, count = len(failed_or_collapsed), int(failed_or_collapsed.sum())
    low, high = statistics.wilson(count, n) if n else (0.0, 1.0)
    return BadShare(n, count, count / n if n else math.nan, low, high)


def _epsilon_squared(groups: NDArray[np.int64], bad: NDArray[np.bool_]) -> float:
    """The share of the variance of being bad that lies between groups, less what chance gives: at most 1.

    Source: Kelley, "An unbiased correlation ratio measure", 1935: epsilon squared.

    >>> _epsilon_squared(np.array([0, 0, 1, 1]), np.array([False, False, True, True]))
    1.0
    """
    parts = [bad[groups == group] for group in np.unique(groups)]
    total = float(((bad - bad.mean()) ** 2).sum())
    if total == 0 or len(bad) <= len(parts):
        return 0.0
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    return 1 - within / (len(bad) - len(parts)) / (total / (len(bad) - 1))


def most_predictive(points: pd.DataFrame) -> dict[str, float]:
    """The epsilon_squared for being bad of each hyperparameter, the highest first.

    points: as `binned` gives them. The mean over all trials; trials that do not search it count as 0.
    """
    n, found = points["trial_id"].nunique(), dict.fromkeys(map(str, points["parameter"]), 0.0)
    for (name, _), mine in points.groupby(["parameter", "variant"]):
        value = _epsilon_squared(mine["bin"].to_numpy(int), mine["bad"].to_numpy(bool))
        found[str(name)] += max(0.0, value) * len(mine) / n
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def predictive_pair(points: pd.DataFrame) -> tuple[str, str] | None:
    """The two most predictive hyperparameters that some trial searches together; None if there are none.

    points: as `binned` gives them.
    """
    trials = {str(name): set(mine["trial_id"]) for name, mine in points.groupby("parameter")}
    pairs = combinations(most_predictive(points), 2)
    return next(((x, y) for x, y in pairs if trials[x] & trials[y]), None)


def worst_region(points: pd.DataFrame, scales: dict[str, Scale]) -> Region | None:
    """Returns the option, or end of a range, with the highest interval; None if no region has enough trials.

    points: parameter, value, bad.
    """
    regions = []
    for name, scale in scales.items():
        mine = points[points["parameter"] == name]
        bad, edges = mine["bad"].to_numpy(bool), scale.edges(len(mine))
        for text, trials, inside in _regions(name, scale, edges, _bins(scale, edges, mine["value"])):
            if MIN_TRIALS_PER_BIN <= inside.sum() < len(inside):
                others = float(bad[~inside].mean()), float(bad.mean())
                regions.append(Region(text, trials, bad_share(bad[inside]), *others))
    return max(regions, key=lambda region: region.inside.low_95, default=None)


def _regions(
    name: str, scale: Scale, edges: NDArray[np.float64], places: NDArray[np.int64]
) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """The name of each region, the filter of its trials, and which trials it has: [n]."""
    column = f"hp_{name}"
    if scale.kind == "choice":
        options = enumerate(scale.values)
        return [(f"{name} = {option(v)}", where(**{column: v}), places == index) for index, v in options]
    inner = [(index, float(edge)) for index, edge in enumerate(edges[1:-1], 1)]
    below = [(f"{name} below {edge:.2g}", f"{column}<{edge}", places < index) for index, edge in inner]
    above = [(f"{name} above {edge:.2g}", f"{column}>{edge}", places >= index) for index, edge in inner]
    return below + above
