"""Optuna's samplers by name, and its suggestions for our distributions."""

import warnings
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import Trial

from gansweep.space import Choice, Distribution, Scalar, Uniform

optuna.logging.set_verbosity(optuna.logging.ERROR)


def make_sampler(name: str, seed: int) -> BaseSampler:
    """An Optuna sampler by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "random":
            return SeededSampler(seed=seed)
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        if name == "qmc":
            return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
        if name == "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        return optuna.samplers.GPSampler(seed=seed)


class SeededSampler(RandomSampler):
    """Optuna's random sampler, of which each value can be drawn from a seed of its own."""

    def seed(self, seed: int) -> None:
        """Begin anew, as a sampler that is made with this seed; that would take ten times as long."""
        self._rng.rng.seed(seed)


def suggest(trial: Trial, name: str, values: Distribution | Scalar) -> Scalar:
    """The sampler's value for one hyperparameter of a trial; a constant is itself."""
    if isinstance(values, Choice):
        chosen: Any = trial.suggest_categorical(name, values.options)
        option: Scalar = chosen
        return option
    if isinstance(values, Uniform):
        return float(trial.suggest_float(name, values.low, values.high, log=values.log))
    return values
