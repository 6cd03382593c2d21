"""The storage of a search: a journal file in the results folder, or a database by its URL."""

from pathlib import Path

from optuna.storages import BaseStorage

from gansweep.errors import UserError
from gansweep.run.search.storage.database import open_database, storage_url
from gansweep.run.search.storage.journal import BatchedJournalStorage, Journal, batch
from gansweep.run.search.storage.lock import exclusive
from gansweep.run.search.storage.stored import WriteThroughStudy

__all__ = ["BaseStorage", "WriteThroughStudy", "batch", "exclusive", "open_storage", "storage_url"]


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The journal file of the study's folder, or the database at `url`.

    The caller holds the folder's lock: what a killed driver left half written there is cut off.

    Raises:
        UserError: it cannot be opened.
    """
    if url is not None:
        return open_database(url)
    path = folder.resolve() / "optuna.journal"
    try:
        return BatchedJournalStorage(Journal(path))
    except ValueError:
        raise UserError(f"{path} is damaged: restore it, or rename the study to begin anew") from None
