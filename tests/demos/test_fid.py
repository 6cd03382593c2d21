"""The robustness experiments find in numbers what is known of FID, and say it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision

from gansweep import data
from gansweep.demos.fid import run
from gansweep.demos.fid.bias import _line
from gansweep.demos.fid.bias import findings as findings_of_bias
from gansweep.demos.fid.distortions import KINDS
from gansweep.demos.fid.experiments import BY_NAME
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation, check_metrics
from gansweep.evaluation.evaluator import Evaluator, Reference, build_reference
from gansweep.evaluation.extractors import features_by
from gansweep.evaluation.metrics.features import frechet, statistics
from gansweep.evaluation.metrics.fid_infinity import at_infinity, fid_by_size, gaussian_slope, sizes_for
from gansweep.evaluation.weights import weights_file


def gaussian(n, d, seed, sd=1.0):
    return sd * torch.from_numpy(np.random.RandomState(seed).standard_normal((n, d)))


def unit(d):
    return torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64)


@pytest.mark.parametrize(("d", "n"), [(8, 500), (32, 1000)])
def test_the_bias_of_two_samples_of_one_gaussian_is_the_closed_form(d, n):
    fids = [
        frechet(statistics(gaussian(n, d, 2 * i)), statistics(gaussian(n, d, 2 * i + 1))) for i in range(30)
    ]
    expected = 2 * d / n + d * (d + 1) / (2 * (n - 1))
    assert np.mean(fids) == pytest.approx(expected, rel=0.05)
    assert 2 * gaussian_slope(unit(d)[1]) / n == pytest.approx(expected, rel=2 / n)


def test_the_slope_of_an_uneven_gaussian_is_that_of_its_samples():
    sd = torch.linspace(0.2, 2.0, 12, dtype=torch.float64)
    true = torch.zeros(12, dtype=torch.float64), sd.square().diag()
    fids = [frechet(statistics(gaussian(400, 12, i, sd)), true) for i in range(200)]
    assert 400 * np.mean(fids) == pytest.approx(gaussian_slope(true[1]), rel=0.05)


def test_infinitely_many_samples_of_the_reference_itself_have_no_distance():
    features, sizes = gaussian(20_000, 16, 0), sizes_for(20_000, 16)
    fids = fid_by_size(features, unit(16), sizes, seed=0)
    intercept, slope = at_infinity(fids, sizes)
    assert fids[0] > 5 * fids[-1] > 0  # a tenth of the samples, ten times the bias
    assert abs(intercept) < 0.1 * fids[-1]
    assert slope == pytest.approx(gaussian_slope(unit(16)[1]), rel=0.1)


def test_infinitely_many_samples_of_another_gaussian_have_the_closed_form():
    sizes = sizes_for(5000, 16)
    fids = fid_by_size(1.2 * gaussian(5000, 16, 1) + 0.1, unit(16), sizes, seed=1)
    true = 16 * (0.1**2 + 0.2**2)
    assert abs(at_infinity(fids, sizes)[0] - true) < 0.03 < fids[0] - true


def test_subsets_are_drawn_from_their_seed():
    features = gaussian(300, 4, 0)
    one, again, other = (fid_by_size(features, unit(4), [50, 300], seed) for seed in (0, 0, 1))
    assert one == again and one[0] != other[0]
    assert one[1] == pytest.approx(other[1])  # all there are


def test_sizes_reach_from_more_than_the_features_to_all():
    assert sizes_for(600, 32)[0] == 64 and sizes_for(600, 32)[-1] == 600
    assert sizes_for(100, 64)[0] == 50


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def tables(digits):
    """Every experiment on the digits."""
    repeats = {"bias": 15, "modes": 10, "disturbance": 10, "agreement": 25}
    return {name: BY_NAME[name].measure(digits, Evaluation(), n, 0) for name, n in repeats.items()}


def test_real_images_have_a_bias_in_proportion_to_one_over_their_number(tables):
    table = tables["bias"]
    assert (table["fid"] > 0).all()
    intercept, sd, slope = _line(table)
    assert abs(intercept) < 3 * sd / np.sqrt(15)  # infinitely many have none
    gaussian = table["gaussian"] * table["n"]
    assert gaussian.std() < 1e-9 * gaussian.mean()
    assert slope == pytest.approx(gaussian.iloc[0], rel=0.25)  # the features are not quite Gaussian
    fids = {part: group["fid"].mean() for part, group in table.groupby("part")}
    assert fids["published split"] == pytest.approx(fids["new splits"], rel=0.3)
    assert fids["new splits"] == pytest.approx(slope / 600, rel=0.3)


def test_a_published_split_unlike_chance_is_told_from_bias(tables):
    table = tables["bias"]
    assert not any("farther" in words for words in findings_of_bias(table))
    moved = table.assign(fid=table["fid"] + (table["part"] == "published split") * 10)
    assert any(
        "farther from the training set than chance has it, by 10" in w for w in findings_of_bias(moved)
    )


def test_fid_rises_with_every_class_that_is_lost(tables):
    table = tables["modes"]
    means = table.groupby("classes")["fid"].mean()
    assert list(means.index) == list(range(1, 11)) and table["n"].nunique() == 1
    assert means.is_monotonic_decreasing and means[1] > 10 * means[10]
    assert "It falls with every class that is added." in BY_NAME["modes"].findings(table)
    upside_down = table.assign(fid=table["fid"].where(table["classes"] != 4, 100.0))
    assert "It does not fall from 3 to 4 classes." in BY_NAME["modes"].findings(upside_down)


def test_fid_rises_with_noise_and_blur(tables):
    table = tables["disturbance"]
    means = table.groupby(["kind", "level"])["fid"].mean()
    assert means["noise"][0] == means["blur"][0]  # nothing is disturbed at level 0
    for kind in ("noise", "blur"):
        assert means[kind].iloc[2:].is_monotonic_increasing
        assert means[kind].iloc[-1] > 5 * means[kind].iloc[0]
    assert all("nowhere falls" in words for words in BY_NAME["disturbance"].findings(table)[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_every_flaw_grows_with_its_level_and_repeats_exactly(digits, kind):
    images, labels = digits.train[:300], digits.train_labels[:300]
    levels = KINDS[kind].levels(4)
    worse = [
        KINDS[kind].worsen(images, labels, level, torch.Generator().manual_seed(0))
        for level in (*levels, levels[-1])
    ]
    assert all(w.shape == images.shape and w.dtype == torch.uint8 for w in worse)
    assert torch.equal(worse[-1], worse[-2])
    real = statistics(images.flatten(1).double() / 255)
    fids = [frechet(statistics(w.flatten(1).double() / 255), real) for w in worse[:-1]]
    assert fids == sorted(fids) and fids[-1] > 2 * fids[0]


def test_two_extractors_agree_on_stand_ins(tables):
    table = tables["agreement"]
    assert set(table["kind"]) == set(KINDS) and len(table) == 25
    assert set(table["extractor"]) == {"digits"} and set(table["second_extractor"]) == {"pixels"}
    words = " ".join(BY_NAME["agreement"].findings(table))
    rho = table["fid"].corr(table["second_fid"], method="spearman")
    assert rho > 0.7 and f"is {rho:.2f}, 95 %" in words
    with_itself = " ".join(BY_NAME["agreement"].findings(table.assign(second_fid=table["fid"])))
    assert "is 1.00, 95 %" in with_itself and "100% of all pairs" in with_itself
    against = BY_NAME["agreement"].findings(table.assign(second_fid=-table["fid"]))
    assert "is -1.00" in against[1] and "0% of all pairs" in against[1]


def test_stand_ins_of_images_without_labels_lack_no_classes(digits):
    bare = dataclasses.replace(digits, train_labels=None, test_labels=None)
    table = BY_NAME["agreement"].measure(
        bare, Evaluation(extractor="pixels", second_extractor="digits"), 8, 0
    )
    assert set(table["kind"]) == set(KINDS) - {"classes"} and set(table["extractor"]) == {"pixels"}


@pytest.mark.parametrize(
    ("experiment", "dataset", "settings", "message"),
    [
        ("biass", "digits", {}, "unknown experiment 'biass'; did you mean 'bias'"),
        ("modes", "gaussian_1d", {}, "needs a data set with 2 classes or more, but 'gaussian_1d' has 1"),
        ("disturbance", "ring", {}, "disturbance needs a data set of images, but 'ring' has vectors"),
        ("agreement", "ring", {}, "agreement needs a data set of images"),
        ("agreement", "digits", {"extractor": "pixels"}, "two extractors, but both are 'pixels'"),
        ("bias", "digits", {"extractor": "mnist"}, "'mnist' does not fit data set 'digits'"),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(experiment, dataset, settings, message, tmp_path):
    with pytest.raises(UserError, match=message):
        run(experiment, dataset, Evaluation(**settings), 2, tmp_path)


def test_a_run_says_what_it_found_and_keeps_all_numbers(tmp_path, capsys):
    files = run("modes", "ring", Evaluation(), 3, tmp_path)
    assert [file.suffix for file in files] == [".png", ".pdf", ".svg", ".csv"]
    assert all(file.exists() and file.name.startswith("modes-ring-raw.") for file in files)
    table = pd.read_csv(files[-1])
    assert len(table) == 8 * 3 and set(table["dataset"]) == {"ring"}
    assert f"{table.groupby('classes')['fid'].mean()[8]:.3g} with all 8 classes" in capsys.readouterr().out


@pytest.mark.parametrize("name", BY_NAME)
def test_figures_can_be_drawn(tables, name):
    figure = BY_NAME[name].draw(tables[name])
    assert figure.axes and all(ax.lines for ax in figure.axes)
    figure.draw_without_rendering()


def test_pixels_have_the_closed_form_of_a_shift(digits):
    image = dataclasses.replace(digits, test=digits.test.clamp(max=200))
    evaluation = Evaluation(extractor="pixels", n_images=600)
    scorer = Evaluator(build_reference(image, evaluation), evaluation)
    fid = scorer.score(image.test + 51)["fid"]
    assert fid == pytest.approx(64 * 0.2**2, rel=1e-4)


def test_the_second_fid_is_the_fid_of_the_second_extractor(digits, tmp_path):
    two = Evaluation(n_images=600, second_extractor="pixels")
    assert two.metrics == ("fid", "isc", "second_fid")
    made = build_reference(digits, two)
    made.save(tmp_path / "reference.pt")
    reference = Reference.load(tmp_path / "reference.pt", made.metric_id)
    scores = Evaluator(reference, two).score(digits.train[:600])
    one = Evaluation(n_images=600)
    by_first = Evaluator(build_reference(digits, one), one).score(digits.train[:600])
    pixels = dataclasses.replace(one, extractor="pixels")
    by_second = Evaluator(build_reference(digits, pixels), pixels).score(digits.train[:600])
    assert scores == by_first | {"second_fid": by_second["fid"]}
    assert reference.floor["second_fid"] == build_reference(digits, pixels).floor["fid"]
    assert reference.metric_id != build_reference(digits, one).metric_id


def test_a_second_fid_needs_a_second_extractor(digits):
    with pytest.raises(UserError, match="needs a second extractor: set Evaluation\\(second_extractor"):
        check_metrics(Evaluation(metrics=("fid", "second_fid")), digits, conditional=False)
    with pytest.raises(UserError, match="unknown second feature extractor 'pixel'; did you mean 'pixels'"):
        Evaluation(second_extractor="pixel")
    with pytest.raises(UserError, match="'pixels' does not fit"):
        build_reference(data.load("ring"), Evaluation(second_extractor="pixels"))


@pytest.fixture(scope="module")
def random_vgg16(tmp_path_factory):
    """A small file in the shape of VGG-16's weights: every tensor is a view of the same random numbers."""
    numbers = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in torchvision.models.vgg16().state_dict().items()}
    views = {}
    for name, shape in shapes.items():
        strides = (7, 3, 2, 1)[-len(shape) :] if len(shape) == 4 else (13, 1)[-len(shape) :]
        scale = (2 / shape[1:].numel()) ** 0.5 if len(shape) > 1 else 0.0
        views[name] = (scale * numbers).as_strided(shape, strides)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(views, path)
    return path


@pytest.mark.slow
def test_vgg16_gives_the_features_of_a_file_of_weights(digits, random_vgg16, monkeypatch):
    monkeypatch.setenv("GANSWEEP_VGG16_WEIGHTS", str(random_vgg16))
    weights = weights_file("vgg16", None)
    see = features_by("vgg16", weights, "cpu")
    features = see(digits.test[:3])
    assert features.shape == (3, 4096) and features.dtype == torch.float64 and (features >= 0).all()
    assert (features[0] - features[1]).abs().max() > 1e-3
    torch.testing.assert_close(features, see(digits.test[:3].expand(-1, 3, -1, -1)))


def test_missing_vgg16_weights_say_how_to_go_on(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_VGG16_WEIGHTS", str(tmp_path / "nothing.pth"))
    with pytest.raises(UserError, match=r"no file of VGG-16's weights at .*\$GANSWEEP_VGG16_WEIGHTS"):
        build_reference(digits, Evaluation(second_extractor="vgg16"))
    (tmp_path / "nothing.pth").write_bytes(b"noise")
    with pytest.raises(UserError, match="does not hold VGG-16's weights"):
        build_reference(digits, Evaluation(second_extractor="vgg16"))
