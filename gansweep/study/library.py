"""Studies by name: the files that hold them, loaded and listed."""

import runpy
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import gansweep
from gansweep.errors import UserError, together, unknown
from gansweep.evaluation import Evaluation, Manifold
from gansweep.results.plan import Confirm, Halving, Replicate
from gansweep.results.row import is_file_name
from gansweep.study.study import Study


def load(name: str) -> tuple[str, str, Study]:
    """The name, the question and the value of a study, given by name or as the path of a .py file.

    Names are searched in ./studies, then in the studies that come with gansweep.

    Raises:
        UserError: there is no such study, or the file does not hold one.
    """
    if name.endswith(".py"):
        file = Path(name)
        if not file.exists():
            raise UserError(f"there is no study file {name!r}")
        if not is_file_name(file.stem):
            raise UserError(
                f"the folder of a study's results is called after its file, whose name may have letters, "
                f"digits and _ @ + - . only, and begin with no dot; but got {file.name!r}"
            )
    else:
        found = _by_name()
        if name not in found:
            raise unknown_name("study", name, found)
        file = found[name]
    values = _executed(file)
    if "STUDY" not in values:
        raise UserError(f"{file} must hold one value STUDY = Study(...), but it has no STUDY")
    study = values["STUDY"]
    if not isinstance(study, Study):
        what = "the class Study itself" if study is Study else f"one of type {type(study).__name__}"
        raise UserError(f"{file} must hold one value STUDY = Study(...), but it has {what}")
    return file.stem, str(values.get("__doc__") or "").strip(), study


def _executed(file: Path) -> dict[str, object]:
    """The names that a file defines, executed as `python file` would: what lies beside it can be imported.

    Raises:
        UserError: it ends with an error, or what it says of a study cannot be; all of that, a sentence each.
    """
    path, modules, folder = sys.path[:], set(sys.modules), file.parent.resolve()
    sys.path.insert(0, str(folder))
    try:
        with together():
            try:
                return runpy.run_path(str(file))
            except (KeyboardInterrupt, UserError):
                raise
            except BaseException as error:  # whatever a user's file may raise, sys.exit() included
                said = f"{type(error).__name__}: {error}{_field_hint(error)}"
                raise UserError(f"not a study: {said}") from None
    except UserError as error:
        raise UserError(*(_sentence(file, sentence) for sentence in error.sentences)) from None
    finally:
        sys.path[:] = path
        for name in sys.modules.keys() - modules:  # another folder may have a module of the same name
            place = getattr(sys.modules[name], "__file__", None)
            if place and Path(place).resolve().is_relative_to(folder):
                del sys.modules[name]


def _sentence(file: Path, sentence: str) -> str:
    return f"{file} is {sentence}" if sentence.startswith("not a study: ") else f"{file}: {sentence}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """`name` is not a `kind`, one of which is a study: say which is nearest, a file beside us before all."""
    file = f"{name}.py"
    if not name.endswith(".py") and Path(file).is_file():
        return UserError(f"unknown {kind} {name!r}; did you mean the file {file!r}?")
    return unknown(kind, name, known)


def _field_hint(error: BaseException) -> str:
    """For an unknown field of Study, Evaluation or Manifold: the nearest one there is."""
    text = str(error)
    if "unexpected keyword argument" not in text:
        return ""
    for kind in (Study, Evaluation, Manifold, Confirm, Replicate, Halving):
        if text.startswith(kind.__name__):
            return f" ({unknown('field', text.split(chr(39))[1], [f.name for f in fields(kind)])})"
    return ""


def available() -> dict[str, str]:
    """The studies by name, with the first line of the question each answers."""
    return {name: _first_line(name) for name in sorted(_by_name())}


def _by_name() -> dict[str, Path]:
    """The files of the studies that come with gansweep, and of those in ./studies, which come first."""
    package = Path(gansweep.__file__).parent
    installed, clone = package / "shipped" / "studies", package.parent / "studies"
    folders = (installed if installed.is_dir() else clone, Path("studies"))
    return {path.stem: path for folder in folders for path in sorted(folder.glob("[!_]*.py"))}


def _first_line(name: str) -> str:
    try:
        return load(name)[1].split("\n")[0]
    except UserError as error:
        return f"cannot be used: {error}"
