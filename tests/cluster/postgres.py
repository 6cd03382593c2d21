"""A real PostgreSQL server of one's own on the loopback, with a password; nothing of it is left at the end.

with server() as postgres:
    postgres.url                  # with the password, of a database that is empty
    postgres.stop(); postgres.start()
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

try:
    import psycopg
except ImportError:
    psycopg = None

PORTS = range(55432, 55440)
PASSWORD = "opens-no-door-7261"  # to be found nowhere after a run
BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
OWNER = next((user.pw_name for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")), None)
MISSING = "" if BINARIES and (OWNER or os.getuid()) else "there is no PostgreSQL server on this machine"
if not psycopg:
    MISSING = "psycopg is not installed"


@dataclass
class Server:
    """One server; `prefix` runs its commands elsewhere, as in a network namespace."""

    folder: Path
    port: int
    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    database: str = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://gansweep:{PASSWORD}@{self.host}:{self.port}/{self.database}"

    @property
    def public_url(self) -> str:
        """Without the password, which then comes from ~/.pgpass."""
        return self.url.replace(f":{PASSWORD}", "")

    def environment(self) -> dict[str, str]:
        """What lets a driver in."""
        return {"GANSWEEP_STORAGE": self.url}

    def start(self) -> None:
        options = f"-p {self.port} -k '' -c listen_addresses={self.host} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """immediate: as if it was killed; fast: connections are ended, as by an administrator."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def new_database(self) -> "Server":
        """The same server with an empty database."""
        name = f"search{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return Server(self.folder, self.port, self.host, self.prefix, name)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()

    def _run(self, program: str, *arguments: str) -> None:
        owner = OWNER if os.getuid() == 0 else None
        demoted = ["setpriv", f"--reuid={owner}", "--clear-groups"] if owner else []
        command = [
            *self.prefix,
            *demoted,
            str(BINARIES / program),
            "-D",
            str(self.folder / "data"),
            *arguments,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


_numbers = count()


@contextmanager
def server(host: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> Iterator[Server]:
    """A server that runs, as a user of its own since it refuses to be root; deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gansweep-pg-", dir="/tmp"))
    made = Server(folder, _free_port(host), host, prefix)
    try:
        if os.getuid() == 0:
            shutil.chown(folder, OWNER)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        made._run("initdb", "-U", "gansweep", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "-N")
        made.start()
        yield made
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            made.stop()
        shutil.rmtree(folder)


def _free_port(host: str) -> int:
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port in {PORTS}")
