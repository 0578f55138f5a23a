"""A TCP proxy before an API server, which loses replies, hangs up and goes away; it sees no more than bytes."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HANDSHAKE = 3  # so often at most a client sends before its first request has been answered, with TLS
RESET = struct.pack("ii", 1, 0)


@dataclass
class Proxy:
    """What it does now, and where it listens."""

    upstream: tuple[str, int]
    port: int = 0
    lose: int = 0  # so many of the next replies on connections in use are thrown away, and the connections reset
    away: bool = False  # nobody listens on the port
    lost: int = 0  # replies that were
    open: list[socket.socket] = field(default_factory=list)
    listens: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Go away, with a reset of every connection, until `away` is set to False."""
        self.away = True
        while self.listens.is_set():
            time.sleep(0.005)
        for connection in self.open:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def serve(self, client: socket.socket) -> None:
        """Carry bytes both ways, until one side ends or the reply is to be lost."""
        with client, suppress(OSError), socket.create_connection(self.upstream, timeout=5) as server:
            self.open.append(client)
            sent = 0
            while not self.away:
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for source in ready:
                    content = source.recv(65536)
                    if not content:
                        return
                    if source is client:
                        sent += 1
                        server.sendall(content)
                    elif self.lose and sent > HANDSHAKE:
                        self.lose, self.lost = self.lose - 1, self.lost + 1
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        return
                    else:
                        client.sendall(content)


@contextmanager
def proxying(upstream: tuple[str, int]) -> Iterator[Proxy]:
    """A proxy on a loopback port, until the block ends."""
    proxy, over = Proxy(upstream), threading.Event()

    def accept() -> None:
        with socket.create_server(("127.0.0.1", proxy.port)) as listener:
            proxy.port = listener.getsockname()[1]
            listener.settimeout(0.02)
            proxy.listens.set()
            while not (over.is_set() or proxy.away):
                with suppress(TimeoutError):
                    threading.Thread(target=proxy.serve, args=(listener.accept()[0],), daemon=True).start()
        proxy.listens.clear()

    def listen() -> None:
        while not over.wait(0.02):
            if not proxy.away:
                accept()

    thread = threading.Thread(target=listen)
    thread.start()
    proxy.listens.wait(5)
    try:
        yield proxy
    finally:
        over.set()
        thread.join()
        proxy.leave()
