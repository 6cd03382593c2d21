"""What is compared: a study, how it is resolved, and where studies are found."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # without torch until a study is used
    from gansweep.results.plan import Confirm, Halving, Replicate
    from gansweep.study.study import Study

__all__ = ["Confirm", "Halving", "Replicate", "Study"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gansweep.study' has no attribute {name!r}")
    from gansweep.results import plan
    from gansweep.study import study

    return next(getattr(module, name) for module in (study, plan) if hasattr(module, name))
