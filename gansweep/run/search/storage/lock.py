"""One driver a study, also where drivers share a database and nothing else."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, RDBStorage

from gansweep.errors import UserError
from gansweep.results.row import now, slug


@contextmanager
def exclusive(storage: BaseStorage, study: str) -> Iterator[BaseStorage]:
    """Keep other drivers, on any machine, from a study whose search is stored in a database.

    A journal lies in the results, whose lock protects it too.

    Raises:
        UserError: another driver runs the study.
        Stopped, from any later operation of the storage: the lock was lost, and another driver has it now.
    """
    if not isinstance(storage, RDBStorage):
        yield storage
    elif storage.engine.dialect.name == "sqlite":
        with _file_lock(Path(f"{storage.engine.url.database}.{slug(study)}.lock"), study):
            yield storage
    else:
        from sqlalchemy import event

        from gansweep.run.search.storage.advisory import AdvisoryLock

        with closing(AdvisoryLock(storage.engine, study)) as lock:
            # No transaction begins without the lock, so a driver that has lost it changes nothing.
            event.listen(storage.scoped_session, "after_begin", lock.check)
            try:
                yield storage
            finally:
                event.remove(storage.scoped_session, "after_begin", lock.check)
        storage.engine.dispose()


@contextmanager
def _file_lock(path: Path, study: str) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(taken(study, file.read())) from None
        file.truncate(0)
        file.write(f"gansweep: process {os.getpid()} on {socket.gethostname()}, since {now()}")
        file.flush()
        yield


def taken(study: str, holder: str) -> str:
    """Says that another driver has the lock."""
    who = f" ({holder})" if holder else ""
    return f"another driver{who} runs the study {study} on this storage: wait for it or stop it"
