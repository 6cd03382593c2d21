"""The limit above which a trial has collapsed: the same for every seed, and no noise is below it."""

from dataclasses import replace

import pytest
import torch
from jobs import CPU, STUDY

from gansweep import data
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.networks import architecture_for
from gansweep.run.prepare import independent_values, nothing_learned
from gansweep.study.resolve import resolve
from gansweep.training.member import Member
from gansweep.training.pack import Pack
from gansweep.training.samples import draw_samples
from gansweep.variants.base import Variant


def limit_and_score(name, n=1000, seed=0):
    dataset = data.load(name)
    value = replace(STUDY, datasets=(name,), evaluation=Evaluation(n_images=n), seed=seed)
    resolved = resolve("s", "", value, {name: dataset})
    evaluation = Evaluation.of(resolved, name)
    reference = build_reference(dataset, evaluation)
    evaluator = Evaluator(reference, replace(evaluation, metrics=("fid",)))

    def score(samples):
        return evaluator.score(samples)["fid"]

    return nothing_learned(resolved, dataset, reference), score, dataset, evaluation


def untrained(dataset, evaluation, seed):
    member = Member(
        variant=Variant(),
        trial_id="u",
        dataset=dataset.name,
        architecture=architecture_for(dataset.shape),
        seed=seed,
        batch_size=1,
        conditional="none",
    )
    return draw_samples(Pack([member], dataset, CPU), evaluation)[0][0]


@pytest.fixture(scope="module")
def digits():
    return limit_and_score("digits")


def test_the_limit_is_that_of_independent_pixels(digits):
    limit, _, dataset, _ = digits
    assert limit == pytest.approx(4.0, abs=0.15)
    images = independent_values(dataset.train, 2000, seed=7)
    shares = [(images == value).double().mean().item() for value in (0, 255)]
    assert shares == pytest.approx([(dataset.train == v).double().mean().item() for v in (0, 255)], abs=0.01)
    pixels = images.flatten(1).double()
    correlation = torch.corrcoef(pixels[:, pixels.std(0) > 0].T)
    correlation.fill_diagonal_(0)
    assert correlation.abs().max() < 0.15


def test_the_limit_does_not_depend_on_the_seed_of_the_study(digits):
    assert limit_and_score("digits", seed=1)[0] == digits[0]


def test_noise_and_what_has_learned_nothing_are_never_good(digits):
    limit, score, dataset, evaluation = digits
    n, generator = 1000, torch.Generator().manual_seed(0)
    for seed in range(12):
        assert score(untrained(dataset, evaluation, seed)) > 2 * limit
        assert score(independent_values(dataset.train, n, seed + 1)) > limit
    uniform = torch.randint(0, 256, (n, *dataset.shape), generator=generator, dtype=torch.uint8)
    grey = torch.full((n, *dataset.shape), 128, dtype=torch.uint8)
    mean = dataset.train.double().mean(0).round().to(torch.uint8).expand(n, -1, -1, -1)
    one = dataset.train[:1].expand(n, -1, -1, -1)
    one_class = dataset.train[dataset.train_labels == 3][:100].repeat(10, 1, 1, 1)
    for name, samples in {
        "uniform": uniform,
        "grey": grey,
        "mean": mean,
        "one": one,
        "class": one_class,
    }.items():
        assert score(samples.contiguous()) > limit, name


def test_images_that_are_nearly_real_are_good(digits):
    limit, score, dataset, _ = digits
    noisy = dataset.train[:1000] + 20 * torch.randn(
        1000, *dataset.shape, generator=torch.Generator().manual_seed(0)
    )
    assert score(noisy.clamp(0, 255).round().to(torch.uint8)) < limit / 4


@pytest.mark.parametrize("n", [100, 200, 5000])
def test_no_draw_of_noise_is_below_the_limit_at_any_number_of_images(n):
    limit, score, dataset, _ = limit_and_score("digits", n)
    assert min(score(independent_values(dataset.train, n, seed + 1)) for seed in range(20)) > limit


@pytest.mark.parametrize(("name", "variance"), [("ring", 1.0), ("grid", 16.0)])
def test_vectors_have_a_tenth_of_the_fid_of_their_mean(name, variance):
    """That FID is the trace of the covariance: 1 of a ring of radius 1, 2 * 8 of a grid from -4 to 4."""
    limit, score, dataset, evaluation = limit_and_score(name)
    assert limit == pytest.approx(variance / 10, rel=0.02)
    assert min(score(untrained(dataset, evaluation, seed)) for seed in range(20)) > 1.5 * limit
    assert score(dataset.train[:1000]) < limit / 10


def test_mnist():
    limit, score, dataset, evaluation = limit_and_score("mnist")
    assert 35 < limit < 41
    assert min(score(untrained(dataset, evaluation, seed)) for seed in range(4)) > 2 * limit
    assert score(independent_values(dataset.train, 1000, 5)) > limit > 20 * score(dataset.train[:1000])
