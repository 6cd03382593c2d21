"""One family of tests: the leading group, the differences and the words of the verdict agree."""

import itertools
import math

import numpy as np
import pytest
from synthetic import make_study

from gansweep.report import statistics
from gansweep.report.comparison import read_comparison
from gansweep.report.figures.fresh_seeds.confirmation import confirmation_plot
from gansweep.report.figures.fresh_seeds.effects import effects_data, effects_plot
from gansweep.report.figures.fresh_seeds.pairwise import improvement_plot
from gansweep.report.figures.search.budget import budget_plot
from gansweep.report.statistics import Pairs, compare_pairs, hodges_lehmann, holm, improvement, median_best
from gansweep.report.summary import summary_table
from gansweep.report.text.verdict import confirmed_sentence, verdict

INF = math.inf


def draws(generator: np.random.Generator, n: int, scale: float = 1.0, fail: float = 0.0) -> np.ndarray:
    """Sorted log-normal scores, each of them failed with a probability."""
    values = scale * generator.lognormal(3, 0.4, n)
    return np.sort(np.where(generator.random(n) < fail, INF, values))


def random_study(seed: int) -> dict[str, np.ndarray]:
    """Two to six variants with three to thirty runs; some equal, some fragile."""
    generator = np.random.default_rng(seed)
    scales = generator.choice([1.0, 1.0, 1.3, 2.0, 4.0], generator.integers(2, 7))
    return {
        f"v{i}": draws(generator, int(generator.integers(3, 31)), scale, generator.choice([0.0, 0.2, 0.6]))
        for i, scale in enumerate(scales)
    }


def test_every_pair_is_tested_once_and_adjusted_over_all():
    generator = np.random.default_rng(3)
    scores = {"c": draws(generator, 12, 3, 0.2), "a": draws(generator, 12), "b": draws(generator, 15, 1.5)}
    pairs = compare_pairs(scores, k=2)
    assert pairs.names == ("a", "b", "c") and pairs.leader == "a"
    np.testing.assert_allclose(pairs.share + pairs.share.T, 1)
    tests = [improvement(scores[i], scores[j], 2) for i, j in ("ab", "ac", "bc")]
    upper = np.triu_indices(3, 1)
    np.testing.assert_array_equal(pairs.share[upper], [share for share, _ in tests])
    for matrix, expected in ((pairs.p, [p for _, p in tests]), (pairs.adjusted, holm([p for _, p in tests]))):
        np.testing.assert_array_equal(matrix[upper], expected)
        np.testing.assert_array_equal(matrix, matrix.T)


def test_effects_are_against_the_leader_with_the_p_values_of_all_pairs():
    generator = np.random.default_rng(2)
    scores = {"b": draws(generator, 20, 1.3), "a": draws(generator, 20), "c": draws(generator, 20, 2.0, 0.1)}
    pairs = compare_pairs(scores)
    assert list(pairs.effects) == ["b", "c"]
    for place, (name, effect) in enumerate(pairs.effects.items(), 1):
        assert (effect.improvement, effect.p) == improvement(scores[name], scores["a"])
        assert effect.adjusted == pairs.adjusted[0, place]
        assert effect.ratio == hodges_lehmann(scores[name], scores["a"])


@pytest.mark.parametrize("k", [1, 3])
def test_outside_the_leading_group_is_exactly_who_the_leader_beats(k):
    """On 60 random studies at budget 1, 12 at another: one matrix of p-values, and the group by hand."""
    n_outside = n_inside = 0
    for seed in range(60 if k == 1 else 12):
        scores = random_study(seed)
        pairs = compare_pairs(scores, k)
        lowest = min(median_best(values, k).value for values in scores.values())
        assert median_best(scores[pairs.leader], k).value == lowest
        couples = list(itertools.combinations(pairs.names, 2))
        p_values = [improvement(scores[a], scores[b], k)[1] for a, b in couples]
        adjusted = dict(zip(couples, holm(p_values), strict=True))
        for name in pairs.names[1:]:
            share, _ = improvement(scores[pairs.leader], scores[name], k)
            beaten = adjusted[pairs.leader, name] < 0.05 and share > 0.5
            assert (name not in pairs.leading) == beaten == pairs.beats(pairs.leader, name)
            n_outside, n_inside = n_outside + beaten, n_inside + (not beaten)
    assert min(n_outside, n_inside) > 5


def test_a_rival_that_is_better_in_most_pairs_stays_in_the_group_and_is_named():
    """The leader has the lower median by a hair and the worse other half."""
    leader = np.sort(np.concatenate([np.full(26, 9.9), np.linspace(50, 60, 24)]))
    rival = np.sort(np.concatenate([np.linspace(9.0, 9.8, 24), np.full(26, 10.0)]))
    pairs = compare_pairs({"leader": leader, "rival": rival})
    assert pairs.leader == "leader" and pairs.separable("leader", "rival")
    assert pairs.leading == ("leader", "rival") and pairs.ahead == ("rival",)


def test_the_smallest_p_value_can_be_significant_for_any_number_of_variants():
    generator = np.random.default_rng(0)
    scores = {f"v{i:02}": 20.0 + i + generator.random(12) / 10 for i in range(24)}
    scores |= {"best": 1 + np.arange(12.0) / 100}
    scores = {name: np.sort(values) for name, values in scores.items()}
    assert compare_pairs(scores, k=2).leading == ("best",)


@pytest.fixture(scope="module", params=range(3))
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"pairs{request.param}")
    options = {"trials": 25, "samples": False, "confirm": {"top": 1, "reruns": 1, "seeds": 12}}
    variants = ("ns", "wgan_gp", "vae", "began")
    return read_comparison(make_study(folder, variants, 2, seed=request.param, **options))


def test_table_verdict_and_figures_have_one_leader_and_one_group(study):
    summary = summary_table(study)
    texts = dict(verdict(study))
    for dataset in study.datasets:
        seeds, search = study.seed_pairs[dataset], study.search_pairs[dataset]
        effects = effects_data(study, dataset)
        mine = summary[summary["dataset"] == dataset].set_index("variant")
        assert effects["variant"].iloc[0] == mine.index[0] == seeds.leader
        apart = set(effects.loc[effects["separable"] == True, "variant"])  # noqa: E712
        assert apart == set(study.variants) - set(seeds.leading)
        assert set(mine.index[mine["seeds_leading"]]) == set(seeds.leading)
        assert set(mine.index[mine["leading"]]) == set(search.leading) == set(study.leading(dataset))
        sentence = confirmed_sentence(study, dataset)
        assert sentence.startswith(f"{study.label(seeds.leader)} has the lowest median")
        assert f"{study.label(seeds.leader)}" in improvement_plot(study, dataset).takeaway
        for name in set(seeds.leading[1:]):
            assert study.label(name) in sentence
        for name in apart:
            assert study.label(name) not in sentence
        said = texts[f"{study.dataset_label(dataset)}, search"]
        assert said.startswith(study.label(search.leader)) and study.ranked(dataset)[0] == search.leader
        assert (
            f"{study.dataset_label(dataset)}: {study.label(search.leader)}"
            in budget_plot(study, dataset).takeaway
        )
        rows = confirmation_plot(study, dataset).table.rows
        assert [row[0].variant for row in rows if row[1].text] == list(seeds.leading)


def test_the_matrix_shades_exactly_the_pairs_of_the_one_family(study):
    for dataset in study.datasets:
        pairs: Pairs = study.seed_pairs[dataset]
        plot = improvement_plot(study, dataset)
        assert list(dict.fromkeys(plot.data["variant"])) == list(pairs.names)
        for line in plot.data.to_dict("records"):
            assert (line["adjusted"] < statistics.ALPHA) == pairs.separable(line["variant"], line["rival"])


def test_where_intervals_and_tests_may_differ_it_is_said(study):
    dataset = study.datasets[0]
    assert "not by whether intervals overlap" in confirmation_plot(study, dataset).caption
    assert "one may exclude 1 where the pair is not separable" in effects_plot(study, dataset).caption
