"""PostgreSQL's advisory lock as the lock of a study."""

import hashlib
import threading
from contextlib import suppress

from sqlalchemy import Connection, Engine, text

from gansweep.errors import Stopped, UserError
from gansweep.files import retry_io
from gansweep.run.search.storage.lock import taken

LOOK_SECONDS = 3.0  # how often a driver makes sure that its lock is held
DRIVER_LOST = {  # a driver whose machine vanishes without a word loses its lock within a minute
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
HOLDER = """
SELECT application_name, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = :key
"""


class AdvisoryLock:
    """PostgreSQL's lock of a name, held by a connection of its own; a killed driver loses it at once.

    A thread takes it again when the server was unavailable.

    Raises:
        UserError: another driver has it.
    """

    def __init__(self, engine: Engine, study: str) -> None:
        self.engine, self.study = engine, study
        digest = hashlib.sha256(f"gansweep/{study}".encode()).digest()
        self.key = int.from_bytes(digest[:8], signed=True)
        self.connection: Connection | None = None
        self.lost = ""  # to whom
        self._turn, self._end = threading.Lock(), threading.Event()
        retry_io(self._hold, "the search's storage cannot be used")
        if self.lost:
            raise UserError(self.lost)
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="storage-lock")
        self._keeper.start()

    def check(self, *_: object) -> None:
        """Make sure that the lock is held.

        Raises:
            Stopped: another driver has it. OSError: the server does not answer.
        """
        self._hold()
        if self.lost:
            raise Stopped(self.lost)

    def close(self) -> None:
        """Release the lock."""
        self._end.set()
        self._keeper.join(timeout=LOOK_SECONDS)  # it may be waiting for a server that is unavailable
        with suppress(OSError):
            self._drop()

    def _keep(self) -> None:
        while not self._end.wait(LOOK_SECONDS) and not self.lost:
            try:
                self._hold()
            except OSError:
                continue  # the server is unavailable

    def _hold(self) -> None:
        with self._turn:
            if self.connection is not None:
                try:
                    self.connection.execute(text("SELECT 1"))
                    return
                except OSError:
                    self._drop()
            if not self.lost:
                self._take()

    def _take(self) -> None:
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        try:
            for name, value in DRIVER_LOST.items():
                connection.execute(text(f"SET {name} = {value}"))
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self.key}).scalar():
                self.connection = connection
                return
            holder = connection.execute(text(HOLDER), {"key": self.key}).first()
            self.lost = taken(self.study, ", since ".join(holder) if holder and all(holder) else "")
        finally:
            if self.connection is not connection:
                connection.close()

    def _drop(self) -> None:
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.close()
