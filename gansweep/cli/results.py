"""Commands about results: compare, verify, reproduce, sample."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import add_results, command, folder_of, positive, share, trial_of
from gansweep.errors import say, unknown

if TYPE_CHECKING:
    from gansweep.results.row import Row

_OF_A_TRIAL = "STUDY/TRIAL, as quickstart/digits-ns-0003"


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    parser = command(commands, "compare", compare)
    parser.add_argument("baseline", help="name of a study that has run, or its folder")
    parser.add_argument("new", help="name or folder of the study to compare with it")
    parser.add_argument(
        "--worse-by",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="tolerated increase of FID (0.05: 5 %%)",
    )
    add_results(parser)
    parser = command(commands, "verify", verify)
    parser.add_argument("study", help="name of a study that has run, or its folder")
    add_results(parser)
    parser = command(commands, "reproduce", reproduce)
    parser.add_argument("trial", help=_OF_A_TRIAL)
    parser.add_argument(
        "--alone", action="store_true", help="train it without its pack: faster, but rounding differs"
    )
    add_results(parser)
    parser = command(commands, "sample", sample)
    parser.add_argument("trial", help=_OF_A_TRIAL)
    parser.add_argument("--n", type=positive, default=64, help="number of samples")
    parser.add_argument("--seed", type=int, default=0, help="seed of the latents")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("samples.png"), help="output file: .png, or .npy for vectors"
    )
    add_results(parser)


def compare(options: argparse.Namespace) -> int:
    """Compare two studies variant by variant; exit code 1 if the second is worse somewhere."""
    folders = [folder_of(study, options.results) for study in (options.baseline, options.new)]
    from gansweep.report.compare.compare import compare_studies

    lines, is_worse = compare_studies(folders[0], folders[1], options.worse_by)
    say(*lines)
    return int(is_worse)


def verify(options: argparse.Namespace) -> int:
    """Recompute the tables of a study from its rows and compare; exit code 1 if something differs."""
    folder = folder_of(options.study, options.results)
    from gansweep.report.verify.verify import verify_study as differences

    found = differences(folder)
    say(*found or ["sound: the tables follow from the rows, and the rows are consistent with the study"])
    return int(bool(found))


def reproduce(options: argparse.Namespace) -> int:
    """Train one trial again and compare; exit code 1 if a number differs by more than rounding."""
    folder, trial = trial_of(options.trial, options.results)
    rows = _rows_with(trial, folder)
    from gansweep.run.reproduce import SAME, repeat

    repetition = repeat(folder, rows, trial, options.alone)
    say(*repetition.lines())
    return int(repetition.largest > SAME)


def sample(options: argparse.Namespace) -> int:
    """Draw samples from the trained generator of a trial."""
    folder, trial = trial_of(options.trial, options.results)
    last = next(row for row in reversed(_rows_with(trial, folder)) if row.trial_id == trial)
    from gansweep.run.reproduce import draw

    what = draw(folder, last, options.n, options.seed, options.out)
    say(f"{options.out}: {what}")
    return 0


def _rows_with(trial_id: str, folder: Path) -> "list[Row]":
    """Returns the rows of a study, among them those of a trial. No torch: an unknown trial is said at once.

    Raises:
        UserError: there is no such trial.
    """
    from gansweep.results.row_file import read_rows

    rows = list(read_rows(folder))
    if all(row.trial_id != trial_id for row in rows):
        raise unknown("trial", trial_id, dict.fromkeys(row.trial_id for row in rows))
    return rows
