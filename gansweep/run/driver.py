"""Runs a study from its value to its report, or goes on with it."""

import math
import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from gansweep import data
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.fields import Count, check_fields, number
from gansweep.files import dump_json, patiently, write_atomically
from gansweep.results import phases
from gansweep.results.lock import locked
from gansweep.results.row_file import Row, RowWriter, now, read_manifest, read_rows
from gansweep.results.tables import write_tables
from gansweep.run import finalists
from gansweep.run.ledger import Ledger
from gansweep.run.packing import Packing, choose_packing, require_room, to_json
from gansweep.run.prepare import prepare
from gansweep.run.ray import connect, measure, probe, tune
from gansweep.run.search.queue import Queue
from gansweep.run.search.search import Search
from gansweep.run.search.storage import BaseStorage, exclusive, open_storage
from gansweep.run.trackers.loggers import check_loggers, open_loggers
from gansweep.study import study as studies
from gansweep.study.study import Study

Share: TypeAlias = Annotated[float, number("a number of at least 0", lambda x: 0 <= x < math.inf)]
DONE, FAILED_TRIALS, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a study; none of these changes its results."""

    results: Path = Path("results")
    storage: str | None = None  # URL of an Optuna storage; None: a journal file in the study's folder
    pack_size: Count | None = None  # most trials in a pack; None: see `packing`
    gpus_per_pack: Share | None = None  # None: see `packing`; 0: trains on CPUs
    log: tuple[str, ...] = ()  # names of loggers

    def __post_init__(self) -> None:
        check_fields(self)
        check_loggers(self.log)


def run_study(name: str, question: str, study: Study, options: Options) -> int:
    """Run a study or go on with it, and write its report; the exit code.

    Raises:
        UserError: the study cannot run; no result has been changed.
        Stopped: storage or cluster are gone; nothing that was measured is lost.
    """
    started = time.monotonic()
    heed_signals()
    validates = study.evaluation.validates
    datasets = {key: data.load(key, validation=validates) for key in study.datasets}
    resolved = studies.resolve(name, question, study, datasets)
    folder = (options.results / name).resolve()
    with locked(folder):
        check_same_study(folder, resolved)
        rows = RowWriter(folder)
        n_left = phases.n_left(resolved, read_rows(folder))
        if n_left > 0 or finalists.unmeasured(folder):
            with exclusive(open_storage(folder, options.storage), name) as storage:
                train(resolved, datasets, storage, rows, options, started)
        return conclude(folder, resolved, rows)


def train(
    resolved: dict[str, Any],
    datasets: Mapping[str, Dataset],
    storage: BaseStorage,
    rows: RowWriter,
    options: Options,
    started: float,
) -> None:
    """Run what is left of a study. started: by the monotonic clock."""
    folder = rows.path.parent
    hardware = connect()
    require_room(options.gpus_per_pack, hardware)
    manifest = prepare(folder, resolved, datasets, hardware)
    packing = choose_packing(folder, resolved, datasets, options, hardware, probe.probe)
    manifest["packing"] = to_json(packing)
    write_atomically(folder / "manifest.json", dump_json(manifest))
    if n_left := phases.n_left(resolved, read_rows(folder)):
        say(f"{resolved['name']}: {n_left} trials to run, results in {folder}")
    try:
        search = Search(resolved, storage, folder, {key: p.pack_size for key, p in packing.items()})
        loggers = open_loggers(options.log, resolved, folder)
        with closing(Ledger(folder, resolved, rows, search, loggers)) as ledger:
            execute(ledger, search, packing)
        if not phases.n_left(resolved, read_rows(folder)):
            measure_finalists(folder, packing)
    finally:
        manifest["wall_seconds"] += round(time.monotonic() - started, 1)
        manifest["updated"] = now()
        with suppress(OSError):  # the disk may be what ended the run
            write_atomically(folder / "manifest.json", dump_json(manifest))


def execute(ledger: Ledger, search: Search, packing: Mapping[str, Packing]) -> None:
    """Run the trials that are left, of the search and of the phases after it, on the Ray cluster."""
    resolved, folder = search.study, search.folder
    search.resume(row for row in read_rows(folder) if row["phase"] == phases.SEARCH)
    ledger.record([])  # ends the trials that were dropped when an earlier driver died
    room = tune.make_room(packing)
    tune.run(search, ledger, room, packing)
    for stage in phases.stages(resolved):
        if not ledger.queue.exhausted or ledger.queue.out:  # interrupted
            break
        ledger.queue = Queue(resolved, folder, search.pack_size, rerun(stage, resolved, folder))
        tune.run(ledger.queue, ledger, room, packing)
    ledger.progress.draw(force=True)


def measure_finalists(folder: Path, packing: Mapping[str, Packing]) -> None:
    """Measure the best trial of each cell once more, where that has not been done."""
    trials = finalists.unmeasured(folder)
    if trials:
        say(f"measuring the best trial of each variant once more: {len(trials)} of them")
    for trial, entry in measure.measure_finalists(folder, trials, packing):
        if isinstance(entry, str):
            say(f"{trial['trial_id']} could not be measured once more: {entry}")
        else:
            patiently(partial(finalists.keep, folder, entry), f"{folder / finalists.FILE} cannot be written")


def rerun(stage: Iterable[str], resolved: dict[str, Any], folder: Path) -> list[Row]:
    """The trials of a stage after the search that have not ended."""
    return [trial for phase in stage for trial in phases.unfinished(phase, resolved, read_rows(folder))]


def conclude(folder: Path, resolved: dict[str, Any], rows: RowWriter) -> int:
    """Write tables and report; say what is left to know; the exit code."""
    if not (rows.latest or rows.ended):
        say("interrupted before the first measurement: the same command goes on")
        return INTERRUPTED
    page = report(folder)
    lost = rows.lost
    for row in lost[:3]:
        say(f"{row['trial_id']} {row['outcome']}: {row['failure']['message']} (see {row['files']['log']})")
    if len(lost) > 3:
        say(f"... and {len(lost) - 3} more trials crashed or ran out of time")
    if phases.n_left(resolved, read_rows(folder)):
        say(f"interrupted: the same command goes on where it stopped. Report so far: {page}")
        return INTERRUPTED
    say(f"report: {page}")
    return FAILED_TRIALS if lost else DONE


def report(folder: Path) -> Path:
    """Rebuild the tables from the rows and write the report; its path.

    Raises:
        UserError: the folder holds no results.
    """
    from gansweep.report import write_report  # takes seconds, which the first trial need not wait for

    tables = write_tables(folder, read_manifest(folder)["collapse_above"])
    return write_report(folder, tables=tables)


def say(text: str) -> None:
    """A line for the user, at once even through a pipe."""
    print(text, flush=True)


def heed_signals() -> None:
    """End on SIGTERM and SIGHUP as on ctrl-C, unless they are ignored, as under nohup."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:
            signal.signal(ending, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def check_same_study(folder: Path, resolved: dict[str, Any]) -> None:
    """Raise UserError if the folder holds rows of a study that differs in more than a larger `trials`."""
    if not any(read_rows(folder)):
        for name in ("study.json", "manifest.json", "optuna.journal"):
            (folder / name).unlink(missing_ok=True)  # of a run that measured nothing
        return
    old = studies.read(folder)
    neutral = {"question": resolved["question"], "trials": max(old["trials"], resolved["trials"])}
    changes = studies.differences(old | neutral, resolved | {"question": resolved["question"]})
    if changes:
        raise UserError(
            f"{folder} holds results of this study as it was before ({'; '.join(changes)}): "
            "rename the study, or move that folder away"
        )
