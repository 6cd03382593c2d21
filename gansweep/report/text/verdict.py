"""The verdict and the cautions of a report, in sentences. Every number is computed."""

import math

from gansweep.report import pruned as halved
from gansweep.report import statistics
from gansweep.report.comparison import Comparison, listing
from gansweep.report.statistics import MeanRanks, Pairs
from gansweep.report.text.numbers import fid_text, p_text
from gansweep.results.row import FAILED, Outcome


def verdict(comparison: Comparison) -> list[tuple[str, str]]:
    """Pairs of a heading and a sentence: what is confirmed, each data set, all data sets together, failures,
    the kind of scores."""
    confirmed = [
        (f"{comparison.dataset_label(name)}, confirmed", confirmed_sentence(comparison, name))
        for name in comparison.datasets
        if comparison.confirmed_scores(name)
    ]
    lines = [
        (f"{comparison.dataset_label(name)}, search", _on_dataset(comparison, name))
        for name in comparison.datasets
    ]
    return [
        *confirmed,
        *lines,
        *_across(comparison),
        ("Robustness", _robustness(comparison)),
        ("Search scores", _kind_of_score(comparison)),
    ]


def confirmed_sentence(comparison: Comparison, dataset: str) -> str:
    """Names the best winner on fresh seeds, and the winners that the seeds cannot separate from it."""
    pairs = comparison.seed_pairs[dataset]
    first = pairs.leader
    best = statistics.median_best(pairs.scores[first], 1)
    if math.isinf(best.value):
        return "Most seeds of every winner have failed."
    low, high = (fid_text(bound) if math.isfinite(bound) else "no bound" for bound in (best.low, best.high))
    lead = f"{comparison.label(first)} has the lowest median FID on fresh seeds"
    found = f"{lead}, {fid_text(best.value)} [{low}, {high}]"
    if len(pairs.names) == 1:
        return f"{found}."
    test = f"rank-sum tests of {_family(pairs)}"
    if len(pairs.leading) == 1:
        return f"{found}, and is separable from every other variant ({test})."
    tied = [name for name in pairs.leading[1:] if name not in pairs.ahead]
    end = f"; the seeds cannot separate it from {comparison.labels(tied)} ({test})" if tied else ""
    return f"{found}{end}.{_ahead(comparison, pairs, 'seed')}"


def _family(pairs: Pairs) -> str:
    n = math.comb(len(pairs.names), 2)
    return (
        f"all {n} pairs, Holm-adjusted, α = {statistics.ALPHA}"
        if n > 1
        else f"the pair, α = {statistics.ALPHA}"
    )


def _ahead(comparison: Comparison, pairs: Pairs, run: str) -> str:
    """A sentence on the variants that are better than the leader in most pairs of runs, if there are any."""
    if not pairs.ahead:
        return ""
    return (
        f" In most pairs of {run}s {comparison.labels(pairs.ahead)} nevertheless "
        f"{'is' if len(pairs.ahead) == 1 else 'are'} better, and separable from it."
    )


def _on_dataset(comparison: Comparison, dataset: str) -> str:
    started = comparison.started(dataset)
    if not started:
        return "no trial has finished yet."
    lowest = min(started, key=lambda variant: comparison.best_fid(dataset, variant))
    best = comparison.best_fid(dataset, lowest)
    if math.isinf(best):
        return f"none of the {sum(map(len, started.values()))} trials measured a finite FID."
    found = f"The lowest FID of the search, {fid_text(best)}, is a trial of {comparison.label(lowest)}."
    if not comparison.is_random_search:
        return f"{found} This sampler’s trials depend on each other, so no interval can be given."
    if len(started) == 1:
        return f"{found} The study has no other variant to compare."
    return f"{_leaders(comparison, dataset)} {found}"


def _leaders(comparison: Comparison, dataset: str) -> str:
    pairs, name = comparison.search_pairs[dataset], comparison.unit
    k = pairs.k
    budget = f"with a budget of {k} {name}s" if k > 1 else f"with a single random {name}"
    test = f"permutation tests of the best of {k}, {_family(pairs)}"
    leader = comparison.label(pairs.leader)
    if len(pairs.leading) == 1:
        return f"{leader} is best {budget} and separable from every other variant ({test})."
    tied = [name for name in pairs.leading[1:] if name not in pairs.ahead]
    from_it = "any other variant" if len(tied) == len(pairs.names) - 1 > 1 else comparison.labels(tied)
    end = f"; the data cannot separate it from {from_it} ({test})" if tied else ""
    return f"{leader} has the lowest median {budget}{end}.{_ahead(comparison, pairs, comparison.unit)}"


def _across(comparison: Comparison) -> list[tuple[str, str]]:
    """The mean ranks over the data sets, or why there are none; empty if nothing can be ranked."""
    scores = {name: comparison.confirmed_scores(name) for name in comparison.datasets}
    runs = "fresh seeds"
    if not all(scores.values()) and comparison.is_random_search:
        scores = {name: comparison.started(name) for name in comparison.datasets}
        runs = f"random {comparison.unit}s"
    if min(len(comparison.datasets), len(comparison.variants)) < 2 or not all(scores.values()):
        return []
    found = statistics.critical_difference(scores)
    sentence = found if isinstance(found, str) else _mean_ranks(comparison, found, runs)
    return [("Across data sets", sentence)]


def _mean_ranks(comparison: Comparison, found: MeanRanks, runs: str) -> str:
    ranks = [
        f"{comparison.label(name)} {rank:.2f}" for name, rank in zip(found.names, found.ranks, strict=True)
    ]
    differ = "the variants differ" if found.p < statistics.ALPHA else "no difference is established"
    return (
        f"By the median FID of {runs} the mean ranks on {found.n_datasets} data sets are {listing(ranks)}; "
        f"two that differ by less than {found.difference:.2f} cannot be separated (Nemenyi, "
        f"α = {statistics.ALPHA}). Over all, {differ} (Friedman p {p_text(found.p)})."
    )


def _robustness(comparison: Comparison) -> str:
    n = len(comparison.finished)
    if not n:
        return "no trial of the search has finished."
    failed = int(comparison.finished["outcome"].isin(FAILED).sum())
    collapsed = int((comparison.finished["outcome"] == Outcome.COLLAPSED).sum())
    low, high = (100 * bound for bound in statistics.wilson(failed, n))
    n_pruned = int((comparison.finished["outcome"] == Outcome.PRUNED).sum())
    limits = _limits(comparison) if collapsed else ""
    pruned = f"; {n_pruned} were pruned before their end" if n_pruned else ""
    return (
        f"{failed} of {n} trials failed ({100 * failed / n:.0f} %, 95 % interval {low:.0f} to {high:.0f} "
        f"%) and {collapsed} collapsed{limits}{pruned}. Failures count as worst outcomes; none is dropped."
    )


def _limits(comparison: Comparison) -> str:
    """What a collapsed trial is: that of studies of gansweep 0.1.0 was another."""
    limits = comparison.manifest.collapse_above
    each = [f"{fid_text(limits[name])} on {comparison.dataset_label(name)}" for name in comparison.datasets]
    what = "noise" if comparison.manifest.fingerprint else "an untrained generator"
    return f" (no FID below that of {what}: {listing(each)})"


def _kind_of_score(comparison: Comparison) -> str:
    unconfirmed = ", and no winner has been confirmed on fresh seeds"
    if len(comparison.confirmed):
        unconfirmed = "; FIDs of fresh seeds are not selected among configurations"
    return (
        "the FID of a trial of the search is the lowest of its evaluations, measured on the same images that "
        f"select among checkpoints and configurations. It is therefore optimistic{unconfirmed}."
    )


def cautions(comparison: Comparison) -> list[str]:
    """Returns the reasons why numbers of this report are not comparable, or weak."""
    found = [
        *_missing(comparison),
        *[text for dataset in comparison.datasets for text in _sizes(comparison, dataset)],
        *[text for dataset in comparison.datasets for text in _seeds(comparison, dataset)],
        *_mixed_metrics(comparison),
    ]
    if not comparison.is_random_search:
        found.append(
            f"The sampler is “{comparison.manifest.sampler}”, not “random”: trials depend on each "
            "other, so budget curves, intervals and leading groups are not valid and are omitted."
        )
    elif comparison.manifest.sampler == "qmc":
        found.append(
            "The trials are quasi-random: they cover the space evenly, and intervals are approximate."
        )
    if comparison.is_halved:
        found.append(halved.caution(comparison.finished, comparison.manifest.budget))
    git = comparison.manifest.git
    if git is None:
        found.append("The code was not under version control: the commit that made these results is unknown.")
    elif git.dirty:
        found.append(f"The code had uncommitted changes on top of commit {git.commit[:12]}.")
    return found


def _missing(comparison: Comparison) -> list[str]:
    planned = int(comparison.manifest.planned_trials)
    started = [*comparison.trials["outcome"], *comparison.reruns["outcome"]]
    done = sum(isinstance(outcome, str) for outcome in started)
    running = len(started) - done
    if done >= planned and not running:
        return []
    return [
        f"The study is unfinished: {done} of {planned} planned trials have finished and {running} are "
        "running."
    ]


def _sizes(comparison: Comparison, dataset: str) -> list[str]:
    """Unequal or small numbers of trials on one data set."""
    label = comparison.dataset_label(dataset)
    trials = f"{comparison.unit}s" if comparison.is_halved else "trials"
    sizes = {variant: len(comparison.scores[dataset, variant]) for variant in comparison.variants}
    found = []
    if len(set(sizes.values())) > 1:
        most = max(sizes.values())
        fewer = [f"{comparison.label(name)} ({size})" for name, size in sizes.items() if size < most]
        found.append(
            f"{label}: {listing(fewer)} finished fewer {trials} than the others ({most}). The lowest of "
            f"more {trials} is lower by chance alone: compare at the common budget k."
        )
    small = [name for name, size in sizes.items() if size > 0 and statistics.largest_budget(size) < 1]
    if small and comparison.is_random_search:
        found.append(
            f"{label}: fewer than 6 {trials} of {comparison.labels(small)}, too few for any 95 % interval "
            "of the median."
        )
    return found


def _seeds(comparison: Comparison, dataset: str) -> list[str]:
    """Winners on fewer fresh seeds than requested, and variants without any."""
    scores, plan = comparison.confirmed_scores(dataset), comparison.manifest.budget.confirm
    if not scores or not plan:
        return []
    sizes = {variant: len(scores.get(variant, ())) for variant in comparison.variants}
    fewer = [f"{comparison.label(name)} ({size})" for name, size in sizes.items() if size < plan.seeds]
    if not fewer:
        return []
    return [
        f"{comparison.dataset_label(dataset)}: {listing(fewer)} finished fewer fresh seeds than the "
        f"{plan.seeds} requested."
    ]


def _mixed_metrics(comparison: Comparison) -> list[str]:
    """Data sets with FIDs measured in different ways."""
    found = []
    for dataset, group in comparison.evaluations.groupby("dataset"):
        ids = sorted(group["metric_id"].dropna().unique())
        if len(ids) > 1:
            found.append(
                f"{comparison.dataset_label(str(dataset))}: FID was measured in {len(ids)} different ways "
                f"({', '.join(ids)}); such values must not be compared."
            )
    return found
