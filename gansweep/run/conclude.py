"""The end of a run: tables, report, summary, exit code."""

from pathlib import Path

from gansweep.errors import say
from gansweep.results import phases
from gansweep.results.records import read_manifest
from gansweep.results.row_file import RowWriter
from gansweep.results.study_file import ResolvedStudy
from gansweep.results.tables import write_tables
from gansweep.run import signals

DONE, FAILED_TRIALS = 0, 1  # exit codes
N_SHOWN = 3  # crashed trials that are named


def conclude(folder: Path, study: ResolvedStudy, rows: RowWriter) -> int:
    """Write tables and report, print a summary, return the exit code."""
    if not (rows.latest or rows.ended):
        say("interrupted before the first measurement: run the same command to resume")
        return signals.INTERRUPTED
    page = report(folder)
    crashed = rows.crashed
    for row in crashed[:N_SHOWN]:
        say(f"{row.trial_id} {row.outcome}: {row.failure and row.failure.message} (see {row.files['log']})")
    if len(crashed) > N_SHOWN:
        say(f"... and {len(crashed) - N_SHOWN} more trials crashed or ran out of time")
    if phases.n_left(study, rows.finished.trials):
        say(f"interrupted: run the same command to resume. Report so far: {page}")
        return signals.INTERRUPTED
    say(f"report: {page}")
    return FAILED_TRIALS if crashed else DONE


def report(folder: Path) -> Path:
    """Rebuild the tables from the rows and write the report. Returns its path.

    Raises:
        UserError: the folder holds no results.
    """
    from gansweep.report import write_report  # takes seconds, which should not delay the first trial

    tables = write_tables(folder, read_manifest(folder).collapse_above)
    return write_report(folder, tables=tables)
