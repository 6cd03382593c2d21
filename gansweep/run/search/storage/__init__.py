"""The storage of a search: a journal file in the results folder, or a database by its URL."""

from pathlib import Path

from optuna.storages import BaseStorage

from gansweep.errors import Damaged
from gansweep.results.folder import StudyFolder
from gansweep.run.search.storage.journal import BatchedJournalStorage, Journal, batch
from gansweep.run.search.storage.lock import exclusive
from gansweep.run.search.storage.stored import WriteThroughStudy

__all__ = [
    "BaseStorage",
    "WriteThroughStudy",
    "batch",
    "exclusive",
    "n_finished",
    "open_storage",
]


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The journal file of the study's folder, or the database at `url`.

    The caller holds the folder's lock: what a killed driver left half written there is moved aside.

    Raises:
        UserError: it cannot be opened, or is damaged.
    """
    if url is not None:
        from gansweep.run.search.storage.database import open_database  # SQLAlchemy takes a while

        return open_database(url)
    files = StudyFolder(folder.resolve())
    try:
        return BatchedJournalStorage(Journal(files.journal, files.aside))
    except (Damaged, OSError):
        raise
    except Exception as error:  # Optuna has no list of what it raises for lines that it cannot read
        what = type(error).__name__
        raise Damaged(
            f"{files.journal} is damaged ({what}): restore it from a copy, or rename the study to begin anew"
        ) from None


def n_finished(folder: Path) -> int:
    """Returns how many trials have ended by the journal file in a folder.

    Raises:
        Damaged: it cannot be read.
    """
    storage = open_storage(folder, None)
    studies = [study._study_id for study in storage.get_all_studies()]
    trials = [trial for study in studies for trial in storage.get_all_trials(study, deepcopy=False)]
    return sum(trial.state.is_finished() for trial in trials)
