"""Whole packs scored at once: every number torch-fidelity's of the same features, every member by itself."""

import math

import pytest
import torch
from test_evaluator import FEATURE_METRICS, evaluator, noisy
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gansweep import data
from gansweep.evaluation import evaluator as scoring
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics import pairwise


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def drawn(n, d, scale=1.0, shift=0.0, rank=None, seed=0):
    """Float32 features of a Gaussian, [n, d], in a subspace of so many dimensions."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, rank or d, generator=generator)
    return (x if rank is None else x @ torch.randn(rank, d, generator=generator)) * scale + shift


def library_fid(generated, real):
    one, other = (fid_features_to_statistics(x.double()) for x in (generated, real))
    return fid_statistics_to_metric(one, other, False)["frechet_inception_distance"]


@pytest.mark.parametrize(
    ("n", "d", "rank"), [(1000, 2, None), (1000, 64, None), (300, 64, 20), (100, 256, None)]
)
def test_the_frechet_distance_is_the_librarys_also_of_singular_covariances(n, d, rank):
    generated = torch.stack([drawn(n, d, 1.1, 0.1 * i, rank, seed=i) for i in (1, 2)]).double()
    real = drawn(2 * n, d, rank=rank).double()
    moments = metrics.statistics(real)
    found = metrics.frechet_distances(metrics.statistics(generated), metrics.gaussian(*moments))
    variance = moments[1].trace().item()
    for one, features in zip(found.tolist(), generated, strict=True):
        torch.testing.assert_close(one, library_fid(features, real), rtol=1e-9, atol=1e-7 * variance)
        torch.testing.assert_close(one, metrics.frechet(metrics.statistics(features), moments))


@pytest.mark.parametrize(("n", "n_classes"), [(1000, 10), (1007, 3), (100, 1000)])
def test_the_inception_score_is_the_librarys(n, n_classes):
    logits = torch.stack([drawn(n, n_classes, scale, seed=i) for i, scale in enumerate((0.1, 1.0, 30.0))])
    for one, member in zip(metrics.inception_score(logits).tolist(), logits, strict=True):
        expected = isc_features_to_metric(member)["inception_score_mean"]
        torch.testing.assert_close(one, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("cost", [0.0, math.inf], ids=["subsets share a matrix", "each has its own"])
@pytest.mark.parametrize(
    ("n_generated", "n_real", "d"), [(500, 700, 32), (700, 300, 2), (210, 230, 300), (2500, 2100, 8)]
)
def test_kid_is_the_librarys(n_generated, n_real, d, cost, monkeypatch):
    monkeypatch.setattr(pairwise, "SHARED_COST", cost)
    generated, real = drawn(n_generated, d, 1.1, 0.05, seed=1), drawn(n_real, d)
    options = metrics.settings(n_generated, n_real)
    expected = kid_features_to_metric(generated.double(), real.double(), verbose=False, **options)
    found = pairwise.kernel_distance(generated, real, pairwise.kernel_means(real, n_generated))
    kernel = ((generated.double() @ real.double().T / d + 1) ** 3).mean().item()
    name = "kernel_inception_distance_mean"
    torch.testing.assert_close(found, expected[name], rtol=0, atol=1e-6 * kernel)


@pytest.mark.parametrize(
    ("n_generated", "n_real", "d"), [(500, 700, 32), (1300, 101, 2), (100, 30, 300), (2000, 1500, 8)]
)
def test_precision_and_recall_are_exactly_the_librarys(n_generated, n_real, d):
    generated, real = drawn(n_generated, d, 0.9, 0.1, seed=1), drawn(n_real, d)
    generated[: n_generated // 5] = generated[0]  # some of them collapsed
    found = pairwise.precision_recall(generated, real, pairwise.radii(real))
    expected = prc_features_to_metric(generated, real, verbose=False)
    assert 0 < found["recall"] < 1 and 0 < found["precision"] <= 1
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=0)  # its mean is a float32


def test_radii_are_those_of_sorted_distances(monkeypatch):
    samples = drawn(1234, 5)
    expected = torch.cdist(samples, samples).sort(1).values[:, 3]
    torch.testing.assert_close(pairwise.radii(samples), expected)
    monkeypatch.setattr(pairwise, "AT_ONCE", 10_000)  # eight at a time
    torch.testing.assert_close(pairwise.radii(samples), expected)


def test_members_of_a_pack_are_scored_as_each_alone(digits, monkeypatch):
    scorer = evaluator(digits, 600, (*FEATURE_METRICS, "intra_fid", "accuracy"))
    samples = torch.stack([noisy(digits.test, sd) for sd in (0.0, 0.2, 0.5)])
    together = scorer.score_pack(samples, digits.test_labels)
    assert [scores["fid"] for scores in together] == sorted(scores["fid"] for scores in together)
    alone = [scorer.score(member, digits.test_labels) for member in samples]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)
    monkeypatch.setattr(scoring, "FEATURES_AT_ONCE", 2 * 600 * 32)  # two members at a time
    for one, other in zip(scorer.score_pack(samples, digits.test_labels), together, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_a_member_that_is_not_finite_leaves_the_others_as_they_are():
    ring = data.load("ring")
    scorer = evaluator(ring, 1000, ("fid", "kid", "precision", "recall", "modes", "intra_fid"))
    good = ring.train[:1000] + 0.01
    for bad in (torch.nan, torch.inf):
        broken = good.clone()
        broken[7, 1] = bad
        labels = ring.train_labels[:1000]
        first, lost, last = scorer.score_pack(torch.stack([good, broken, good]), labels)
        assert first == last
        torch.testing.assert_close(first, scorer.score(good, labels), rtol=1e-9, atol=0)
        assert all(value != value for value in lost.values()) and lost.keys() == first.keys()
