"""The variants: published objectives as values, with their search spaces and published defaults.

`VARIANTS` maps names to variants: those of `table`, then those of other installed packages (`plugins`).
"""

from gansweep.variants.plugins import offered
from gansweep.variants.published import NARROW, WIDE, Published
from gansweep.variants.table import TABLE

__all__ = ["NARROW", "VARIANTS", "WIDE", "Published"]

VARIANTS: dict[str, Published]


def __getattr__(name: str) -> object:
    """Build `VARIANTS` on first access.

    Building it at import would fail: a package that offers a variant imports this package, so that the module
    of the other package may still be incomplete.
    """
    if name != "VARIANTS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["VARIANTS"] = variants = TABLE | offered(TABLE)
    return variants
