"""Addresses of Ray clusters: what RAY_ADDRESS may be, and whether a cluster answers there."""

import os
import re
import socket
from contextlib import closing
from threading import Thread

from gansweep.errors import UserError

LIMIT_SECONDS = 15.0
FORM = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
WORDS = ("", "auto", "local")
# RFC 9113: what a client says first, and an empty frame of settings, to which a server answers with its own.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
HEADER_BYTES, SETTINGS = 9, 4


def check(address: str) -> None:
    """Check the form of RAY_ADDRESS.

    Raises:
        UserError: it is neither "auto", nor "local", nor host:port.
    """
    if address in WORDS:
        return
    given = f"RAY_ADDRESS={address}"
    how = "give host:port of the head, such as 10.0.0.1:6379, or auto, or local"
    if address.startswith("ray://"):
        raise UserError(f"{given} is for Ray's client: {how}, and run this on a node of the cluster")
    if address.startswith(("http://", "https://")):
        raise UserError(
            f"{given} is that of Ray's job pages, for `ray job submit`: unset it, or {how}; inside a job "
            "Ray sets it to host:port by itself"
        )
    found = FORM.fullmatch(address)
    if not found or not 0 < int(found["port"]) < 2**16:
        raise UserError(f"{given} is no address of a cluster: {how}")


def answers(address: str) -> bool:
    """Whether somebody listens at host:port."""
    try:
        _connection(address).close()
    except (OSError, ValueError):
        return False
    return True


def speaks(address: str, seconds: float = LIMIT_SECONDS) -> bool:
    """Whether a server of gRPC answers at host:port, as that of Ray does, within some seconds.

    Ray itself would wait for minutes for a server of another kind, or for one that is halted.
    """
    found: list[bool] = []
    # In a thread, since looking up the name of a host has no limit of its own.
    thread = Thread(target=lambda: found.append(_speaks(address, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    return found == [True]


def _speaks(address: str, seconds: float) -> bool:
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return answers(address)  # it answers in TLS only
    try:
        with closing(_connection(address)) as connection:
            connection.settimeout(seconds)
            connection.sendall(PREFACE)
            header = b""
            while len(header) < HEADER_BYTES and (part := connection.recv(HEADER_BYTES - len(header))):
                header += part
    except (OSError, ValueError):
        return False
    return len(header) == HEADER_BYTES and header[3] == SETTINGS


def _connection(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=2)
