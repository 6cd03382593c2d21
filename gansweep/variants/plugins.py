"""Variants of other packages: entry points of the group `gansweep.variants`, name -> `Published`.

A package offers a variant in its pyproject.toml:

    [project.entry-points."gansweep.variants"]
    my_gan = "my_package.my_gan:PUBLISHED"
"""

import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from gansweep.errors import one_line
from gansweep.variants.published import Published

GROUP = "gansweep.variants"


def offered(known: Mapping[str, Published]) -> dict[str, Published]:
    """Returns the variants of all installed packages by name, without those in `known`.

    A variant that cannot be loaded, is not a `Published` or has a taken name is left out with one warning, so
    that no package can break the others.
    """
    found: dict[str, Published] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, _package(point))):
        problem = "the name is taken" if point.name in known or point.name in found else ""
        if not problem:
            loaded, problem = _load(point)
            if isinstance(loaded, Published):
                found[point.name] = loaded
        if problem:
            said = f"variant {point.name!r} of package {_package(point)!r} is left out: {problem}"
            warnings.warn(one_line(said), stacklevel=2)
    return found


def _load(point: EntryPoint) -> tuple[object, str]:
    """Returns the object of an entry point, and what is wrong with it ("" if nothing is)."""
    try:
        loaded = point.load()
    except BaseException as error:  # another package may raise anything at import, sys.exit() included
        return None, f"{type(error).__name__}: {error}"
    if not isinstance(loaded, Published):
        return loaded, f"{point.value} is of type {type(loaded).__name__}, not Published"
    return loaded, ""


def _package(point: EntryPoint) -> str:
    return str(point.dist.name) if point.dist else "?"
