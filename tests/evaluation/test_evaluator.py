"""Scores: torch-fidelity's own, right where the answer is known, never given to what is not finite."""

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gansweep import data
from gansweep.data.base import make
from gansweep.errors import UserError
from gansweep.evaluation import EXTRACTORS, Evaluation, Manifold, check_metrics
from gansweep.evaluation.evaluator import Evaluator, Reference, build_reference, finite, to_uint8
from gansweep.evaluation.extractors import (
    CLASSIFIERS,
    Classifier,
    build,
    extract,
    extractor_for,
)
from gansweep.evaluation.fidelity import registered_name
from gansweep.evaluation.metrics import features as metrics
from gansweep.evaluation.metrics.mixture import coverage, moments
from gansweep.evaluation.reference import describe
from gansweep.evaluation.train_extractors import accuracy, train
from gansweep.evaluation.weights import BUNDLED, PUBLISHED, file_hash

INCEPTION = PUBLISHED["inception"].fidelity_name
LIBRARY_NAMES = {
    "fid": "frechet_inception_distance",
    "isc": "inception_score_mean",
    "kid": "kernel_inception_distance_mean",
    "precision": "precision",
    "recall": "recall",
}
FEATURE_METRICS = tuple(LIBRARY_NAMES)


class Images(torch.utils.data.Dataset):
    """A tensor as torch-fidelity takes it."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __len__(self):
        return len(self.tensor)

    def __getitem__(self, i):
        return self.tensor[i]


def by_library(generated, real, extractor, **options):
    """torch-fidelity's own answer, under our names."""
    found = torch_fidelity.calculate_metrics(
        input1=Images(generated),
        input2=Images(real),
        feature_extractor=extractor,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=metrics.settings(len(generated), len(real))["kid_subset_size"],
        prc_batch_size=1000,
        save_cpu_ram=True,
        cuda=False,
        cache=False,
        verbose=False,
        **options,
    )
    return {ours: found[theirs] for ours, theirs in LIBRARY_NAMES.items()}


def noisy(images, sd):
    """Images of the data set with pixel noise, as a generator could have made them."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return to_uint8(images.float() / 255 + sd * noise)


def evaluator(dataset, n_images, asked=("fid",), **settings):
    evaluation = Evaluation(n_images=n_images, metrics=asked, **settings)
    return Evaluator(build_reference(dataset, evaluation), evaluation)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory):
    """A file of random weights in the shape of Inception's."""

    class Blank(FeatureExtractorInceptionV3):
        def load_state_dict(self, state, **_):
            """Keep the initial weights."""

    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save({}, path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Blank(INCEPTION, ["2048"], feature_extractor_weights_path=str(path))
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No download can succeed, and nothing was downloaded before."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("GANSWEEP_INCEPTION_WEIGHTS", raising=False)


def test_all_metrics_equal_the_librarys(digits):
    generated = noisy(digits.train[:700], 0.3)
    ours = evaluator(digits, 700, FEATURE_METRICS).score(generated)
    theirs = by_library(generated, digits.test, registered_name("digits"))
    assert tuple(ours) == FEATURE_METRICS
    for name in FEATURE_METRICS:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=0, msg=name)


@pytest.mark.slow
def test_inceptions_metrics_equal_the_librarys(digits, random_inception):
    small = dataclasses.replace(digits, train=digits.train[:10], test=digits.test[:30])
    settings = {"extractor": "inception", "weights": str(random_inception)}
    generated = noisy(digits.train[:100], 0.3)
    ours = evaluator(small, 100, FEATURE_METRICS, **settings).score(generated)
    pair = (images.expand(-1, 3, -1, -1) for images in (generated, small.test))
    theirs = by_library(*pair, INCEPTION, feature_extractor_weights_path=str(random_inception))
    for name in FEATURE_METRICS:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=0, msg=name)


def test_inception_gets_grey_images_in_three_channels(digits, random_inception):
    network = build("inception", ["2048"], random_inception, "cpu")
    grey = digits.test[:2]
    one, three = (
        extract(network, images, 64, "cpu")["2048"] for images in (grey, grey.expand(-1, 3, -1, -1))
    )
    assert one.shape == (2, 2048) and one.dtype == torch.float64
    assert (one[0] - one[1]).abs().max() > 1e-3
    torch.testing.assert_close(one, three)


def test_fid_of_the_real_images_is_zero_and_grows_with_noise_and_missing_classes(digits):
    scorer = evaluator(digits, 600)
    by_noise = [scorer.score(noisy(digits.test, sd))["fid"] for sd in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert abs(by_noise[0]) < 1e-6
    assert by_noise == sorted(by_noise) and by_noise[-1] > 1
    by_classes = []
    for n_classes in (10, 8, 5, 2):
        kept = torch.nonzero(digits.test_labels < n_classes).flatten()
        by_classes.append(scorer.score(digits.test[kept.repeat(10)[:600]])["fid"])
    assert by_classes == sorted(by_classes) and by_classes[-1] > 1


@pytest.mark.parametrize("sds", [(2.0,), (0.5, 3.0), (1.0, 1.5, 0.1)])
def test_raw_features_give_the_closed_form_of_two_gaussians(sds):
    n, d = 1000, len(sds)
    noise = torch.from_numpy(np.random.RandomState(0).standard_normal((n, d)))
    noise -= noise.mean(0)
    chol = torch.linalg.cholesky(torch.atleast_2d(torch.cov(noise.T)))
    unit = torch.linalg.solve_triangular(chol, noise.T, upper=False).T  # mean 0 and covariance 1 exactly
    dataset = make("unit", "Unit", unit.float(), unit.float(), "None.")
    shift, sd = torch.arange(1.0, d + 1), torch.tensor(sds)
    fid = evaluator(dataset, n).score(unit.float() * sd + shift)["fid"]
    expected = (shift.square() + (sd - 1).square()).sum().item()
    torch.testing.assert_close(fid, expected, rtol=1e-5, atol=0)


def test_the_inception_score_of_known_predictions():
    pair = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log().repeat(5000, 1)
    torch.testing.assert_close(metrics.inception_score(pair).item(), 1.4449348, rtol=1e-3, atol=0)
    torch.testing.assert_close(metrics.inception_score(pair[:1].expand(1000, 2)).item(), 1.0)
    sure = 200 * torch.eye(10).repeat(1000, 1)
    torch.testing.assert_close(metrics.inception_score(sure).item(), 10.0, rtol=1e-2, atol=0)


def test_a_confident_collapse_still_has_an_inception_score(digits):
    scorer = evaluator(digits, 600, ("isc",))
    scorer.network.network.head.weight.mul_(1e6)
    torch.testing.assert_close(scorer.score(digits.test[:1].expand(600, -1, -1, -1))["isc"], 1.0)


def test_a_collapsed_generator_is_precise_but_recalls_little(digits):
    one = digits.test[:1].expand(600, -1, -1, -1)
    scores = evaluator(digits, 600, ("precision", "recall")).score(one)
    assert scores["precision"] == 1 and scores["recall"] < 0.02


@pytest.mark.parametrize("asked", [("kid",), ("recall",), ("isc", "fid")])
def test_only_what_is_asked_for_is_scored(digits, asked):
    assert tuple(evaluator(digits, 100, asked).score(digits.train[:100])) == asked


def test_vectors_have_no_inception_score():
    ring = data.load("ring")
    scores = evaluator(ring, 1000, ("fid", "isc")).score(ring.train[:1000])
    assert list(scores) == ["fid"] and abs(scores["fid"]) < 0.01


def test_the_intra_fid_sees_labels_that_the_fid_does_not(digits):
    scorer = evaluator(digits, 600, ("fid", "intra_fid", "accuracy"))
    right = scorer.score(digits.test, digits.test_labels)
    mixed = scorer.score(digits.test, digits.test_labels.roll(1))
    wrong = scorer.score(digits.test, (digits.test_labels + 1) % 10)
    assert right["fid"] == mixed["fid"] == wrong["fid"]
    assert abs(right["intra_fid"]) < 1e-6 < 1 < mixed["intra_fid"] < wrong["intra_fid"]
    assert wrong["accuracy"] < 0.02 < mixed["accuracy"] < 0.2


def test_the_intra_fid_is_the_mean_of_the_classes_fids():
    ring = data.load("ring")
    scorer = evaluator(ring, 8000, ("intra_fid",))
    samples, labels = ring.train[:8000].double(), ring.train_labels[:8000]
    shift = 0.1 * torch.arange(8.0)[labels]  # class k is moved by k / 10
    moved = samples + shift.unsqueeze(1) * torch.tensor([1.0, 0.0])
    expected = (0.1 * torch.arange(8.0)).square().mean().item()
    torch.testing.assert_close(scorer.score(moved.float(), labels)["intra_fid"], expected, rtol=0.01, atol=0)


def test_the_intra_fid_of_real_samples_is_biased_upwards_more_than_their_fid(digits):
    scores = evaluator(digits, 1197, ("fid", "intra_fid")).score(digits.train, digits.train_labels)
    assert scores["intra_fid"] > scores["fid"] > 0


def test_the_accuracy_of_real_images_is_the_classifiers(digits):
    facts = json.loads((BUNDLED / "digits.json").read_text())
    scores = evaluator(digits, 600, ("accuracy",)).score(digits.test, digits.test_labels)
    torch.testing.assert_close(scores["accuracy"], facts["test_accuracy"])


@pytest.mark.parametrize(
    ("name", "n", "share"), [("ring", 8, 0.98889), ("grid", 25, 0.98889), ("gaussian_1d", 1, 0.9973)]
)
def test_real_samples_cover_a_mixture(name, n, share):
    scores = coverage(data.load(name).train, data.MIXTURES[name])
    assert scores["modes"] == n
    torch.testing.assert_close(scores["high_quality"], share, rtol=0, atol=0.002)


def test_lost_modes_and_stray_samples_are_counted():
    ring, mixture = data.load("ring"), data.MIXTURES["ring"]
    some = ring.train[ring.train_labels < 3]
    assert coverage(some, mixture)["modes"] == 3
    edge = mixture.means[:4] * torch.tensor([1.0, 1.029, 1.031, 2.0]).unsqueeze(1)
    assert coverage(edge, mixture) == {"modes": 2, "high_quality": 0.5}
    collapsed = coverage(mixture.means[:1].expand(100, 2), mixture)
    assert collapsed == {"modes": 1, "high_quality": 1}
    assert coverage(torch.zeros(100, 2), mixture) == {"modes": 0, "high_quality": 0}


def test_components_of_unlike_width_reach_as_far_as_their_own_deviation():
    mixture = data.MIXTURES["mixture_1d"]  # means 2 and -1, sds 1.415 and 0.255
    samples = torch.tensor([[2 + 2.9 * 1.415], [-1 - 2.0 * 0.255], [2 + 3.1 * 1.415], [-1 - 3.1 * 0.255]])
    assert coverage(samples[:2], mixture) == {"modes": 2, "high_quality": 1}
    assert coverage(samples[2:3], mixture)["high_quality"] == 0
    assert coverage(samples[3:], mixture) == {
        "modes": 1,
        "high_quality": 1,
    }  # 2.67 deviations of the wide one


def test_moments_are_those_of_the_samples():
    assert moments(torch.tensor([[1.0], [3.0]])) == {"mean": 2.0, "sd": 1.0}
    line = data.load("gaussian_1d")
    scores = evaluator(line, 1000, ("fid", "mean", "sd", "modes")).score(0.5 * line.train[:1000] + 3)
    expected = {"mean": 3.0, "sd": 0.5, "modes": 1.0}
    torch.testing.assert_close({k: scores[k] for k in expected}, expected, rtol=0.05, atol=0)
    torch.testing.assert_close(
        scores["fid"], (scores["mean"] - line.test.mean().item()) ** 2 + 0.25, rtol=0.1, atol=0
    )


@pytest.mark.parametrize(
    ("name", "metric", "conditional", "message"),
    [
        ("digits", "modes", False, r"'modes' needs a mixture \(ring, grid, .*the data set is 'digits'"),
        (
            "digits",
            "mean",
            False,
            r"'mean' needs numbers, but a sample of 'digits' has the shape \(1, 8, 8\)",
        ),
        ("ring", "sd", False, r"'sd' needs numbers, but a sample of 'ring' has the shape \(2,\)"),
        ("digits", "intra_fid", False, r"needs generators that are given labels: set Study\(conditional"),
        ("digits", "accuracy", False, "needs generators that are given labels"),
        (
            "ring",
            "accuracy",
            True,
            "'accuracy' needs a classifier .* digits and mnist, but 'ring' is seen by 'raw'",
        ),
        ("grid", "intra_fid", True, "20 samples or more of every class.*about 3 of 100 generated ones"),
        ("ring", "polygon_recall", False, "'polygon_recall' needs polygons"),
    ],
)
def test_a_metric_that_cannot_be_had_is_refused_beforehand(name, metric, conditional, message):
    evaluation = Evaluation(metrics=("fid", metric), n_images=100)
    with pytest.raises(UserError, match=message):
        check_metrics(evaluation, data.load(name), conditional)


@pytest.mark.parametrize(
    ("name", "asked", "conditional"),
    [
        ("digits", (*FEATURE_METRICS, "intra_fid", "accuracy"), True),
        ("ring", ("fid", "isc", "modes", "high_quality"), False),
        ("mixture_1d", ("fid", "mean", "sd", "modes"), False),
    ],
)
def test_metrics_that_can_be_had_are_let_pass(name, asked, conditional):
    check_metrics(Evaluation(metrics=asked), data.load(name), conditional)


def test_settings_are_read_without_torch():
    program = "import sys, gansweep.evaluation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_floor_is_the_score_of_training_images(digits):
    reference = build_reference(digits, Evaluation())
    every = Evaluation(n_images=len(digits.train))
    torch.testing.assert_close(
        reference.floor["fid"], Evaluator(build_reference(digits, every), every).score(digits.train)["fid"]
    )


def test_a_diverged_generator_gets_no_score(digits):
    x = torch.full((4, 1, 8, 8), 0.5)
    assert finite(x)
    for bad in (float("nan"), float("inf")):
        x[0, 0, 0, 0] = bad
        assert not finite(x)
        with pytest.raises(ValueError, match="not finite"):
            to_uint8(x)
    ring = data.load("ring")
    with pytest.raises(ValueError, match="not finite"):
        evaluator(ring, 100).score(torch.full((100, 2), float("nan")))


def test_pixels_are_clamped_and_rounded():
    x = torch.tensor([-0.3, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.7])
    assert to_uint8(x).tolist() == [0, 0, 0, 1, 255, 255]


def test_a_score_needs_the_promised_number_and_kind_of_images(digits):
    scorer = evaluator(digits, 100)
    with pytest.raises(ValueError, match="scores are of 100 samples, but got 99"):
        scorer.score(digits.train[:99])
    with pytest.raises(ValueError, match="uint8 images"):
        scorer.score(digits.train[:100].float())


def test_nothing_disturbs_the_global_random_state_or_prints(digits, capfd):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    evaluator(digits, 100, FEATURE_METRICS).score(digits.train[:100])
    torch.testing.assert_close(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert capfd.readouterr() == ("", "")


def test_the_metric_id_changes_with_every_ingredient(digits, tmp_path):
    files = [tmp_path / "a.pth", tmp_path / "b.pth"]
    for i, file in enumerate(files):
        file.write_bytes(bytes([i]))
    other = digits.test.clone()
    other[0, 0, 0, 0] += 1
    touched = make("digits", digits.label, digits.train, other, digits.preprocessing)
    n = Evaluation(n_images=200)
    variants = [
        (digits, n),
        (digits, dataclasses.replace(n, n_images=300)),
        (touched, n),
        *((digits, dataclasses.replace(n, extractor="inception", weights=str(file))) for file in files),
    ]
    ids = [Reference(describe(*variant), *[torch.zeros(1)] * 3, floor={}).metric_id for variant in variants]
    assert len(set(ids)) == len(variants) and all(len(i) == 12 for i in ids)
    same = dataclasses.replace(n, metrics=("kid", "intra_fid"), seed=1, manifold=Manifold(restarts=2))
    assert describe(digits, same) == describe(digits, n)


def test_a_description_is_json(digits):
    description = describe(digits, Evaluation())
    assert json.loads(json.dumps(description)) == description


@pytest.mark.parametrize("hash_seed", ["2", *(pytest.param(seed, marks=pytest.mark.slow) for seed in "05")])
def test_ids_and_scores_are_the_same_in_every_process(digits, hash_seed):
    program = """
import json, torch
from gansweep import data
from gansweep.evaluation.fidelity import registered_name
from gansweep.evaluation.evaluator import Evaluation, build_reference
from test_evaluator import by_library
digits = data.load("digits")
reference = build_reference(digits, Evaluation(n_images=100))
found = by_library(digits.train[:100], digits.test, registered_name("digits"))
print(json.dumps([reference.metric_id, found["fid"], found["isc"]]))
"""
    folders = os.pathsep.join(str(folder) for folder in Path(__file__).parents[:2])
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": folders}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    scorer = evaluator(digits, 100, ("fid", "isc"))
    scores = scorer.score(digits.train[:100])
    metric_id, fid, isc = json.loads(result.stdout)
    assert metric_id == scorer.reference.metric_id
    torch.testing.assert_close([fid, isc], [scores["fid"], scores["isc"]], rtol=1e-5, atol=0)


def test_layers_come_in_the_order_they_are_asked_for(digits):
    one, other = (
        extract(build("digits", layers, None, "cpu"), digits.test[:5], 5, "cpu")
        for layers in (["features", "logits"], ["logits", "features"])
    )
    assert (one["features"].shape, one["logits"].shape) == ((5, 32), (5, 10))
    torch.testing.assert_close(one, other)


def test_a_reference_survives_its_file(digits, tmp_path):
    evaluation = Evaluation(n_images=200, metrics=(*FEATURE_METRICS, "intra_fid", "accuracy"))
    made = build_reference(digits, evaluation)
    made.save(tmp_path / "reference.pt")
    read = Reference.load(tmp_path / "reference.pt", made.metric_id)
    assert read.metric_id == made.metric_id and read.floor == made.floor
    images, labels = digits.train[:200], digits.train_labels[:200]
    assert Evaluator(read, evaluation).score(images, labels) == Evaluator(made, evaluation).score(
        images, labels
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "reference.pt"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_shipped_weights_are_the_ones_described(name):
    facts = json.loads((BUNDLED / f"{name}.json").read_text())
    assert file_hash(BUNDLED / f"{name}.pt") == facts["sha256"]
    assert facts["test_accuracy"] > {"digits": 0.96, "mnist": 0.985}[name]
    assert registered_name(name) == f"gansweep-{name}-{facts['sha256'][:12]}"


def test_the_shipped_classifier_of_digits_is_as_accurate_as_described(digits):
    facts = json.loads((BUNDLED / "digits.json").read_text())
    assert digits.sha256 == facts["dataset_sha256"]
    network = Classifier(*CLASSIFIERS["digits"])
    network.load_state_dict(torch.load(BUNDLED / "digits.pt", weights_only=True))
    assert accuracy(network, digits.test, digits.test_labels) == facts["test_accuracy"]
    features, _ = network(digits.train)
    torch.testing.assert_close(features.std(0), torch.ones(32), rtol=1e-4, atol=0)


def test_training_makes_such_a_classifier(digits):
    with torch.random.fork_rng():
        network = train(digits, seed=1)
    assert accuracy(network, digits.test, digits.test_labels) > 0.95


def test_each_data_set_has_its_extractor(digits):
    assert extractor_for(digits) == "digits"
    assert extractor_for(data.load("ring")) == "raw"
    colour = make("folder:x", "x", *[torch.zeros(10, 3, 32, 32, dtype=torch.uint8)] * 2, "None.")
    assert extractor_for(colour) == "inception"
    assert [name for name, spec in EXTRACTORS.items() if spec.fits(colour.shape)] == [
        "inception",
        "pixels",
        "vgg16",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extractor": "mnist"}, "'mnist' does not fit data set 'digits'.*use one of inception, digits"),
        ({"extractor": "raw"}, "'raw' does not fit"),
        ({"weights": "x.pth"}, "weights are for the extractors 'inception' and 'vgg16' alone"),
        ({"extractor": "inception", "weights": "/nowhere.pth"}, "no file of Inception's weights at /nowhere"),
    ],
)
def test_what_does_not_fit_is_said(digits, settings, message):
    with pytest.raises(UserError, match=message):
        build_reference(digits, Evaluation(**settings))


def test_a_test_set_of_a_few_images_is_refused(digits):
    few = dataclasses.replace(digits, test=digits.test[:9])
    with pytest.raises(UserError, match="10 test images or more are needed, but 'digits' has 9"):
        build_reference(few, Evaluation())


def test_missing_inception_weights_say_how_to_go_on(digits, offline, capfd):
    with pytest.raises(UserError) as caught:
        build_reference(digits, Evaluation(extractor="inception"))
    for part in ("could not be downloaded", "weights=", "$GANSWEEP_INCEPTION_WEIGHTS", "extractor 'digits'"):
        assert part in str(caught.value)
    assert capfd.readouterr().out == ""


def test_no_bundled_extractor_is_named_where_none_fits(offline):
    colour = make("folder:x", "x", *[torch.zeros(10, 3, 32, 32, dtype=torch.uint8)] * 2, "None.")
    with pytest.raises(UserError, match=r"INCEPTION_WEIGHTS$"):
        build_reference(colour, Evaluation())


def test_the_environment_names_inceptions_weights(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("GANSWEEP_INCEPTION_WEIGHTS", str(tmp_path / "file.pth"))
    (tmp_path / "file.pth").write_bytes(b"weights")
    description = describe(digits, Evaluation(extractor="inception"))
    assert description["weights_sha256"] == file_hash(tmp_path / "file.pth")


class Exploit:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_file_that_is_not_inceptions_weights_is_refused_and_not_run(digits, tmp_path):
    file, mark = tmp_path / "file.pth", tmp_path / "mark"
    evaluation = Evaluation(extractor="inception", weights=str(file))
    for write in (
        lambda: file.write_bytes(b"noise"),
        lambda: torch.save({"a": torch.zeros(3)}, file),
        lambda: torch.save(Exploit(mark), file),
        lambda: file.write_bytes(pickle.dumps(Exploit(mark), protocol=2)),
    ):
        write()
        with pytest.raises(UserError, match="does not hold Inception's weights"):
            build_reference(digits, evaluation)
    assert not mark.exists()


def test_other_weights_than_the_references_are_refused(digits):
    reference = build_reference(digits, Evaluation())
    foreign = dataclasses.replace(reference, description=reference.description | {"weights_sha256": "0" * 64})
    with pytest.raises(UserError, match="not the file of weights that the reference was computed with"):
        Evaluator(foreign, Evaluation())


def test_an_evaluation_survives_json():
    evaluation = Evaluation(metrics=("fid", "kid"), n_images=500, manifold=Manifold(restarts=2))
    assert Evaluation(**json.loads(json.dumps(dataclasses.asdict(evaluation)))) == evaluation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ("fdi",)}, "unknown metric 'fdi'; did you mean 'fid'"),
        ({"metrics": ()}, "metrics must be a tuple of one or more different names"),
        ({"metrics": ("fid", "fid")}, "one or more different names, but got"),
        ({"metrics": 3}, "one or more different names, but got 3"),
        ({"metrics": "fid"}, "one or more different names, but got 'fid'"),
        ({"seed": 1.5}, "seed must be a whole number from 0 to 2147483647, but got 1.5"),
        ({"seed": 2**70}, "seed must be a whole number"),
        ({"weights": 3}, "weights must be of type str or None, but got 3"),
        ({"manifold": None}, "manifold must be of type Manifold, but got None"),
        ({"manifold": {"restarts": 2.5}}, "restarts must be a whole number from 1 to 1024, but got 2.5"),
        ({"manifold": {"restarts": 2000}}, "restarts must be a whole number from 1 to 1024"),
        ({"manifold": {"vertex_lr": float("inf")}}, "vertex_lr must be above 0 and finite"),
        ({"extractor": "incepton"}, "unknown feature extractor 'incepton'; did you mean 'inception'"),
        ({"n_images": 99}, "n_images must be a whole number from 100 to 1000000, but got 99"),
        ({"n_images": 1000.0}, "n_images must be a whole number from 100 to 1000000, but got 1000.0"),
        ({"n_images": 10**9}, "n_images must be a whole number from 100 to 1000000, but got 1000000000"),
        ({"manifold": {"n_precision": 10**9}}, "n_precision must be a whole number from 1 to 1000000"),
        ({"manifold": {"n_recall": 10**9}}, "n_recall must be a whole number from 1 to 1000000"),
    ],
)
def test_a_wrong_evaluation_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Evaluation(**settings)
