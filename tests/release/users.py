"""Users of the local system: bounded clients on connections they keep, who write down every answer."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

Seen = list[tuple[int, str]]  # status (0: no answer), slot


@contextmanager
def users(port: int, clients: int = 4, pause_s: float = 0.01) -> Iterator[Seen]:
    """At most `clients / pause_s` requests a second on the users' route until the block ends."""
    seen: Seen = []
    over = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not over.wait(pause_s):
            try:
                connection.request("GET", "/tasks")
                answer = connection.getresponse()
                answer.read()
                seen.append((answer.status, answer.headers.get("x-slot", "")))
            except (OSError, http.client.HTTPException):
                seen.append((0, ""))
                connection.close()
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def failed(seen: Seen) -> Counter[int]:
    """What did not go well, by status."""
    return Counter(status for status, _ in seen if status != 200)
