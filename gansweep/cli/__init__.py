"""The command `gansweep`, and what run_study.py runs. Exit codes are in `run` and in --help."""

import argparse
import sys
from collections.abc import Sequence

import gansweep
from gansweep.cli import objectives, results, studies
from gansweep.errors import UserError

EPILOG = """exit codes: 0 done; 1 finished, but trials crashed or ran out of time, a contract is broken, or
results are worse, unsound or not reproduced; 2 wrong usage, nothing changed; 130 interrupted, the same
command goes on"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. A user's mistake is one sentence on stderr."""
    return _obey(_parser().parse_args(arguments))


def run_study_main(arguments: Sequence[str] | None = None) -> int:
    """What `python run_study.py --study NAME` does: the same as `gansweep run NAME`."""
    parser = argparse.ArgumentParser(prog="run_study.py", description=studies.run.__doc__, epilog=EPILOG)
    parser.add_argument("--study", required=True, help="name of a study, or path of a .py file")
    studies.add_run_options(parser)
    parser.set_defaults(command=studies.run)
    return _obey(parser.parse_args(arguments))


def _obey(options: argparse.Namespace) -> int:
    try:
        return int(options.command(options))
    except (UserError, PermissionError, NotADirectoryError, FileExistsError) as error:
        print(f"gansweep: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gansweep", description=gansweep.__doc__, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"gansweep {gansweep.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (studies, results, objectives):
        module.add(commands)
    return parser
