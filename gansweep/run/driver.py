"""The driver: runs a study from its value to its report, or resumes it."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from gansweep import data
from gansweep.data import Dataset
from gansweep.errors import Damaged, UserError, say
from gansweep.files import retry_io, set_aside, write_atomically
from gansweep.results import phases
from gansweep.results.decoding import sealed_json
from gansweep.results.folder import StudyFolder
from gansweep.results.lock import driver_lock
from gansweep.results.phases import FinishedTrial
from gansweep.results.row import Phase, Report, Row, Trial, now
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.results.status.display import ProgressDisplay
from gansweep.results.study_file import ResolvedStudy, read_study
from gansweep.run import finalists, signals
from gansweep.run.conclude import conclude
from gansweep.run.ledger import Ledger, display
from gansweep.run.options import Options
from gansweep.run.packing import Packing, choose_packing, require_room, to_json
from gansweep.run.prepare import prepare, write_manifest
from gansweep.run.ray import connect, measure, probe, tune
from gansweep.run.search.queue import Queue
from gansweep.run.search.search import Search
from gansweep.run.search.storage import BaseStorage, exclusive, n_finished, open_storage
from gansweep.run.trackers import open_trackers
from gansweep.study.resolve import differences, resolve
from gansweep.study.study import Study
from gansweep.training.checkpoints import Checkpoints


def run_study(name: str, question: str, study: Study, options: Options) -> int:
    """Run a study or resume it, and write its report. Returns the exit code.

    Raises:
        UserError: the study cannot run; no result has been changed.
        Stopped: storage or cluster are gone; nothing that was measured is lost.
    """
    started = time.monotonic()
    signals.interrupt()
    validates = study.evaluation.validates
    datasets = {key: data.load(key, validation=validates) for key in study.datasets}
    resolved = resolve(name, question, study, datasets)
    folder = (options.results / name).resolve()
    with driver_lock(folder):
        check_same_study(folder, resolved)
        books = open_books(folder, resolved)
        rows, finished = books.rows, books.rows.finished.trials
        if rows.torn:
            say(f"the last row was not finished when the driver was killed: moved to {rows.torn}")
        if phases.n_left(resolved, finished) > 0 or finalists.unmeasured(folder, finished):
            with exclusive(open_storage(folder, options.storage), name) as storage:
                train(resolved, datasets, storage, books, options, started)
        return conclude(folder, resolved, rows)


class Books(NamedTuple):
    """What a driver knows of its study from the rows of earlier ones, which it reads once.

    searched: what `Search.resume` needs to know.
    """

    rows: RowWriter
    progress: ProgressDisplay
    searched: list[Report]


def open_books(folder: Path, resolved: ResolvedStudy) -> Books:
    """Read the rows of a study, to which more may be appended from now on.

    Raises:
        UserError: they are damaged; nothing has been changed.
    """
    progress, searched = display(resolved), []
    earlier: dict[str, Report] = {}

    def note(row: Row) -> None:
        progress.note(row, earlier=True)
        if row.phase == Phase.SEARCH:
            report = earlier[row.trial_id] = row.report(earlier.get(row.trial_id))
            searched.append(report)

    return Books(RowWriter(folder, note), progress, searched)


def train(
    resolved: ResolvedStudy,
    datasets: Mapping[str, Dataset],
    storage: BaseStorage,
    books: Books,
    options: Options,
    started: float,
) -> None:
    """Run what is left of a study. started: its start, by the monotonic clock."""
    folder = books.rows.path.parent
    hardware = connect()
    require_room(options.gpus_per_pack, hardware)
    manifest = prepare(folder, resolved, datasets, hardware)
    packing = choose_packing(folder, resolved, datasets, options, hardware, probe.probe)
    manifest = structs.replace(manifest, packing=to_json(packing))
    write_manifest(folder, manifest)
    finished = books.rows.finished.trials
    if n := phases.n_left(resolved, finished):
        say(f"{resolved.name}: {n} trials to run, results in {folder}")
    try:
        search = Search(resolved, storage, folder, {key: p.pack_size for key, p in packing.items()})
        trackers = open_trackers(options.log, resolved, folder)
        with closing(Ledger(folder, resolved, books.rows, search, trackers, books.progress)) as ledger:
            search.resume(books.searched)
            books.searched.clear()  # they are many
            execute(ledger, search, packing)
        if not phases.n_left(resolved, finished):
            measure_finalists(folder, packing, finished)
    finally:
        wall_seconds = manifest.wall_seconds + round(time.monotonic() - started, 1)
        manifest = structs.replace(manifest, wall_seconds=wall_seconds, updated=now())
        with suppress(OSError):  # the disk may be what ended the run
            write_atomically(StudyFolder(folder).manifest, sealed_json(manifest.to_json()))


def execute(ledger: Ledger, search: Search, packing: Mapping[str, Packing]) -> None:
    """Run the unfinished trials of the search and of the phases after it on the Ray cluster."""
    resolved, folder, finished = search.study, search.folder, ledger.writer.finished.trials
    if search.lost:
        say(
            f"the last rows of {len(search.lost)} trials are missing, which had ended: they are trained again"
        )
    ledger.record([])  # ends the trials that were pruned when an earlier driver was killed
    room = tune.make_room(packing)
    with signals.gently():
        tune.run(search, ledger, room, packing)
    for stage in phases.stages(resolved):
        if not ledger.queue.is_done:  # interrupted
            break
        ledger.queue = Queue(resolved, folder, search.pack_size, rerun(stage, resolved, finished))
        with signals.gently():
            tune.run(ledger.queue, ledger, room, packing)
    ledger.progress.draw(force=True)


def measure_finalists(folder: Path, packing: Mapping[str, Packing], finished: list[FinishedTrial]) -> None:
    """Measure the best trial of each cell again, where that has not been done."""
    trials = finalists.unmeasured(folder, finished)
    if trials:
        say(f"measuring the best trial of each variant again: {len(trials)} of them")
    for trial, entry in measure.measure_finalists(folder, trials, packing):
        if isinstance(entry, str):
            say(f"{trial.trial_id} could not be measured again: {entry}")
        else:
            file = StudyFolder(folder).finalists
            retry_io(partial(finalists.save, folder, entry, finished), f"{file} cannot be written")


def rerun(stage: Iterable[Phase], resolved: ResolvedStudy, finished: list[FinishedTrial]) -> list[Trial]:
    """Returns the unfinished trials of phases after the search."""
    return [trial for phase in stage for trial in phases.unfinished(phase, resolved, finished)]


def check_same_study(folder: Path, resolved: ResolvedStudy) -> None:
    """Raise UserError if the folder holds results of a study that differs in more than a larger `trials`.

    What a different study has left there that measured nothing is moved to `set-aside/`.
    """
    files = StudyFolder(folder)
    measured = any(read_rows(folder))
    if not measured and (n := n_ended_elsewhere(folder)):
        raise UserError(
            f"{files.rows} is missing or holds no row, but {n} trials of this study have ended: restore it "
            "from a copy, or rename the study to begin anew"
        )
    changes = _changes(folder, resolved, measured)
    if changes and measured:
        raise UserError(
            f"{folder} holds results of this study as it was before ({'; '.join(changes)}): "
            "rename the study, or move that folder elsewhere"
        )
    if changes:
        for old in (files.study, files.manifest, files.journal, files.checkpoints, files.finalists):
            if old.exists():
                say(f"{old} is of another study: moved to {set_aside(old, files.aside, old.name)}")


def _changes(folder: Path, resolved: ResolvedStudy, measured: bool) -> list[str]:
    """Returns what differs from the study that ran in a folder; nothing where none has begun."""
    if not measured and not StudyFolder(folder).study.exists():
        return ["no study.json"]
    try:
        old = read_study(folder)
    except Damaged as error:
        if measured:
            raise
        return [str(error)]
    trials = max(old.trials, resolved.trials)  # a search may be extended, but not cut short
    return differences(structs.replace(old, question=resolved.question, trials=trials), resolved)


def n_ended_elsewhere(folder: Path) -> int:
    """Returns how many trials have ended by what a folder holds beside its rows: search and generators."""
    n_searched = n_finished(folder) if StudyFolder(folder).journal.exists() else 0
    return max(n_searched, len(Checkpoints(folder).generators()))
