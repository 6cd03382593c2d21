"""Evaluations that are too large, or that take long, are said before anything starts."""

import dataclasses

import pytest
import torch

from gansweep import data
from gansweep.data.base import machine_memory, make
from gansweep.errors import UserError
from gansweep.evaluation import EXTRACTORS, Evaluation, check_metrics, requirements
from gansweep.evaluation.extractors import CLASSIFIERS, features_by
from gansweep.evaluation.weights import weights_file
from gansweep.study.resolve import resolve
from gansweep.study.study import Study


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def colour():
    images = torch.zeros(40, 3, 32, 32, dtype=torch.uint8)
    return make("folder:x", "x", images[:20], images[20:], "None.")


@pytest.mark.parametrize("name", [*CLASSIFIERS, "pixels", "raw"])
def test_the_number_of_features_is_the_extractors(name):
    shape = EXTRACTORS[name].shape or {"pixels": (3, 4, 4), "raw": (5,)}[name]
    samples = torch.zeros(2, *shape, dtype=torch.float32 if name == "raw" else torch.uint8)
    features = features_by(name, weights_file(name, None), "cpu")(samples)
    assert features.shape[1] == EXTRACTORS[name].count_features(shape)


def test_published_extractors_have_the_features_of_their_layers():
    assert EXTRACTORS["inception"].count_features((3, 32, 32)) == int(EXTRACTORS["inception"].features)
    assert EXTRACTORS["vgg16"].count_features((1, 28, 28)) == 4096


@pytest.mark.parametrize(("n_images", "fits"), [(400, True), (401, False), (1_000_000, False)])
def test_more_images_than_memory_holds_are_refused(digits, monkeypatch, n_images, fits):
    # A digit: 64 float32 values, and 32 float64 features twice. 600 of the digits are real.
    monkeypatch.setattr("gansweep.data.base.machine_memory", lambda: 1000 * (64 * 4 + 32 * 16))
    if fits:
        check_metrics(Evaluation(n_images=n_images), digits, False)
        return
    with pytest.raises(UserError, match=f"n_images must be at most 400 on 'digits', .* but got {n_images:,}"):
        check_metrics(Evaluation(n_images=n_images), digits, False)


def test_the_larger_of_two_extractors_counts(digits, monkeypatch):
    monkeypatch.setattr("gansweep.data.base.machine_memory", lambda: 1000 * (64 * 4 + 64 * 16))
    evaluation = Evaluation(n_images=401, second_extractor="pixels")
    with pytest.raises(UserError, match=r"n_images must be at most 400 .* for 64 features"):
        check_metrics(evaluation, digits, False)


def test_this_machine_holds_a_usual_evaluation(digits):
    check_metrics(Evaluation(n_images=50_000), digits, False)
    assert machine_memory() > 10**9


@pytest.mark.parametrize(
    "evaluation",
    [Evaluation(extractor="pixels"), Evaluation(extractor="inception", second_extractor="pixels")],
)
def test_a_fid_of_many_features_is_said_before_the_run(colour, evaluation, capfd):
    resolve(
        "x",
        "",
        Study(
            variants=("ns",), datasets=("folder:x",), trials=1, steps=1, evaluations=1, evaluation=evaluation
        ),
        {"folder:x": colour},
    )
    out, err = capfd.readouterr()
    assert out == "" and err == (
        "gansweep: 'pixels' has 3,072 features of 'folder:x': a FID takes about 8 s of a CPU core at each "
        "evaluation of a trial, and the FIDs of the best trial of each variant about 4 min\n"
    )


@pytest.mark.parametrize("extractor", ["auto", "inception", "pixels"])
def test_usual_features_need_no_sentence(digits, extractor):
    assert requirements.long_evaluation(Evaluation(extractor=extractor), digits) is None


def test_large_images_count_the_features_of_the_network():
    large = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    dataset = make("folder:x", "x", large, large, "None.")
    assert requirements.long_evaluation(Evaluation(), dataset) is None
    slow = requirements.long_evaluation(dataclasses.replace(Evaluation(), extractor="vgg16"), dataset)
    assert slow and "4,096 features" in slow
