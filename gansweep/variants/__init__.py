"""The variants: published objectives, each a value, with its search spaces and its published default.

`VARIANTS` maps names to them: those of `table`, then those that other installed packages offer (`plugins`).
"""

from gansweep.variants.plugins import offered
from gansweep.variants.published import NARROW, WIDE, Published
from gansweep.variants.table import TABLE

__all__ = ["NARROW", "VARIANTS", "WIDE", "Published"]

VARIANTS: dict[str, Published]


def __getattr__(name: str) -> object:
    """Make `VARIANTS` when it is first asked for.

    Not before: a package that offers a variant imports this one, and if it was imported first, its own module
    is not complete until this one is.
    """
    if name != "VARIANTS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["VARIANTS"] = variants = TABLE | offered(TABLE)
    return variants
