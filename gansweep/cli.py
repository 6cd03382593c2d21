"""The command `gansweep`, and what run_study.py runs. Exit codes are in `run` and in --help."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gansweep
from gansweep.errors import UserError, unknown

if TYPE_CHECKING:  # a command imports what it needs: `gansweep status` needs no torch
    from gansweep.run import Options
    from gansweep.study import Study

EPILOG = """exit codes: 0 done; 1 finished, but trials crashed or ran out of time, or a contract is broken;
2 wrong usage, nothing changed; 130 interrupted, the same command goes on"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. A user's mistake is one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (UserError, PermissionError, NotADirectoryError, FileExistsError) as error:
        print(f"gansweep: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return 130


def run_study_main(arguments: Sequence[str] | None = None) -> int:
    """What `python run_study.py --study NAME` does: the same as `gansweep run NAME`."""
    parser = argparse.ArgumentParser(prog="run_study.py", description=_run.__doc__, epilog=EPILOG)
    parser.add_argument("--study", required=True, help="name of a study, or path of a .py file")
    _add_run_options(parser)
    given = vars(parser.parse_args(arguments))
    name = given.pop("study")
    flags = [
        f"--{key.replace('_', '-')}={value}" for key, value in given.items() if not isinstance(value, bool)
    ]
    flags = [flag for flag in flags if not flag.endswith("=None")]
    switches = [f"--{key.replace('_', '-')}" for key, value in given.items() if value is True]
    return main(["run", name, *flags, *switches])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gansweep", description=gansweep.__doc__, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"gansweep {gansweep.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, study_help in (
        ("run", _run, "name of a study, or path of a .py file"),
        ("plan", _plan, "name of a study, or path of a .py file"),
        ("report", _report, "name of a study that has run"),
        ("status", _status, "name of a study that is running or has run"),
    ):
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.add_argument("study", help=study_help)
        command.set_defaults(command=function)
        if name in ("run", "plan"):
            _add_run_options(command, dry_run=name == "run")
        else:
            _add_results_option(command)
    command = commands.add_parser("list", help=_list.__doc__, description=_list.__doc__)
    command.add_argument(
        "kind", nargs="?", default="studies", help="studies, variants, datasets, architectures or extractors"
    )
    command.set_defaults(command=_list)
    command = commands.add_parser("check", help=_check.__doc__, description=_check.__doc__)
    command.add_argument("names", nargs="*", metavar="NAME", help="variants; default: all")
    command.set_defaults(command=_check)
    command = commands.add_parser("new-variant", help=_new_variant.__doc__, description=_new_variant.__doc__)
    command.add_argument("name", help="a Python identifier in lower case, like my_gan")
    command.add_argument("--into", type=Path, default=Path(), help="a clone of gansweep, or any other folder")
    command.set_defaults(command=_new_variant)
    command = commands.add_parser("demo", help=_demo.__doc__, description=_demo.__doc__)
    command.add_argument("target", nargs="?", default="mixture", help="mixture or gaussian")
    command.add_argument("--variant", default="ns", help="a variant whose D gives scores")
    command.add_argument("--steps", type=_positive, default=1500, help="updates of D")
    command.add_argument("--out", type=Path, default=Path("demo"), help="folder of the pictures")
    command.set_defaults(command=_demo)
    return parser


def _add_results_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")


def _add_run_options(parser: argparse.ArgumentParser, dry_run: bool = True) -> None:
    _add_results_option(parser)
    parser.add_argument("--smoke", action="store_true", help="the same study at a scale of minutes")
    if dry_run:
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would be done: gansweep plan"
        )
    parser.add_argument("--storage", help="URL of a database for the search; default: a file in the results")
    parser.add_argument("--pack-size", type=_positive, help="most trials trained as one program")
    parser.add_argument("--gpus-per-pack", type=float, help="GPUs of a pack, as 1 or 0.5; 0 trains on CPUs")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is expected, but got {text!r}")
    return int(text)


def _load(options: argparse.Namespace) -> "tuple[str, str, Study]":
    """The name, question and study that the options ask for."""
    from gansweep import study as studies

    name, question, study = studies.load(options.study)
    return (f"{name}-smoke", question, study.at_smoke_scale()) if options.smoke else (name, question, study)


def _run(options: argparse.Namespace) -> int:
    """Run a study, or go on with it, and write its report."""
    if options.dry_run:
        return _plan(options)
    from gansweep.run import run_study

    return run_study(*_load(options), _options(options))


def _plan(options: argparse.Namespace) -> int:
    """Say what a study would do, how long and how large; trains nothing but a short calibration."""
    from gansweep.plan import plan

    print(plan(*_load(options), _options(options)))
    return 0


def _options(options: argparse.Namespace) -> "Options":
    from gansweep.run import Options

    return Options(
        results=options.results,
        storage=options.storage,
        pack_size=options.pack_size,
        gpus_per_pack=options.gpus_per_pack,
    )


def _report(options: argparse.Namespace) -> int:
    """Write the report of a study from its rows, finished or not."""
    from gansweep.report import write_report
    from gansweep.results import read_manifest, write_tables

    folder = _folder(options)
    write_tables(folder, read_manifest(folder)["collapse_above"])
    print(write_report(folder))
    return 0


def _status(options: argparse.Namespace) -> int:
    """Say how far a study has come, from its rows; it may be running elsewhere."""
    from gansweep.progress import Progress
    from gansweep.results import read_manifest, read_rows

    folder = _folder(options)
    manifest = read_manifest(folder)
    labels = {name: variant["label"] for name, variant in manifest["variants"].items()}
    cells = {"datasets": list(manifest["datasets"]), "variants": list(labels)}
    progress = Progress(cells | manifest["budget"], labels)
    for row in read_rows(folder):
        progress.note(row, earlier=True)
    print("\n".join([*progress.table()[:-1], f"{progress.count()} trials"]))
    return 0


def _folder(options: argparse.Namespace) -> Path:
    """The results of a study.

    Raises:
        UserError: there are none.
    """
    results: Path = options.results
    if not (results / options.study / "manifest.json").exists():
        known = [file.parent.name for file in results.glob("*/manifest.json")]
        raise unknown(f"study in {results}", options.study, known)
    return results / options.study


def _list(options: argparse.Namespace) -> int:
    """List the studies, variants, data sets, architectures or extractors there are."""
    from gansweep import catalogue

    kinds = {
        "studies": catalogue.studies,
        "variants": catalogue.variants,
        "datasets": catalogue.datasets,
        "architectures": catalogue.architectures,
        "extractors": catalogue.extractors,
    }
    if options.kind not in kinds:
        raise unknown("list", options.kind, kinds)
    print("\n".join(kinds[options.kind]()))
    return 0


def _check(options: argparse.Namespace) -> int:
    """Check that variants keep their contracts: a sentence for each that is broken, and exit code 1."""
    import torch

    from gansweep.contracts.verdicts import verdicts
    from gansweep.variants import VARIANTS

    for name in options.names:
        if name not in VARIANTS:
            raise unknown("variant", name, VARIANTS)
    torch.set_num_threads(1)  # as a worker has it
    is_broken = False
    for line, tells_of_broken in verdicts({name: VARIANTS[name] for name in options.names or VARIANTS}):
        print(line, flush=True)
        is_broken |= tells_of_broken
    return int(is_broken)


def _new_variant(options: argparse.Namespace) -> int:
    """Write a new variant to be edited: a file of a clone of gansweep, or a package of its own."""
    from gansweep.scaffold import new_variant

    print(new_variant(options.name, options.into), end="")
    return 0


def _demo(options: argparse.Namespace) -> int:
    """Train a variant on data of one dimension and draw its D beside the best D there could be."""
    import torch

    from gansweep import demo
    from gansweep.files import require_writable

    require_writable(options.out)
    torch.set_num_threads(1)
    course = demo.follow(options.variant, options.target, options.steps)
    for path in demo.write_pictures(course, options.out):
        print(path)
    print("\n".join(demo.lesson(course)))
    return 0
