"""Which hyperparameters matter: what the best trials have in common, and what explains all their ranks."""

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gansweep.report.statistics.scores import Estimate, Scores, mid_ranks
from gansweep.space import Choice, Distribution, Space

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.importance import BaseImportanceEvaluator
    from optuna.trial import FrozenTrial

Method = Literal["ped_anova", "fanova"]
_Indices = NDArray[np.int64]

_TARGET_SHARE = 0.25  # PED-ANOVA compares the best quarter with all trials
_MIN_IN_TARGET = 5  # below this it compares densities of single trials
_MAX_TRIALS = 120  # of a larger cell a fixed random subset is used
N_TRIAL_RESAMPLES = 12
_N_TREES, _N_TREES_PER_RESAMPLE, _MAX_DEPTH = 24, 6, 6  # a hundred trials must take about a second


def importance(
    configurations: pd.DataFrame, scores: Scores, space: Space, method: Method
) -> dict[str, Estimate] | str:
    """The share of each searched hyperparameter, the largest first, 1 in all; a sentence if data are too few.

    configurations: a line per trial with a column hp_<name> for each distribution of `space`; its constants
    are ignored. scores: [N] in the same order, not sorted. "ped_anova" shows which hyperparameters decide
    whether a trial is among the best quarter, "fanova" which explain the ranks of all trials. Failures are
    ranked last, in a tie: dropping them would hide the hyperparameter that kills. Low and high enclose the
    values of 12 bootstrap resamples and the value itself; they are a range, not a 95 % interval.

    Source: Watanabe, Bansal, Hutter, "PED-ANOVA", 2023, arXiv:2304.10255; Hutter, Hoos, Leyton-Brown, "An
    Efficient Approach for Assessing Hyperparameter Importance", 2014, for fANOVA; both by Optuna.
    Deviations: log-uniform hyperparameters are given as logarithms, which Optuna's fANOVA would otherwise
    integrate as uniform; its forest has 24 trees of depth 6, and 6 trees in each resample.
    """
    searched = {name: values for name, values in space.items() if isinstance(values, Distribution)}
    names = list(searched)
    generator = np.random.default_rng(0)
    chosen_trials = generator.permutation(len(scores))[:_MAX_TRIALS]
    scores = scores[chosen_trials]
    if refusal := _refusal(len(names), scores):
        return refusal
    distributions = {name: _distribution(searched[name]) for name in names}
    columns = [_values(searched[name], configurations[f"hp_{name}"].iloc[chosen_trials]) for name in names]
    parameters = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    good = np.isfinite(scores)

    def shares(chosen: _Indices, trees: int) -> list[float]:
        found = _shares([parameters[i] for i in chosen], scores[chosen], distributions, method, trees)
        return [found[name] for name in names]

    values = shares(np.arange(len(chosen_trials)), _N_TREES)
    resampled = [shares(_resampled(generator, good), _N_TREES_PER_RESAMPLE) for _ in range(N_TRIAL_RESAMPLES)]
    low, high = np.min(resampled, axis=0), np.max(resampled, axis=0)
    lines = zip(names, values, np.minimum(low, values), np.maximum(high, values), strict=True)
    estimates = {name: Estimate(value, float(a), float(b)) for name, value, a, b in lines}
    return dict(sorted(estimates.items(), key=lambda item: -item[1].value))


def _refusal(n_searched: int, scores: Scores) -> str | None:
    fewest, n_good = math.ceil(_MIN_IN_TARGET / _TARGET_SHARE), len(np.unique(scores[np.isfinite(scores)]))
    if n_searched < 2:
        return "No importance: it is shared by two or more searched hyperparameters."
    if len(scores) < fewest:
        return f"No importance: it takes {fewest} finished trials, and there are {len(scores)}."
    if n_good < _MIN_IN_TARGET:
        of = f" of {len(scores)}" if len(scores) == _MAX_TRIALS else ""
        return f"No importance: it takes {_MIN_IN_TARGET} trials that succeed, and {n_good}{of} did."
    return None


def _distribution(values: Distribution) -> "BaseDistribution":
    """Optuna's distribution of what `_values` gives."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution(tuple(range(len(values.options))))
    ends = values.low, values.high
    low, high = np.log10(ends) if values.log else ends
    return FloatDistribution(float(low), float(high))


def _values(values: Distribution, column: pd.Series) -> list[float]:
    """An option's index, a log-uniform float's logarithm, or the float itself."""
    if isinstance(values, Choice):
        return [values.options.index(value) for value in column]
    floats, ends = pd.to_numeric(column).to_numpy(float), np.array([values.low, values.high])
    if values.log:
        floats, ends = np.log10(floats), np.log10(ends)
    return list(floats.clip(*ends).tolist())  # a value at a bound stays inside when its logarithm is rounded


def _resampled(generator: np.random.Generator, good: NDArray[np.bool_]) -> _Indices:
    """As many trials with replacement, successes and failures apart: PED-ANOVA's target needs successes."""
    parts = [np.flatnonzero(good), np.flatnonzero(~good)]
    return np.concatenate([part[generator.integers(0, len(part), len(part))] for part in parts if len(part)])


def _shares(
    parameters: list[dict[str, float]],
    scores: Scores,
    distributions: dict[str, "BaseDistribution"],
    method: Method,
    trees: int,
) -> dict[str, float]:
    """The normalised importances of one set of trials."""
    import optuna

    lines = zip(parameters, mid_ranks(scores), strict=True)
    trials = [_trial(i, values, float(rank), distributions) for i, (values, rank) in enumerate(lines)]
    evaluator = _evaluator(scores, method, trees)
    found = optuna.importance.get_param_importances(
        _study(trials), evaluator=evaluator, params=list(distributions)
    )
    return {name: float(share) for name, share in found.items()}


def _trial(
    number: int, values: dict[str, float], rank: float, distributions: dict[str, "BaseDistribution"]
) -> "FrozenTrial":
    from optuna.trial import FrozenTrial, TrialState

    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.COMPLETE,
        value=rank,
        params=values,
        distributions=distributions,
        datetime_start=None,
        datetime_complete=None,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


def _study(trials: list["FrozenTrial"]) -> "optuna.Study":
    """Returns a study of these trials without copies: `add_trial` would copy each of them deeply."""
    import optuna

    class Given(optuna.Study):
        def get_trials(self, *_: Any, **__: Any) -> list["FrozenTrial"]:
            return trials

    storage = optuna.storages.InMemoryStorage()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "importance")
    return Given("importance", storage)


def _evaluator(scores: Scores, method: Method, trees: int) -> "BaseImportanceEvaluator":
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if method == "fanova":
        return FanovaImportanceEvaluator(n_trees=trees, max_depth=_MAX_DEPTH, seed=0)
    share = float(np.isfinite(scores).sum() - 0.5) / len(scores)  # half a trial less: safe from rounding
    return PedAnovaImportanceEvaluator(target_quantile=min(_TARGET_SHARE, share))
