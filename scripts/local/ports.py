"""Free loopback ports."""

from __future__ import annotations

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral range (32768 and up): an outgoing connection can never sit on a port we chose.
_LOWEST, _HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as sock:
        # As servers do: connections left in TIME_WAIT do not make a port taken.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
            sock.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port nobody listens on. Raises RuntimeError when there is none."""
    for port in random.sample(range(_LOWEST, _HIGHEST), 1000):
        if is_free(port):
            return port
    raise RuntimeError(f"no free port between {_LOWEST} and {_HIGHEST} in 1,000 tries")


def holder(port: int) -> str:
    """Who listens on a port, as far as we may see: "python3 (pid 42)" or "another process"."""
    for connection in psutil.net_connections("tcp"):
        here = connection.laddr and connection.laddr.port == port
        if here and connection.status == psutil.CONN_LISTEN and connection.pid:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"
