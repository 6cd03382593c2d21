"""Importance of hyperparameters where the truth is known."""

import math

import numpy as np
import pandas as pd
import pytest

from gansweep.report.statistics import importance
from gansweep.space import choice, loguniform, uniform

INF = math.inf
SPACE = {
    "lr": loguniform(1e-5, 1e-2),
    "beta1": uniform(0.0, 1.0),
    "n_critic": choice(1, 5),
    "d_norm": choice("none", "batch"),
    "bias": choice(True, False),
    "z_dim": 64,
}
SEARCHED = {"lr", "beta1", "n_critic", "d_norm", "bias"}


def cell(n: int, seed: int = 0) -> pd.DataFrame:
    """Random configurations of n trials."""
    generator = np.random.default_rng(seed)
    columns = {
        "hp_lr": 10 ** generator.uniform(-5, -2, n),
        "hp_beta1": generator.uniform(0, 1, n),
        "hp_n_critic": generator.choice([1, 5], n),
        "hp_d_norm": np.where(generator.random(n) < 0.5, "none", "batch"),
        "hp_bias": generator.random(n) < 0.5,
    }
    return pd.DataFrame(columns)


def noise(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n)


@pytest.mark.parametrize("method", ["ped_anova", "fanova"])
def test_what_decides_the_score_has_the_largest_share(method):
    trials = cell(60)
    scores = np.exp(np.abs(np.log10(trials["hp_lr"].to_numpy()) + 3.5) + noise(60))
    found = importance(trials, scores, SPACE, method)
    assert set(found) == SEARCHED and next(iter(found)) == "lr"
    assert found["lr"].value > 0.8
    assert sum(share.value for share in found.values()) == pytest.approx(1)
    assert all(share.low <= share.value <= share.high for share in found.values())
    assert found["lr"].low > max(share.high for name, share in found.items() if name != "lr")


def test_a_choice_counts_like_a_number():
    trials = cell(60)
    scores = np.exp(trials["hp_n_critic"].to_numpy() / 5 + noise(60))
    assert next(iter(importance(trials, scores, SPACE, "ped_anova"))) == "n_critic"


def test_the_hyperparameter_that_kills_counts():
    """lr decides who survives; among survivors only beta1 matters, so without failures lr would not show."""
    trials = cell(100)
    scores = np.exp(trials["hp_beta1"].to_numpy() + noise(100))
    killed = trials["hp_lr"].to_numpy() > 10**-3.5
    found = importance(trials, np.where(killed, INF, scores), SPACE, "ped_anova")
    without = importance(trials[~killed], scores[~killed], SPACE, "ped_anova")
    assert found["lr"].value > 0.3 > without["lr"].value


def test_a_logarithmic_hyperparameter_is_not_integrated_as_uniform():
    """Harmful below 1e-4 only, which is a third of the decades and a hundredth of the values."""
    trials = cell(100)
    scores = np.exp(
        2.0 * (trials["hp_lr"].to_numpy() < 1e-4) + trials["hp_beta1"].to_numpy() / 2 + noise(100)
    )
    assert importance(trials, scores, SPACE, "fanova")["lr"].value > 0.6


def test_the_best_trials_may_be_fewer_than_a_quarter():
    """With six successes in sixty trials the question is what those six have in common."""
    trials = cell(60)
    best = np.argsort(trials["hp_lr"].to_numpy())[:6]
    scores = np.full(60, INF)
    scores[best] = np.arange(10.0, 16.0)
    assert next(iter(importance(trials, scores, SPACE, "ped_anova"))) == "lr"


def test_shares_repeat_exactly():
    trials, scores = cell(30), np.exp(noise(30))
    assert importance(trials, scores, SPACE, "ped_anova") == importance(trials, scores, SPACE, "ped_anova")


def test_too_few_trials_or_hyperparameters_are_refused_in_words():
    trials, scores = cell(30), np.exp(noise(30))
    assert "20 finished trials, and there are 19" in importance(trials[:19], scores[:19], SPACE, "ped_anova")
    failing = np.where(np.arange(30) < 4, scores, INF)
    assert "5 trials that succeed, and 4 did" in importance(trials, failing, SPACE, "fanova")
    large = np.where(np.arange(900) < 6, 1.0 + np.arange(900), INF)
    assert "of 120 did" in importance(cell(900), large, SPACE, "ped_anova")
    assert "two or more" in importance(trials, scores, {"lr": SPACE["lr"], "z_dim": 64}, "fanova")
