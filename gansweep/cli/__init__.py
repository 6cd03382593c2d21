"""The command `gansweep`, and what run_study.py runs. Exit codes are in `run` and in --help."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence

import gansweep
from gansweep.cli import fetch, home, results, studies, variants, watching
from gansweep.cli.options import Parser
from gansweep.errors import Stopped, UserError, complain, say
from gansweep.run import signals

STORAGE_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
)
CACHING = (
    studies.run,
    studies.plan,
    results.reproduce,
    results.sample,
    variants.robustness,
    fetch.fetch,
)
EPILOG = """exit codes: 0 done; 1 finished, but trials crashed or ran out of time, a contract is broken, or
results are worse, unsound or not reproduced; 2 wrong usage, nothing changed; 3 stopped from outside (disk
full, storage or cluster unavailable) or 130 interrupted: run the same command to resume"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. A user's mistake is one sentence on stderr."""
    return _run(_parser().parse_args(arguments))


def run_study_main(arguments: Sequence[str] | None = None) -> int:
    """What `python run_study.py --study NAME` does: the same as `gansweep run NAME`."""
    parser = Parser(prog="run_study.py", description=studies.run.__doc__, epilog=EPILOG)
    parser.add_argument("--study", required=True, help="name of a study, or path of a .py file")
    studies.add_run_options(parser)
    parser.set_defaults(command=studies.run)
    return _run(parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
    try:
        if (place := home.provide()) and options.command in CACHING:
            complain(
                f"the home folder cannot be written: caches go to {place}; set GANSWEEP_CACHE to keep them"
            )
        return int(options.command(options))
    except UserError as error:
        for sentence in error.sentences:
            complain(sentence)
        return 2
    except Stopped as error:
        return _stopped(str(error))
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python reports an error at exit
        return signals.INTERRUPTED
    except OSError as error:
        reason = f"{error.filename or 'a file'}: {error.strerror or error}"
        if error.errno in STORAGE_ERRORS:
            return _stopped(reason)
        complain(reason)
        return 2
    except KeyboardInterrupt:
        say(signals.AGAIN, stream=sys.stderr)
        return signals.INTERRUPTED


def _stopped(reason: str) -> int:
    complain(f"{reason}: run the same command to resume")
    return 3


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="gansweep", description=gansweep.__doc__, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"gansweep {gansweep.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (studies, watching, results, variants, fetch):
        module.add(commands)
    return parser
