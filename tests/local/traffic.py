"""Clients that keep their connections, and patience with a deadline."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from scripts.local.state import State


class Seen(NamedTuple):
    """One answer; times are monotonic ns, the same clock in every process."""

    status: int
    slot: str
    began: int  # by the slot's own account; 0 when it did not answer
    ended: int


@contextmanager
def keep_alive_load(state: State, clients: int = 4, pause_s: float = 0.005) -> Iterator[list[Seen]]:
    """Clients that each send one request after the other on one connection they never close, until the block ends."""
    seen: list[Seen] = []
    over = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", state.edge_port, timeout=10)
        while not over.wait(pause_s):
            connection.request("POST", "/tasks", body=b"{}")
            answer = connection.getresponse()
            body = answer.read()
            began = json.loads(body)["began"] if answer.status == 200 else 0
            seen.append(Seen(answer.status, answer.headers["x-slot"], began, time.monotonic_ns()))
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


def until(check: Callable[[], bool], what: str) -> None:
    """Wait for something another process does on its own, 20 s at most."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.001)
