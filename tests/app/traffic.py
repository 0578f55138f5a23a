"""A few clients that keep asking, and what they were answered."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

THREADS = 4
PAUSE_S = 0.005
TIMEOUT_S = 20.0

# Method, path, body. All need the database but the last two.
MIX: tuple[tuple[str, str, bytes | None], ...] = (
    ("GET", "/tasks", None),
    ("POST", "/tasks", b'{"title": "t"}'),
    ("GET", "/tasks/stats", None),
    ("GET", "/users/me", None),
    ("GET", "/health", None),
    ("GET", "/openapi.json", None),
)
WITHOUT_DATABASE = frozenset({"/health", "/openapi.json"})


class Outcome(msgspec.Struct, frozen=True):
    """One request: when it began (time.monotonic()), and its end. `status` is 0 when there was no answer."""

    at: float
    path: str
    status: int
    retry_after: str | None
    seconds: float
    words: str


class Traffic:
    """What came back so far."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port, self._headers = port, headers
        self.outcomes: list[Outcome] = []
        self._end = threading.Event()

    def since(self, moment: float) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.at >= moment]

    def wait_for(self, count: int) -> None:
        """Until so many more requests were answered."""
        wanted = len(self.outcomes) + count
        deadline = time.monotonic() + 60
        while len(self.outcomes) < wanted:
            assert time.monotonic() < deadline, f"{len(self.outcomes)} of {wanted} answers in 60 s"
            time.sleep(0.02)

    def ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        for method, path, body in itertools.cycle(MIX):
            if self._end.wait(PAUSE_S):
                break
            self.outcomes.append(self._one(connection, method, path, body))
        connection.close()

    def _one(self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> Outcome:
        began = time.monotonic()
        status, retry_after, words = 0, None, ""
        try:
            connection.request(method, path, body, {**self._headers, "Content-Type": "application/json"})
            answer = connection.getresponse()
            words = answer.read().decode()
            status, retry_after = answer.status, answer.headers.get("Retry-After")
        except (OSError, http.client.HTTPException) as exc:
            words = repr(exc)
            connection.close()
        return Outcome(began, path, status, retry_after, time.monotonic() - began, words)

    def stop(self) -> None:
        self._end.set()


@contextmanager
def traffic(port: int, headers: Mapping[str, str]) -> Iterator[Traffic]:
    """Clients that ask until the block ends."""
    running = Traffic(port, headers)
    threads = [threading.Thread(target=running.ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop()
        for thread in threads:
            thread.join(TIMEOUT_S + 5)
