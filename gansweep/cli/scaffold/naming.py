"""How a new variant may be named, and the templates of it. No torch, so a mistake is said at once."""

import keyword
import re
from pathlib import Path

from gansweep.errors import UserError
from gansweep.study.known import listed_variants

TEMPLATES = Path(__file__).with_name("templates")


def require_new(name: str) -> None:
    """Raises:
    UserError: the name is not an identifier in lower case, or is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"a name must be a Python identifier in lower case, like my_gan, but is {name!r}")
    imports = re.findall(r"^from \S+ import (.*)$", read("variant.py"), re.MULTILINE)
    class_name = class_name_of(name)
    if keyword.iskeyword(class_name) or class_name in re.findall(r"\w+", " ".join(imports)):
        raise UserError(
            f"a variant cannot be named {name!r}: the name of its class, {class_name}, has another use"
        )
    if taken := listed_variants().get(name):
        raise UserError(f"variant {name!r} exists already ({taken.label}): choose another name")


def read(template: str) -> str:
    """Returns the text of a template."""
    return (TEMPLATES / f"{template}.txt").read_text()


def class_name_of(name: str) -> str:
    """Returns the name of a variant's class: MyGan of my_gan."""
    return "".join(word.capitalize() for word in name.split("_"))
