"""Free loopback ports."""

from __future__ import annotations

import random
import socket
from collections import deque

import psutil

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral range (32768 and up): an outgoing connection can never sit on a port we chose.
_LOWEST, _HIGHEST, _TRIES = 20_000, 32_000, 1000
# A port is free until its server listens, half a second after it was chosen: so long nobody else may choose it. Names
# of abstract sockets belong to one process at a time and end with it.
_claims: deque[socket.socket] = deque()
_KEPT_CLAIMS = 64


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
    """A loopback port nobody listens on, chosen by no other call, here or in another process, that may not listen yet.

    Raises RuntimeError when there is none.
    """
    for port in random.sample(range(_LOWEST, _HIGHEST), _TRIES):
        if _claim(port) and is_free(port):
            return port
    raise RuntimeError(f"no free port between {_LOWEST} and {_HIGHEST} in {_TRIES} tries")


def _claim(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0primetrade-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    while len(_claims) > _KEPT_CLAIMS:
        _claims.popleft().close()
    return True


def holder(port: int) -> str:
    """Who listens on a port, as far as we may see: "python3 (pid 42)" or "another process"."""
    for connection in psutil.net_connections("tcp"):
        here = connection.laddr and connection.laddr.port == port
        if here and connection.status == psutil.CONN_LISTEN and connection.pid:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"
