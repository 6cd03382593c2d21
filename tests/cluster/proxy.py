"""A network between drivers and a database that fails at the worst moment."""

import select
import socket
import threading


class Proxy:
    """Passes connections on to a server, and cuts the one on which the n-th transaction since `arm` ends.

    The server gets the COMMIT or not, as asked; its answer is lost in any case.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.commits = self.cut_at = self.cuts = 0
        self.delivered = True
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, cut_at: int, delivered: bool) -> None:
        self.commits, self.cuts, self.cut_at, self.delivered = 0, 0, cut_at, delivered

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    content = ready.recv(65536)
                    if not content or (ready is client and self._cuts(content, server)):
                        return
                    (server if ready is client else client).sendall(content)

    def _cuts(self, content: bytes, server: socket.socket) -> bool:
        if b"COMMIT" not in content:
            return False
        self.commits += 1
        if self.commits != self.cut_at:
            return False
        self.cuts += 1
        if self.delivered:
            server.sendall(content)
            server.recv(65536)
        return True
