"""Writes a new variant from templates: a file inside a clone of gansweep, or a small package of its own."""

import keyword
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from string import Template

from gansweep.errors import UserError
from gansweep.files import require_writable, write_atomically
from gansweep.variants import VARIANTS
from gansweep.variants.published import HUES, MARKERS, Published

TEMPLATES = Path(__file__).with_name("templates")
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


def new_variant(name: str, into: Path) -> list[str]:
    """Write a working variant to be edited. Returns what was written and the next steps, as lines.

    into: a clone of gansweep, or any other folder, which then gets a project `gansweep-<name>`.

    Raises:
        UserError: the name is not an identifier in lower case, or is taken; a file exists already or cannot
            be written.
    """
    _check(name)
    in_clone = (into / "gansweep" / "variants" / "__init__.py").exists()
    values = _values(name)
    texts = {
        into / Template(file).substitute(values): Template(_read(template)).substitute(values)
        for file, template in (CLONE if in_clone else PACKAGE).items()
    }
    for file in texts:
        if file.exists():
            raise UserError(f"{file} exists already and is not overwritten: choose another name")
    require_writable(into)
    for file, text in texts.items():
        write_atomically(file, text)
    steps = Template(_read("clone_steps" if in_clone else "package_steps"))
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


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"a name must be a Python identifier in lower case, like my_gan, but is {name!r}")
    imports = re.findall(r"^from \S+ import (.*)$", _read("variant.py"), re.MULTILINE)
    class_name = _class_name(name)
    if keyword.iskeyword(class_name) or class_name in re.findall(r"\w+", " ".join(imports)):
        raise UserError(
            f"a variant cannot be named {name!r}: the name of its class, {class_name}, has another use"
        )
    if name in VARIANTS:
        raise UserError(f"variant {name!r} exists already ({VARIANTS[name].label}): choose another name")


def _read(template: str) -> str:
    return (TEMPLATES / f"{template}.txt").read_text()


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _values(name: str) -> dict[str, str]:
    hue, marker = free_look()
    words = name.split("_")
    return {
        "name": name,
        "class_name": _class_name(name),
        "label": " ".join(word.upper() if word.endswith("gan") else word.capitalize() for word in words),
        "hue": hue,
        "marker": marker,
    }
