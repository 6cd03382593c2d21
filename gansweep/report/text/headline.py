"""The verdict on one data set in one sentence, as the first screen of a report says it."""

import math

from gansweep.report import statistics
from gansweep.report.comparison import Comparison
from gansweep.report.statistics import Pairs
from gansweep.report.text.numbers import fid_text


def sentence(comparison: Comparison, dataset: str) -> str:
    """Returns who leads, by which number, and who cannot be told from it, by the tests of all pairs."""
    if seeds := comparison.seed_pairs.get(dataset):
        leader = seeds.scores[seeds.leader]
        if math.isinf(statistics.quantile(leader, 0.5)):
            return "Most fresh seeds of every winner have failed."
        of = f"on {len(leader)} fresh seeds" if len(leader) > 1 else "on one fresh seed"
        return _lead(comparison, seeds, statistics.median_best(leader, 1), "median FID", of)
    started = comparison.started(dataset)
    if not started:
        return "No trial of the search has finished yet."
    lowest = min(started, key=lambda variant: comparison.best_fid(dataset, variant))
    best = comparison.best_fid(dataset, lowest)
    if math.isinf(best):
        return f"None of the {sum(map(len, started.values()))} trials measured a finite FID."
    if not comparison.is_random_search:
        return (
            f"{comparison.label(lowest)} has the trial of lowest FID, {fid_text(best)}; trials of this "
            "sampler depend on each other, so nothing is said about differences."
        )
    pairs = comparison.search_pairs[dataset]
    of = f"among {pairs.k} random {comparison.unit}s" if pairs.k > 1 else f"of a random {comparison.unit}"
    what = "median best FID" if pairs.k > 1 else "median FID"
    return _lead(comparison, pairs, comparison.at_budget[dataset, pairs.leader], what, of)


def _lead(comparison: Comparison, pairs: Pairs, estimate: statistics.Estimate, what: str, of: str) -> str:
    if math.isinf(estimate.value):
        return f"With every variant the {what} {of} is a failure: nobody leads."
    low, high = (fid_text(end) if math.isfinite(end) else "no bound" for end in (estimate.low, estimate.high))
    bounds = "no 95 % interval yet" if low == high == "no bound" else f"95 %: {low} to {high}"
    number = f"{what} of {fid_text(estimate.value)} {of} ({bounds})"
    name = comparison.label(pairs.leader)
    if len(pairs.names) == 1:
        return f"{name} has a {number}; the study has no other variant to compare."
    return f"{name} leads with a {number}{_others(comparison, pairs)}."


def _others(comparison: Comparison, pairs: Pairs) -> str:
    if len(pairs.leading) == 1:
        return " and is separable from every other variant"
    tied = [name for name in pairs.leading[1:] if name not in pairs.ahead]
    ahead = comparison.labels(pairs.ahead)
    better = f", yet in most pairs of runs {ahead} came out better" if pairs.ahead else ""
    if not tied:
        return better
    whole = len(tied) == len(pairs.names) - 1 > 1
    return f", but cannot be told from {'any other variant' if whole else comparison.labels(tied)}{better}"
