"""Demonstrations: what a discriminator learns, and how far the FID can be trusted.

What they are asked for by name stands here, without torch, so that a wrong name is said at once.
"""

from collections.abc import Iterable

from gansweep.errors import unknown
from gansweep.study.known import facts_of, known

TARGETS = {"gaussian": "gaussian_1d", "mixture": "mixture_1d"}  # of `demo`: names of data sets
EXPERIMENTS = ("bias", "modes", "disturbance", "agreement")  # of `robustness`


def require_demo(variant: str, target: str) -> None:
    """Raises:
    UserError: there is no such variant or target.
    """
    facts_of(variant)
    _require("target of the demonstration", target, TARGETS)


def require_experiment(experiment: str, dataset: str) -> None:
    """Raises:
    UserError: there is no such experiment or data set.
    """
    _require("experiment", experiment, EXPERIMENTS)
    if not dataset.startswith("folder:"):
        _require("data set", dataset, known().datasets)


def _require(what: str, name: str, known_names: Iterable[str]) -> None:
    if name not in known_names:
        raise unknown(what, name, known_names)
