"""How long a request's body may take, in whatever rhythm its parts arrive.

gunicorn loops until it has as much as it was asked for, so a time-out on its socket starts anew with every byte. The
limit therefore sits on each receive, from the hook before a request to the one after it.
"""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from app.call import DEADLINE_S
from app.service import MAX_BODY

BODY_S = 5.0  # between two parts of a body


class TimedSocket:
    """The receiving side of a connection for one request: no wait over BODY_S, all of them within DEADLINE_S."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._deadline = time.monotonic() + DEADLINE_S

    def recv(self, size: int) -> bytes:
        """What has arrived. Raises TimeoutError."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        wait_s = min(BODY_S, self._deadline - time.monotonic())
        if wait_s <= 0 or not poll.poll(wait_s * 1000):
            raise TimeoutError("the body did not arrive in time")
        return self.connection.recv(size)


def begin(request: Any) -> None:
    """Limit what gunicorn's request reads from here on."""
    request.unreader.sock = TimedSocket(request.unreader.sock)


def end(request: Any, response: Any) -> None:
    """Read what the answer left of the body, within the same limits, and lift them for the next request.

    Where that fails gunicorn closes the connection: it does so for a body marked as failed.
    """
    body = request.body
    try:
        if not body.failed and response is not None and not response.should_close():
            body.failed = len(body.read(MAX_BODY)) == MAX_BODY
    except Exception:  # noqa: BLE001  # a client's late, cut or malformed body; nobody is left to tell
        body.failed = True
    finally:
        request.unreader.sock = request.unreader.sock.connection
