"""gansweep: fair, large comparisons of GAN objectives.

Public is what this package and the `__init__` of its packages name; `load` imports neither torch nor Ray,
and the fields of a study are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.errors import UserError
    from gansweep.evaluation import Evaluation, Manifold
    from gansweep.report.load import Results, load
    from gansweep.results.plan import Confirm, Halving, Replicate
    from gansweep.space import choice, loguniform, uniform
    from gansweep.study import Study

__version__ = "0.1.0"
__all__ = [
    "Confirm",
    "Evaluation",
    "Halving",
    "Manifold",
    "Replicate",
    "Results",
    "Study",
    "UserError",
    "choice",
    "load",
    "loguniform",
    "uniform",
]
_HOMES = {
    "gansweep.errors": ("UserError",),
    "gansweep.evaluation": ("Evaluation", "Manifold"),
    "gansweep.report.load": ("Results", "load"),
    "gansweep.results.plan": ("Confirm", "Halving", "Replicate"),
    "gansweep.space": ("choice", "loguniform", "uniform"),
    "gansweep.study": ("Study",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'gansweep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
