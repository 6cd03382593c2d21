"""Studies by name: the files that hold them, loaded and listed."""

import runpy
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import gansweep
from gansweep.errors import UserError, unknown
from gansweep.evaluation import Evaluation, Manifold
from gansweep.results.plan import Confirm, Replicate
from gansweep.results.row import is_file_name
from gansweep.study.study import Study


def load(name: str) -> tuple[str, str, Study]:
    """The name, the question and the value of a study, given by name or as the path of a .py file.

    Names are searched in ./studies, then in the studies that come with gansweep.

    Raises:
        UserError: there is no such study, or the file does not hold one.
    """
    folders = [Path("studies"), Path(gansweep.__file__).parent.parent / "studies"]
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
        found = {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob("[!_]*.py"))}
        if name not in found:
            raise unknown_name("study", name, found)
        file = found[name]
    try:
        values = runpy.run_path(str(file))
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's file may raise, sys.exit() included
        raise UserError(
            f"{file} is not a study: {type(error).__name__}: {error}{_field_hint(error)}"
        ) from None
    study = values.get("STUDY")
    if not isinstance(study, Study):
        raise UserError(f"{file} must hold one value STUDY = Study(...), but it has {type(study).__name__}")
    return file.stem, str(values.get("__doc__") or "").strip(), study


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
    for kind in (Study, Evaluation, Manifold, Confirm, Replicate):
        if text.startswith(kind.__name__):
            return f" ({unknown('field', text.split(chr(39))[1], [f.name for f in fields(kind)])})"
    return ""


def available() -> dict[str, str]:
    """The studies by name, with the first line of the question each answers."""
    folders = [Path(gansweep.__file__).parent.parent / "studies", Path("studies")]
    names = sorted({path.stem for folder in folders for path in folder.glob("[!_]*.py")})
    return {name: _first_line(name) for name in names}


def _first_line(name: str) -> str:
    try:
        return load(name)[1].split("\n")[0]
    except UserError as error:
        return f"cannot be used: {error}"
