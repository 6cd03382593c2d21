"""Real MNIST, where it is at hand: `GANSWEEP_DATA` names the folder that holds it."""

import pytest
import torch

from gansweep import data
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.evaluation.extractors import build, extract
from gansweep.evaluation.weights import weights_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (data.data_root() / "MNIST").is_dir(), reason="there is no MNIST on this machine"),
]


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


def test_mnist_is_what_it_should_be(mnist):
    assert mnist.train.shape == (60_000, 1, 28, 28) and mnist.test.shape == (10_000, 1, 28, 28)
    assert torch.bincount(mnist.test_labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


def test_the_bundled_classifier_reads_digits(mnist):
    network = build("mnist", ["features", "logits"], weights_file("mnist", None), "cpu")
    logits = extract(network, mnist.test, 1000, "cpu")["logits"]
    assert (logits.argmax(1) == mnist.test_labels).float().mean() > 0.985


def test_scores_of_real_and_of_dropped_digits(mnist):
    evaluation = Evaluation(n_images=5000)
    evaluator = Evaluator(build_reference(mnist, evaluation), evaluation)
    whole = evaluator.score(mnist.train[:5000])
    assert evaluator.reference.floor["fid"] < 0.5 and whole["fid"] < 1 and whole["isc"] > 9
    fids = []
    for n_classes in (9, 5, 1):
        kept = mnist.train[mnist.train_labels < n_classes][:5000]
        fids.append(evaluator.score(kept)["fid"])
    assert whole["fid"] < fids[0] < fids[1] < fids[2]
