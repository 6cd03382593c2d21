"""Options that several commands share, and the folders and trials that they name."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from gansweep.errors import UserError, readable, unknown

SCALES = ("smoke", "small")


class Parser(argparse.ArgumentParser):
    """A parser whose messages, which quote what was typed, cannot act on a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(readable(message))


def command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Returns the parser of a command that runs a function; the docstring of the function is its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=function.__doc__, description=function.__doc__
    )
    parser.set_defaults(command=function)
    return parser


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(os.environ.get("GANSWEEP_RESULTS") or "results"),
        help="folder of all results; default: $GANSWEEP_RESULTS, else ./results",
    )


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is expected, but got {text!r}")
    return int(text)


def share(text: str) -> float:
    """A number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of at least 0 is expected, but got {text!r}")
    return value


def names(text: str) -> tuple[str, ...]:
    """Words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def folder_of(study: str, results: Path) -> Path:
    """Returns the folder of results of a study, given by its name, its file or as a folder.

    Raises:
        UserError: the folder does not exist.
    """
    return find_study(_folder_with_manifest, study, results)


def find_study(find: Callable[[str, Path], Path], study: str, results: Path) -> Path:
    """Returns what a function finds for the name of a study, which may be given as the study's .py file, too.

    Raises:
        UserError: of the function; where there is such a file, that it has no results yet.
    """
    is_named_by_file = study.endswith(".py") and not Path(study).is_dir()
    file = Path(study if is_named_by_file else f"{study}.py")
    try:
        return find(file.stem if is_named_by_file else study, results)
    except UserError:
        if not file.is_file():
            raise
        scaled = [f"{file.stem}-{scale}" for scale in SCALES if (results / f"{file.stem}-{scale}").is_dir()]
        hint = f"; did you mean {' or '.join(map(repr, scaled))}?" if scaled else f": gansweep run {file}"
        raise UserError(f"{file} has no results in {results}{hint}") from None


def _folder_with_manifest(study: str, results: Path) -> Path:
    for folder in (results / study, Path(study)):
        if (folder / "manifest.json").exists():
            return folder
    known = [file.parent.name for file in results.glob("*/manifest.json")]
    raise unknown(f"study in {results}", study, known)


def split_trial(text: str) -> tuple[str, str]:
    """Returns the study and the trial of a text STUDY/TRIAL.

    Raises:
        UserError: the text has another form.
    """
    study, _, trial = text.rpartition("/")
    if not study or not trial:
        raise UserError(f"a trial is named STUDY/TRIAL, as quickstart/digits-ns-0003, but got {text!r}")
    return study, trial


def trial_of(text: str, results: Path) -> tuple[Path, str]:
    """Returns the folder of results and the id of a trial that is given as STUDY/TRIAL.

    Raises:
        UserError: the text has another form, or the study does not exist.
    """
    study, trial = split_trial(text)
    return folder_of(study, results), trial
