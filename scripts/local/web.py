"""One HTTP exchange with a process of ours, in bounded time whatever answers there.

On http.client, as `scripts/release/webhook.py`: the time limit of a socket starts anew with every byte, so the socket
itself is ended in time, and urllib3 does not give it away before the head of an answer is there.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import quote

import msgspec

from scripts.local.errors import ProbeError
from scripts.local.ports import LOOPBACK

PLAIN: Final = "/?&=%:,;@+~!$'()*"  # what stays as it is in a path and its query
LARGEST: Final = 8_000_000  # bytes of an answer; the metrics of a large application are some hundred thousand


def exchange(
    port: int, path: str, timeout_s: float, *, post: dict[str, float | bool] | None = None, token: str = ""
) -> tuple[int, bytes]:
    """Status and body of a GET (of a POST, with a JSON body) on a loopback port; redirects and retries are off.

    Raises ProbeError when there is no answer, not all of it within `timeout_s`, or more than LARGEST.
    """
    method, address = "GET" if post is None else "POST", f"http://{LOOPBACK}:{port}{path}"
    body = None if post is None else msgspec.json.encode(post)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    connection, deadline = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s), time.monotonic() + timeout_s
    late = f"{method} {address}: no answer within {timeout_s:g} s"
    try:
        connection.connect()
        with _cut_at(deadline, connection.sock):
            connection.request(method, quote(path, safe=PLAIN), body, headers)
            with connection.getresponse() as answer:
                found = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as exc:
        raise ProbeError(f"{late} ({exc})") from exc
    finally:
        connection.close()
    if time.monotonic() > deadline:
        raise ProbeError(f"{late} (it had begun)")
    if answer.length or len(found) > LARGEST:
        raise ProbeError(f"{method} {address}: the answer broke off, or is over {LARGEST:,} bytes")
    return answer.status, found


@contextmanager
def _cut_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """End what is read from a socket and written to it at `deadline` (monotonic seconds)."""

    def cut() -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
