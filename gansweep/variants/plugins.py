"""Variants of other packages: the entry points of the group `gansweep.variants`, name -> a `Published`.

A package offers one in its pyproject.toml:

    [project.entry-points."gansweep.variants"]
    my_gan = "my_package.my_gan:PUBLISHED"
"""

import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from gansweep.variants.published import Published

GROUP = "gansweep.variants"


def offered(known: Mapping[str, Published]) -> dict[str, Published]:
    """The variants of all installed packages, by name, without those in `known`.

    One that cannot be loaded, that is no `Published` or whose name is taken is left out with one warning: no
    package may keep the others from working.
    """
    found: dict[str, Published] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, _package(point))):
        problem = "the name is taken" if point.name in known or point.name in found else ""
        if not problem:
            loaded, problem = _load(point)
            if isinstance(loaded, Published):
                found[point.name] = loaded
        if problem:
            warnings.warn(
                f"variant {point.name!r} of package {_package(point)!r} is left out: {problem}", stacklevel=2
            )
    return found


def _load(point: EntryPoint) -> tuple[object, str]:
    """What an entry point refers to, and what is wrong with it."""
    try:
        loaded = point.load()
    except Exception as error:  # whatever another package does when it is imported
        return None, f"{type(error).__name__}: {error}"
    if not isinstance(loaded, Published):
        return loaded, f"{point.value} is of type {type(loaded).__name__}, not Published"
    return loaded, ""


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "?"
