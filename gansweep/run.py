"""Runs a study from its value to its report, or goes on with it."""

import fcntl
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from gansweep import data, finalists, orchestrate, phases
from gansweep import study as studies
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.files import dump_json, require_writable, write_atomically
from gansweep.ledger import Ledger
from gansweep.loggers import check_loggers, open_loggers
from gansweep.preparation import prepare
from gansweep.queue import Queue
from gansweep.report import write_report
from gansweep.results import (
    Row,
    RowWriter,
    now,
    read_manifest,
    read_rows,
)
from gansweep.rules import Count, check_fields, number
from gansweep.samplers import open_storage
from gansweep.search import Search
from gansweep.study import Study
from gansweep.tables import write_tables
from gansweep.training.sizes import pack_size_for

Share: TypeAlias = Annotated[float, number("a number of at least 0", lambda x: 0 <= x < math.inf)]
DONE, FAILED_TRIALS, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a study; none of these changes its results."""

    results: Path = Path("results")
    storage: str | None = None  # URL of an Optuna storage; None: a journal file in the study's folder
    pack_size: Count | None = None  # most trials in a pack; None: by the size of the networks
    gpus_per_pack: Share | None = None  # None: 1 where there are GPUs
    log: tuple[str, ...] = ()  # names of loggers

    def __post_init__(self) -> None:
        check_fields(self)
        check_loggers(self.log)


def run_study(name: str, question: str, study: Study, options: Options) -> int:
    """Run a study or go on with it, and write its report; the exit code.

    Raises:
        UserError: the study cannot run; no result has been changed.
    """
    started = time.monotonic()
    validates = study.evaluation.validates
    datasets = {key: data.load(key, validation=validates) for key in study.datasets}
    resolved = studies.resolve(name, question, study, datasets)
    folder = (options.results / name).resolve()
    with locked(folder):
        check_same_study(folder, resolved)
        rows = RowWriter(folder)
        n_left = phases.n_left(resolved, read_rows(folder))
        if n_left > 0 or finalists.unmeasured(folder):
            hardware = orchestrate.connect()
            gpus = gpus_per_pack(options, hardware["gpus"])
            storage = open_storage(folder, options.storage)
            manifest = prepare(folder, resolved, datasets, hardware)
            sizes = pack_sizes(resolved, datasets, options.pack_size, on_gpu=gpus > 0)
            if n_left:
                say(f"{name}: {n_left} trials to run, results in {folder}")
            try:
                search = Search(resolved, storage, folder, sizes)
                loggers = open_loggers(options.log, resolved, folder)
                with closing(Ledger(folder, resolved, rows, search, loggers)) as ledger:
                    execute(ledger, search, hardware, gpus)
                if not phases.n_left(resolved, read_rows(folder)):
                    measure_finalists(folder, gpus)
            finally:
                manifest["wall_seconds"] += round(time.monotonic() - started, 1)
                manifest["updated"] = now()
                write_atomically(folder / "manifest.json", dump_json(manifest))
        return conclude(folder, resolved, rows)


def gpus_per_pack(options: Options, n_gpus: int) -> float:
    """The GPUs that a pack gets, of as many as there are.

    Raises:
        UserError: more than there are are asked for.
    """
    gpus = options.gpus_per_pack if options.gpus_per_pack is not None else min(1.0, n_gpus)
    if gpus > n_gpus:
        raise UserError(f"gpus_per_pack must lie in [0, {n_gpus}] here, but got {gpus:g}")
    return gpus


def pack_sizes(
    resolved: dict[str, Any], datasets: Mapping[str, Dataset], most: int | None, on_gpu: bool
) -> dict[str, int]:
    """For each data set, the most trials in a pack."""
    architectures = resolved["architectures"]
    return {
        key: most or pack_size_for(architectures[key], dataset.shape, on_gpu)
        for key, dataset in datasets.items()
    }


def execute(ledger: Ledger, search: Search, hardware: dict[str, Any], gpus: float) -> None:
    """Run the trials that are left, of the search and of the phases after it, on the Ray cluster."""
    resolved, folder = search.study, search.folder
    search.resume(row for row in read_rows(folder) if row["phase"] == phases.SEARCH)
    orchestrate.run(search, ledger, hardware, gpus)
    for stage in phases.stages(resolved):
        if not ledger.queue.exhausted or ledger.queue.out:  # interrupted
            break
        ledger.queue = Queue(resolved, folder, search.pack_size, rerun(stage, resolved, folder))
        orchestrate.run(ledger.queue, ledger, hardware, gpus)
    ledger.progress.draw(force=True)


def measure_finalists(folder: Path, gpus: float) -> None:
    """Measure the best trial of each cell once more, where that has not been done."""
    trials = finalists.unmeasured(folder)
    if trials:
        say(f"measuring the best trial of each variant once more: {len(trials)} of them")
    for trial, entry in orchestrate.measure_finalists(folder, trials, gpus):
        if isinstance(entry, str):
            say(f"{trial['trial_id']} could not be measured once more: {entry}")
        else:
            finalists.keep(folder, entry)


def rerun(stage: Iterable[str], resolved: dict[str, Any], folder: Path) -> list[Row]:
    """The trials of a stage after the search that have not ended."""
    return [trial for phase in stage for trial in phases.unfinished(phase, resolved, read_rows(folder))]


def conclude(folder: Path, resolved: dict[str, Any], rows: RowWriter) -> int:
    """Write tables and report; say what is left to know; the exit code."""
    if not rows.latest:
        say("interrupted before the first measurement: the same command goes on")
        return INTERRUPTED
    page = report(folder)
    lost = [row for row in rows.finished.values() if row["outcome"] in ("crashed", "timeout")]
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
    write_tables(folder, read_manifest(folder)["collapse_above"])
    return write_report(folder)


def say(text: str) -> None:
    """A line for the user, at once even through a pipe."""
    print(text, flush=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other drivers out of a study's folder.

    Raises:
        UserError: another one is at work, or nothing can be written there.
    """
    require_writable(folder)
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"another process is running this study in {folder}: wait for it or stop it"
            ) from None
        yield


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
