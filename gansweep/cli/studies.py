"""Commands about studies: run, plan, report."""

import argparse
import os
import sys
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import SCALES, add_results, command, folder_of, names, positive
from gansweep.errors import say
from gansweep.run import address, signals
from gansweep.run.imports import uncollected

if TYPE_CHECKING:  # a command imports what it needs: `gansweep report` needs no torch
    from gansweep.run.options import Options
    from gansweep.study.study import Study


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    for name, function in (("run", run), ("plan", plan)):
        parser = command(commands, name, function)
        parser.add_argument("study", help="name of a study, or path of a .py file")
        add_run_options(parser, dry_run=function is run)
    parser = command(commands, "report", report)
    parser.add_argument("study", help="name of a study that has run, or its folder")
    parser.add_argument(
        "--format",
        type=names,
        default=("html",),
        metavar="FORMATS",
        help="one or more of html,md,latex,csv,pdf,png; default: html",
    )
    add_results(parser)


def add_run_options(parser: argparse.ArgumentParser, dry_run: bool = True) -> None:
    add_results(parser)
    parser.add_argument(
        "--scale", choices=SCALES, help="the same study scaled down to minutes, or to an hour"
    )
    parser.add_argument(
        "--smoke", dest="scale", action="store_const", const="smoke", help="the same as --scale smoke"
    )
    if dry_run:
        parser.add_argument(
            "--dry-run", action="store_true", help="print the plan and train nothing: gansweep plan"
        )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="URL of a database for the search; default: $GANSWEEP_STORAGE, else a file in the results",
    )
    parser.add_argument("--pack-size", type=positive, help="maximum number of trials trained as one program")
    parser.add_argument(
        "--gpus-per-pack", type=float, help="GPUs of a pack, such as 1 or 0.5; 0 trains on CPUs"
    )
    parser.add_argument(
        "--log",
        type=names,
        default=(),
        metavar="LOGGERS",
        help="also log every trial to one or more of tensorboard,wandb,mlflow",
    )


def _load(options: argparse.Namespace) -> "tuple[str, str, Study]":
    """Returns the name, question and study that the options request."""
    from gansweep.study import library

    name, question, study = library.load(options.study)
    if options.scale is None:
        return name, question, study
    scaled = study.at_smoke_scale() if options.scale == "smoke" else study.at_small_scale()
    return f"{name}-{options.scale}", question, scaled


def run(options: argparse.Namespace) -> int:
    """Run a study, or resume it, and write its report."""
    if options.dry_run:
        return plan(options)
    with signals.end_at_once():
        say(f"{options.study}: starting")
        address.check(os.environ.get("RAY_ADDRESS", ""))
        how = _options(options)
        study = _load(options)
        with uncollected():
            if "gansweep.run.driver" not in sys.modules:
                _start_ray(len(study[2].variants) * len(study[2].datasets))
            from gansweep.run.driver import run_study
        from gansweep.study.remarks import remarks

        say(*remarks(study[2]))
        return run_study(*study, how)


def _start_ray(n_cells: int) -> None:
    """Start Ray while the driver is imported: each takes seconds, and Ray mostly waits.

    n_cells: of the study; no pack has trials of two.
    Not before options and study are checked: Ray's list of jobs shows the command to all users of a cluster.
    """
    Thread(target=import_module, args=("gansweep.run.driver",), daemon=True).start()
    from gansweep.run.ray import join

    join(n_packs=n_cells)


def plan(options: argparse.Namespace) -> int:
    """Estimate the trials, time and disk of a study; trains nothing except a short calibration."""
    how = _options(options)
    study = _load(options)
    from gansweep.run.forecast import plan as forecast

    say(*forecast(*study, how).split("\n"))
    return 0


def _options(options: argparse.Namespace) -> "Options":
    from gansweep.run.options import Options, storage_url

    return Options(
        results=options.results,
        storage=storage_url(options.storage),
        pack_size=options.pack_size,
        gpus_per_pack=options.gpus_per_pack,
        log=options.log,
    )


def report(options: argparse.Namespace) -> int:
    """Write the report of a study from its rows, finished or not."""
    folder = folder_of(options.study, options.results)
    from gansweep.report import write_report
    from gansweep.results.records import read_manifest
    from gansweep.results.tables import write_tables

    tables = write_tables(folder, read_manifest(folder).collapse_above)
    say(str(write_report(folder, options.format, tables)))
    return 0
