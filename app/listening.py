"""The admin port's socket, opened before the application is imported.

A probe that comes meanwhile waits in it for its answer. Refused, it would be tried again a second later: no kubelet
looks more often.
"""

from __future__ import annotations

import socket
from functools import cache

BACKLOG = 64


class PortTakenError(RuntimeError):
    """The admin port cannot be listened on, and starting again would not help."""


@cache
def admin_socket(bind: str, port: int) -> socket.socket:
    """It listens; a process forked later has the same one. Raises PortTakenError."""
    try:
        return socket.create_server((bind, port), backlog=BACKLOG)
    except OSError as exc:
        raise PortTakenError(
            f"ADMIN_PORT: cannot listen on {bind}:{port}: {exc.strerror}; choose another port"
        ) from exc
