"""How often the report's intervals hold the truth, on synthetic studies whose truth is known.

Each line draws many studies and counts how often an interval of nominal level 0.95 holds the true value: the
report's, and what is commonly done instead. The standard error of a share of 500 studies near 0.95 is 0.01.

    python benchmarks/coverage.py [--repeats 500]
"""

import argparse
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from gansweep.report import statistics
from gansweep.report.statistics import Estimate

Values = NDArray[np.float64]
Hits = list[tuple[bool, bool]]  # of every study: whether our interval held, and the common one

N_TRIALS, FAIL, CAP = 100, 0.08, 100.0
SHIFT, SHAPE = 5.0, stats.lognorm(0.6, scale=20.0)  # FID of a random configuration: shifted log-normal
COLLAPSE = 0.05  # of the seeds of one configuration: FID 80 to 200 instead of 30 + Gamma(4)
RESAMPLES = 400  # of the bootstraps that are common
LEVELS = (0.025, 0.975)


def searched(generator: np.random.Generator) -> Values:
    """The sorted scores of one search."""
    values = SHIFT + SHAPE.rvs(N_TRIALS, random_state=generator)
    return np.sort(np.where(generator.random(N_TRIALS) < FAIL, math.inf, values))


def seeds(generator: np.random.Generator, n: int, scale: float = 1.0, fail: float = 0.0) -> Values:
    """The sorted scores of n seeds of one configuration."""
    values = 30 + generator.gamma(4, size=n)
    values = scale * np.where(generator.random(n) < COLLAPSE, generator.uniform(80, 200, n), values)
    return np.sort(np.where(generator.random(n) < fail, math.inf, values))


def true_mean(k: int) -> float:
    """Of the best of k searched trials, scores above the cap counting as the cap."""
    grid = np.linspace(0, CAP, 100_001)
    return float(np.trapezoid((1 - (1 - FAIL) * SHAPE.cdf(grid - SHIFT)) ** k, grid))


def held(interval: Estimate | tuple[float, float], truth: float) -> bool:
    low, high = (interval.low, interval.high) if isinstance(interval, Estimate) else interval
    return bool(low <= truth <= high)


def percentiles(resampled: Values) -> tuple[float, float]:
    low, high = np.quantile(resampled, LEVELS, method="inverted_cdf")
    return float(low), float(high)


def show(statistic: str, setting: str, hits: Hits, common: str) -> None:
    ours, other = np.mean(hits, axis=0)
    shown = f"{other:.3f}" if common else ""
    print(f"{statistic:<22}{setting:<34}{0.95:>8}{ours:>8.3f}{shown:>9}  {common}", flush=True)


def check_budget(repeats: int, generator: np.random.Generator) -> None:
    """The best of k of 100 trials, and the bias of estimates of its mean."""
    i = np.arange(1, N_TRIALS + 1)
    biases = []
    for k in (1, 5, 10, 18, 50):
        p = 1 - 0.5 ** (1 / k)
        median, mean = SHIFT + float(SHAPE.ppf(p / (1 - FAIL))), true_mean(k)
        without = special.comb(N_TRIALS - i, k - 1) / special.comb(N_TRIALS, k)
        replaced = ((N_TRIALS - i + 1) / N_TRIALS) ** k - ((N_TRIALS - i) / N_TRIALS) ** k
        hits: Hits = []
        hits_of_mean: Hits = []
        estimates = []
        for _ in range(repeats):
            scores = searched(generator)
            resampled = np.sort(generator.choice(scores, (RESAMPLES, N_TRIALS)), axis=1)
            ours = held(statistics.median_best(scores, k), median)
            hits.append((ours, held(percentiles(resampled[:, math.ceil(p * N_TRIALS) - 1]), median)))
            of_mean = held(percentiles(np.minimum(resampled, CAP) @ without), mean)
            hits_of_mean.append((ours, of_mean))
            estimates.append((statistics.mean_best(scores, k, CAP), np.minimum(scores, CAP) @ replaced))
        end = "" if k <= statistics.largest_budget(N_TRIALS) else ", no lower end"
        show("median best of k", f"N=100, 8 % fail, k={k}{end}", hits, "bootstrap of the median")
        show("", "", hits_of_mean, "bootstrap of the mean")
        biases.append(
            (k, *(np.mean(estimates, axis=0) - mean), np.std(estimates, axis=0)[0] / math.sqrt(repeats), mean)
        )
    print("\nmean best of k: bias    k    without replacement (ours)    with (common)    error    truth")
    for k, ours, other, error, mean in biases:
        print(f"{k:>25}{ours:>22.2f}{other:>21.2f}{error:>13.2f}{mean:>9.1f}")
    print()


def check_seeds(repeats: int, generator: np.random.Generator) -> None:
    """The level of a configuration from n seeds, of which one in twenty collapses."""
    many = seeds(generator, 1_000_000)
    for n in (6, 10, 30):
        hits = []
        for _ in range(repeats):
            scores = seeds(generator, n)
            common = stats.t.interval(0.95, n - 1, scores.mean(), stats.sem(scores))
            ours = held(statistics.median_best(scores, 1), float(np.median(many)))
            hits.append((ours, held(common, float(many.mean()))))
        show("median of seeds", f"n={n}, 5 % collapse", hits, "t interval of the mean")


def check_pairs(repeats: int, generator: np.random.Generator) -> None:
    """Two variants of which one has 0.9 times the FID of the other; 8 % of the seeds of both fail."""
    many, other = seeds(generator, 500_000, 0.9, FAIL), seeds(generator, 500_000, 1.0, FAIL)
    truth, _ = improvement_of(many, other)
    for n in (6, 10, 30):
        ratios, shares = [], []
        for _ in range(repeats):
            x, y = seeds(generator, n, 0.9, FAIL), seeds(generator, n, 1.0, FAIL)
            good = [np.log(scores[np.isfinite(scores)]) for scores in (x, y)]
            welch = stats.ttest_ind(*good, equal_var=False).confidence_interval()
            common = (math.exp(welch.low), math.exp(welch.high))
            ratios.append((held(statistics.hodges_lehmann(x, y), 0.9), held(common, 0.9)))
            estimate, half = statistics.improvement_interval(x, y), 1.96 * math.sqrt((2 * n + 1) / 12) / n
            normal = (estimate.value - half, estimate.value + half)
            shares.append((held(estimate, truth), held(normal, truth)))
        show("ratio of variants", f"n={n}, 8 % fail, 5 % collapse", ratios, "Welch, failures dropped")
        show("P(improvement)", f"n={n}, truth {truth:.2f}", shares, "normal, as under equality")


def improvement_of(x: Values, y: Values) -> tuple[float, float]:
    """P(x < y) + P(x = y) / 2 of two large samples, and the share of ties."""
    above = len(y) - np.searchsorted(y, x, side="right")
    ties = len(y) - np.searchsorted(y, x, side="left") - above
    return float(np.mean(above + ties / 2) / len(y)), float(np.mean(ties) / len(y))


def check_profile(repeats: int, generator: np.random.Generator) -> None:
    """The share of seeds within 1.2 of the best on two data sets, which differ in scale and in luck."""
    parts = [seeds(generator, 500_000, scale, fail) for scale, fail in ((1.0, 0.0), (5.0, 0.3))]
    best, ratios = {"a": 29.0, "b": 145.0}, np.array([1.2])
    truth = np.mean([np.mean(part <= 1.2 * best[d]) for d, part in zip("ab", parts, strict=True)])
    hits = []
    for _ in range(repeats):
        scores = {"a": seeds(generator, 20), "b": seeds(generator, 20, 5.0, 0.3)}
        _, low, high = statistics.profile(scores, best, ratios)
        count = sum(int(np.sum(s <= 1.2 * best[d])) for d, s in scores.items())
        hits.append((held((low[0], high[0]), truth), held(statistics.wilson(count, 40), truth)))
    show("performance profile", "2 data sets, 20 runs each", hits, "Wilson, pooled")


# True shares of runs within a ratio, on 1, 2 and 4 data sets; the last ones of each differ between them.
SHARES: tuple[tuple[float, ...], ...] = ((0.0,), (0.02,), (0.5,), (0.9,), (1.0,))
SHARES += ((0.0,) * 2, (0.02,) * 2, (0.5,) * 2, (0.9,) * 2, (1.0,) * 2, (1.0, 0.0), (1.0, 0.8), (0.04, 0.0))
SHARES += ((0.0,) * 4, (0.02,) * 4, (0.5,) * 4, (0.9,) * 4, (1.0,) * 4, (1.0, 1.0, 0.0, 0.0))
SHARES += ((1.0, 1.0, 1.0, 0.6), (0.08, 0.0, 0.0, 0.0))
RUNS = (5, 10, 30)  # on each data set; also numbers of configurations


def tabulate_profile(repeats: int, generator: np.random.Generator) -> None:
    """The exact chance that the interval of a performance profile holds the mean of the true shares.

    Of all numbers of runs that may arrive; nothing is simulated.
    """
    print("\nperformance profile: exact coverage for n runs on each data set")
    print(f"{'true shares':<28}" + "".join(f"{f'n={n}':>8}" for n in RUNS))
    for shares in SHARES:
        line = "".join(f"{profile_coverage(n, shares):>8.3f}" for n in RUNS)
        print(f"{', '.join(f'{share:g}' for share in shares):<28}{line}", flush=True)


def profile_coverage(n: int, shares: tuple[float, ...]) -> float:
    """The chance that the interval of n runs on each data set holds the mean of the shares."""
    counts = np.stack(np.meshgrid(*[np.arange(n + 1)] * len(shares), indexing="ij"), axis=-1)
    chances = [stats.binom.pmf(counts[..., i], n, share) for i, share in enumerate(shares)]
    _, low, high = statistics.mean_of_shares(counts, np.full(len(shares), n))
    holds = (low <= np.mean(shares) + 1e-12) & (np.mean(shares) - 1e-12 <= high)
    return float((np.prod(chances, axis=0) * holds).sum())


def tabulate_variance(repeats: int, generator: np.random.Generator) -> None:
    """How often the interval of the share of variance holds it, for normal and for skewed configurations."""
    print("\nshare of variance: coverage for n configurations x seeds of each")
    settings = [(n, r) for n in RUNS for r in (2, 3, 5)]
    print(f"{'true share':<28}" + "".join(f"{f'{n}x{r}':>8}" for n, r in settings))
    for kind, draw in (("normal", generator.standard_normal), ("skewed", exponential(generator))):
        for share in (0.0, 0.02, 0.5, 0.9, 1.0):
            line = "".join(
                f"{variance_coverage(repeats, generator, draw, *s, share):>8.3f}" for s in settings
            )
            print(f"{f'{share:g} ({kind})':<28}{line}", flush=True)


def exponential(generator: np.random.Generator) -> Callable[[tuple[int, int]], Values]:
    """Draws of mean 0 and variance 1 with an excess kurtosis of 6."""
    return lambda size: generator.exponential(size=size) - 1


def variance_coverage(
    repeats: int,
    generator: np.random.Generator,
    draw: Callable[[tuple[int, int]], Values],
    n: int,
    r: int,
    share: float,
) -> float:
    hits = []
    for _ in range(repeats):
        logs = math.sqrt(share) * draw((n, 1)) + math.sqrt(1 - share) * generator.standard_normal((n, r))
        split = statistics.variance_split(list(np.exp(3 + logs)))
        assert split is not None
        hits.append(held(split.share, share))
    return float(np.mean(hits))


def check_variance(repeats: int, generator: np.random.Generator) -> None:
    """The share of configurations in the variance of log FID."""
    for n, r, share in ((8, 3, 0.8), (20, 3, 0.8), (20, 3, 0.95), (50, 3, 0.8)):
        hits = []
        for _ in range(repeats):
            means = generator.normal(3, math.sqrt(share), (n, 1))
            scores = np.exp(means + generator.normal(0, math.sqrt(1 - share), (n, r)))
            split = statistics.variance_split(list(scores))
            assert split is not None
            hits.append((held(split.share, share), held(resampling_runs(generator, np.log(scores)), share)))
        show("share of variance", f"{n} configurations x {r} seeds, {share}", hits, "bootstrap of runs")


def resampling_runs(generator: np.random.Generator, logs: Values) -> tuple[float, float]:
    """Percentiles of the intraclass correlation when runs are resampled within configurations."""
    n, r = logs.shape
    drawn = logs[np.arange(n)[:, None], generator.integers(0, r, (RESAMPLES, n, r))]
    within, between = drawn.var(axis=2, ddof=1).mean(axis=1), r * drawn.mean(axis=2).var(axis=1, ddof=1)
    configuration = np.maximum(between - within, 0) / r
    return percentiles(configuration / (configuration + within))


def check_correlation(repeats: int, generator: np.random.Generator) -> None:
    """Rank agreement of two measures with a normal correlation of 0.7."""
    truths = (6 / math.pi * math.asin(0.35), 2 / math.pi * math.asin(0.7))
    kinds: tuple[tuple[str, Callable[[Values, Values], Estimate]], ...] = (
        ("Spearman", statistics.rank_correlation),
        ("Kendall", statistics.kendall),
    )
    for n in (8, 30):
        for (name, correlation), truth in zip(kinds, truths, strict=True):
            hits = []
            for _ in range(repeats):
                x, y = generator.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], n).T
                estimate = correlation(x, y)
                z, half = math.atanh(min(max(estimate.value, -0.999), 0.999)), 1.96 / math.sqrt(n - 3)
                hits.append((held(estimate, truth), held((math.tanh(z - half), math.tanh(z + half)), truth)))
            show(f"{name} correlation", f"n={n}, truth {truth:.2f}", hits, "Fisher's z")


def check_group(repeats: int, generator: np.random.Generator) -> None:
    """Whether the leading group of five variants holds the best one; commonly the lowest median is it."""
    scales = {"a": 1.0, "b": 1.02, "c": 1.05, "d": 1.1, "e": 1.3}
    hits = []
    for _ in range(repeats):
        pairs = statistics.compare_pairs({v: seeds(generator, 20, s, FAIL) for v, s in scales.items()})
        hits.append(("a" in pairs.leading, pairs.leader == "a"))
    show("leading group", "5 variants, 20 seeds", hits, "the lowest median is the best")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=500, help="studies per line")
    repeats = parser.parse_args(arguments).repeats
    print(f"{'statistic':<22}{'setting':<34}{'nominal':>8}{'ours':>8}{'common':>9}  what is common")
    checks = (
        check_budget,
        check_seeds,
        check_pairs,
        check_profile,
        check_variance,
        check_correlation,
        check_group,
        tabulate_profile,
        tabulate_variance,
    )
    for seed, check in enumerate(checks):
        check(repeats, np.random.default_rng(seed))


if __name__ == "__main__":
    main()
