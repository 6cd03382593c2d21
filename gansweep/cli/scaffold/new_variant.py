"""Writes a new variant from templates: a file inside a clone of gansweep, or a small package of its own."""

import shlex
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from string import Template

from gansweep.cli.scaffold.naming import class_name_of, read, require_new
from gansweep.errors import UserError
from gansweep.files import require_writable, write_atomically
from gansweep.variants import VARIANTS
from gansweep.variants.published import HUES, MARKERS, Published

CLONE = {"gansweep/variants/$name.py": "variant.py", "tests/variants/test_$name.py": "test.py"}
PACKAGE = {
    "gansweep-$name/gansweep_$name.py": "variant.py",
    "gansweep-$name/tests/test_$name.py": "test.py",
    "gansweep-$name/tests/test_${name}_contracts.py": "test_contracts.py",
    "gansweep-$name/pyproject.toml": "pyproject.toml",
    "gansweep-$name/README.md": "README.md",
}
"""Paths of the new files, and the templates they are made from. A folder named as the module would hide the
module, installed in place, from a Python that runs beside it, which imports the folder as a package."""


def write_new_variant(name: str, into: Path) -> list[str]:
    """Write a working variant to be edited. Returns what was written and the next steps, as lines.

    into: a clone of gansweep, or any other folder, which then gets a project `gansweep-<name>`.

    Raises:
        UserError: the name is not an identifier in lower case, or is taken; a file exists already or cannot
            be written.
    """
    require_new(name)
    in_clone = (into / "gansweep" / "variants" / "__init__.py").exists()
    values = _values(name)
    texts = {
        into / Template(file).substitute(values): Template(read(template)).substitute(values)
        for file, template in (CLONE if in_clone else PACKAGE).items()
    }
    for file in texts:
        if file.exists():
            raise UserError(f"{file} exists already and is not overwritten: choose another name")
    require_writable(into)
    for file, text in texts.items():
        write_atomically(file, text)
    steps = Template(read("clone_steps" if in_clone else "package_steps"))
    place = shlex.quote(str(into))
    said = steps.substitute(values, into=place, there="" if into == Path() else f"cd {place} && ")
    return [*(f"wrote {file}" for file in texts), "", *said.splitlines()]


def free_look(variants: Mapping[str, Published] = VARIANTS) -> tuple[str, str]:
    """Returns a pair of hue and marker that no variant has: the first free marker of the least used hue.

    Raises:
        UserError: all pairs are taken.
    """
    taken = {(published.hue, published.marker) for published in variants.values()}
    used = Counter(hue for hue, _ in taken)
    free = [look for look in product(HUES, MARKERS) if look not in taken]
    if not free:
        raise UserError(f"all {len(taken)} pairs of a hue and a marker are taken: remove a variant first")
    return min(free, key=lambda look: used[look[0]])


def _values(name: str) -> dict[str, str]:
    hue, marker = free_look()
    words = name.split("_")
    return {
        "name": name,
        "class_name": class_name_of(name),
        "label": " ".join(word.upper() if word.endswith("gan") else word.capitalize() for word in words),
        "hue": hue,
        "marker": marker,
    }
