"""Databases of a search by URL: PostgreSQL on a server, SQLite in a file."""

import os
import socket
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError

from gansweep.errors import UserError

POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
FORMS = "postgresql://user@host/database or sqlite:///file.db"
SERVER_LOST = {  # seconds; a server that vanishes without a word is noticed within a minute
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,  # ms
}


def parse(text: str) -> URL:
    """The parts of a URL, with the driver that connects to it.

    Raises:
        UserError: it is not the URL of a database that can store a search.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their messages may quote a password
        raise UserError(f"a storage is given as {FORMS}, but what was given is not a URL") from None
    if url.drivername in POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite":
        raise UserError(f"a storage is given as {FORMS}, but got {url.drivername}://")
    if url.database in (None, "", ":memory:"):
        raise UserError("an SQLite storage needs a file, as sqlite:///search.db")
    return url


def open_database(text: str) -> RDBStorage:
    """The database at a URL, in which Optuna's tables are made unless they are there.

    A later operation raises OSError while the database is unavailable.

    Raises:
        UserError: it cannot be opened.
    """
    url = parse(text)
    options: dict[str, Any] = {}
    if url.drivername != "sqlite":
        name = f"gansweep: process {os.getpid()} on {socket.gethostname()}"[:63]
        options = {
            "pool_pre_ping": True,
            "connect_args": SERVER_LOST | {"application_name": name},
        }
    try:
        storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options)
    except ImportError:
        raise UserError("a PostgreSQL storage needs psycopg: pip install 'gansweep[postgresql]'") from None
    except Exception as error:  # SQLAlchemy and every driver below it have their own
        raise UserError(f"the search's storage cannot be opened: {reason(error)}") from None
    event.listen(storage.engine, "handle_error", _raise_os_error)
    return storage


def reason(error: BaseException) -> str:
    """The first line of what a driver of a database says."""
    while error.__cause__ is not None and not isinstance(error, DBAPIError):
        error = error.__cause__
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).strip().partition("\n")[0]


def _raise_os_error(context: ExceptionContext) -> None:
    """What may pass is an OSError, as of a file.

    Optuna would repeat the creation of a trial by itself, and so double it if only the answer was lost.
    """
    error = context.sqlalchemy_exception
    if not context.is_pre_ping and isinstance(error, OperationalError | InterfaceError | InternalError):
        raise ConnectionError(reason(error)) from None
