"""Requests through the edge, clients that keep their connections, and patience with a deadline."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookies import SimpleCookie
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import urllib3

from scripts.local import envoy
from scripts.local.envoy_config import Routes
from scripts.local.slots import Slot
from scripts.local.state import State


class Seen(NamedTuple):
    """One answer; times are monotonic ns, the same clock in every process."""

    status: int
    slot: str
    began: int  # by the slot's own account; 0 when it did not answer
    ended: int
    client: int


def send(state: State, method: str = "GET", path: str = "/", **headers: str) -> urllib3.BaseHTTPResponse:
    """One request of a user; `x_route_slot="green"` is a header."""
    with urllib3.PoolManager(retries=False) as pool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return pool.request(method, f"{state.edge_url}{path}", headers=named, timeout=10)


def ready(state: State, slot: Slot) -> Slot:
    """The slot, once Envoy takes all its replicas for healthy."""
    ports = {replica.port for replica in slot.replicas}
    until(lambda: ports == envoy.healthy(state, slot.name), f"{slot.name} is healthy at the edge")
    return slot


def route(state: State, routes: Routes) -> Routes:
    """Write the routes, and wait until Envoy serves them."""
    written = envoy.write_routes(Path(state.home), routes)
    until(lambda: envoy.applied(state) == written, f"Envoy serves {routes}")
    return written


@contextmanager
def keep_alive_load(
    state: State,
    clients: int = 4,
    pause_s: float = 0.005,
    method: str = "POST",
    headers: Mapping[str, str] = {},
) -> Iterator[list[Seen]]:
    """Clients that each send one request after the other on one connection they never close, until the block ends.

    They keep what cookies they are given.
    """
    seen: list[Seen] = []
    over = threading.Event()

    def client(number: int) -> None:
        connection, jar = http.client.HTTPConnection("127.0.0.1", state.edge_port, timeout=10), SimpleCookie[str]()
        while not over.wait(pause_s):
            kept = {"cookie": "; ".join(f"{name}={each.value}" for name, each in jar.items())} if jar else {}
            connection.request(method, "/tasks", b"{}" if method == "POST" else None, {**headers, **kept})
            answer = connection.getresponse()
            body = answer.read()
            jar.load(answer.headers.get("set-cookie", ""))
            began = json.loads(body)["began"] if answer.status == 200 else 0
            seen.append(Seen(answer.status, answer.headers["x-slot"], began, time.monotonic_ns(), number))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def pace(seen: Sequence[Seen], begun: int, ended: int, clients: int = 4) -> tuple[float, float]:
    """Answers a second between two moments, and the longest that any client went without one, in seconds.

    A client sends nothing while it waits, so of a stall nothing is left but that gap. Moments are monotonic ns.
    """
    ends = [[begun, *(each.ended for each in seen if each.client == client), ended] for client in range(clients)]
    longest = max(later - earlier for client in ends for earlier, later in pairwise(client))
    return len(seen) / (ended - begun) * 1e9, longest / 1e9


def from_now(seen: Sequence[Seen], clients: int = 4) -> list[Seen]:
    """What users get for what they send from now on: three answers of each client, and of those the last two.

    The first was perhaps asked for before.
    """
    mark = len(seen)

    def found() -> list[list[Seen]]:
        later = seen[mark:]
        return [[each for each in later if each.client == client] for client in range(clients)]

    until(lambda: min(map(len, found())) >= 3, "every client goes on")
    return [each for answers in found() for each in answers[1:]]


def until(check: Callable[[], bool], what: str, limit_s: float = 60) -> None:
    """Wait for something another process does on its own."""
    deadline = time.monotonic() + limit_s
    while not check():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.001)
