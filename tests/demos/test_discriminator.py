"""The demonstration: what it draws is what was trained, and the best discriminator is the best one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gansweep import cli
from gansweep.demos.discriminator import explanation, record_training, write_pictures
from gansweep.demos.discriminator.drawing import _early, plot_snapshot
from gansweep.demos.discriminator.optimum import (
    _POTENTIAL,
    _RATIO,
    _SIDE,
    fitted,
    optimal_score_of,
    optimum_of,
    probability,
)
from gansweep.demos.discriminator.training import Training
from gansweep.errors import UserError
from gansweep.theory import Gaussian, wasserstein_1
from gansweep.variants import VARIANTS

X = np.linspace(-8, 9, 3401)
DX = float(X[1] - X[0])
P, Q = (np.exp(Gaussian(mean, 1.0).log_density(X)) for mean in (0.0, 1.0))


@pytest.fixture(scope="module")
def training() -> Training:
    torch.set_num_threads(1)
    return record_training("ns", "gaussian", steps=60, n_snapshots=4)


def test_the_densities_are_densities(training):
    dx = training.x[1] - training.x[0]
    assert training.p.sum() * dx == pytest.approx(1, abs=2e-3)
    assert [snapshot.step for snapshot in training.snapshots] == [0, 20, 40, 60]
    assert training.snapshots[0].q.sum() * dx == pytest.approx(1, abs=0.02)
    for snapshot in training.snapshots:
        ratio = training.p / (training.p + snapshot.q)
        seen = np.isfinite(snapshot.optimum)
        np.testing.assert_allclose(snapshot.optimum[seen], ratio[seen])
        assert 0 <= snapshot.jsd <= np.log(2) and 0 <= snapshot.gap <= 1


def test_training_moves_the_samples(training):
    first, last = training.snapshots[0], training.snapshots[-1]
    assert np.abs(first.q - last.q).max() > 0.05
    assert not np.allclose(first.discriminator, last.discriminator, equal_nan=True)


@pytest.mark.parametrize(
    "name", ["ns", "mm", "lsgan", "fgan_kl", "fgan_pearson", "fgan_jeffreys", "fgan_alpha"]
)
def test_an_optimal_score_reads_as_p_over_p_plus_q(name):
    reading = optimal_score_of(VARIANTS[name].variant)
    r = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(probability(reading, reading(r)), 1 / (1 + np.exp(-r)), atol=2e-4)


def test_scores_without_a_scale_are_fitted():
    weight = P + Q
    optimum = _RATIO.values(P, Q, DX)
    np.testing.assert_allclose(fitted(3 * optimum - 7, optimum, weight), optimum, atol=1e-9)
    assert np.ptp(fitted(-optimum, optimum, weight)) < 1e-9  # a D that is upside down is not turned round


def test_the_best_discriminators():
    assert optimum_of(VARIANTS["wgan_gp"].variant) is _POTENTIAL
    assert optimum_of(VARIANTS["hinge"].variant) is _SIDE and optimum_of(VARIANTS["fgan_tv"].variant) is _SIDE
    assert (
        optimum_of(VARIANTS["fgan_kl"].variant) is _RATIO and optimum_of(VARIANTS["rsgan"].variant) is _RATIO
    )
    np.testing.assert_array_equal(_SIDE.values(P, Q, DX), X < 0.5)


def test_the_potential_attains_the_wasserstein_distance():
    potential = _POTENTIAL.values(P, Q, DX)
    inside = np.abs(X) < 5
    slope = np.abs(np.diff(potential[inside])).max() / DX  # 1, before it was scaled to [0, 1]
    attained = float(((P - Q) * potential).sum() * DX) / slope
    assert attained == pytest.approx(wasserstein_1(Gaussian(0.0, 1.0), Gaussian(1.0, 1.0)), rel=1e-2)


def test_the_pictures_show_every_moment(training, tmp_path):
    png, gif = write_pictures(training, tmp_path)
    with Image.open(gif) as animation:
        assert animation.n_frames == 4
        frames = []
        for i in range(4):
            animation.seek(i)
            frames.append(np.asarray(animation.convert("L"), float))
    assert np.abs(frames[0] - frames[3]).max() > 50 and frames[0].std() > 5
    assert np.asarray(Image.open(png).convert("L"), float).std() > 5
    ax = plot_snapshot(training, training.snapshots[-1])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), training.snapshots[-1].discriminator)


def test_panels_are_denser_at_the_start():
    for n in (1, 3, 8, 41):
        chosen = _early(n, 8)
        assert chosen[0] == 0 and chosen[-1] == n - 1 and len(chosen) == min(n, 8)
        assert chosen == sorted(set(chosen))


def test_the_lesson_is_computed(training):
    sentences = explanation(training)
    assert len(sentences) == 5 and all(text.endswith(".") for text in sentences)
    assert f"{training.snapshots[-1].jsd:.3f}" in sentences[2]
    equal = replace(
        training, snapshots=[*training.snapshots[:-1], replace(training.snapshots[-1], q=training.p)]
    )
    assert "are hardly distinguishable" in explanation(equal)[-1]
    assert "diverged" in explanation(replace(training, has_diverged=True))[-1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("began", "role 'autoencoder'"),
        ("vae", "does not exist"),
        ("acgan", "role 'auxiliary'"),
        ("nss", "did you mean 'ns'"),
    ],
)
def test_a_variant_without_a_score_is_a_users_mistake(name, expected):
    with pytest.raises(UserError, match=expected):
        record_training(name, "gaussian", steps=1)


def test_an_unknown_target_is_a_users_mistake():
    with pytest.raises(UserError, match="did you mean 'gaussian'"):
        record_training("ns", "gausian", steps=1)


@pytest.mark.slow
def test_the_command_writes_pictures(tmp_path, capsys):
    out = ["--steps", "5", "--out", str(tmp_path)]
    assert cli.main(["demo", "gaussian", "--variant", "wgan_gp", *out]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "wgan_gp-on-a-line.gif").is_file() and "wgan_gp-on-a-line.png" in printed
    assert "no scale of its own" in printed
