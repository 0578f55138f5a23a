"""Moving the route under load: no request is lost, and the old slot begins none once the move is applied."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.slots import SlotSpec, start_slot, stop_slot
from scripts.local.state import State

Seen = tuple[int, str, int]  # status, slot, when the slot began (monotonic ns)


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
            seen.append((answer.status, answer.headers["x-slot"], began))
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


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def two_slots(edge: State, artefact: Callable[..., SlotSpec]) -> State:
    slot = start_slot(Path(edge.home), edge, "green", artefact("2.0.0"))
    until(lambda: envoy.healthy(edge, "green") == slot.port)
    return edge


def test_switching_under_keep_alive_load_loses_no_request(two_slots: State) -> None:
    """Ten moves, with the losing slot told to drain and the gaining one taken back: every answer is a 200."""
    home = Path(two_slots.home)
    with keep_alive_load(two_slots) as seen:
        for number in range(10):
            to, off = ("green", "blue") if number % 2 == 0 else ("blue", "green")
            gaining, losing = slots.read_slot(home, to), slots.read_slot(home, off)
            assert gaining
            assert losing
            slots.drain(two_slots, gaining, False)
            until(lambda: envoy.healthy(two_slots, to) is not None)  # noqa: B023  # called at once
            written = envoy.write_routes(home, Routes(**{to: 100, off: 0}))
            until(lambda: envoy.applied(two_slots) == written)  # noqa: B023  # called at once
            slots.drain(two_slots, losing, True)
            before = len(seen)
            until(lambda: len(seen) > before + 40)  # noqa: B023  # called at once
            assert {slot for _, slot, _ in seen[-8:]} == {to}
    assert {status for status, _, _ in seen} == {200}
    assert {slot for _, slot, _ in seen} == {"blue", "green"}


def test_retiring_the_slot_that_lost_its_traffic_loses_no_request(two_slots: State) -> None:
    """The old slot is ended while its clients' connections are open: they never notice."""
    home = Path(two_slots.home)
    with keep_alive_load(two_slots) as seen:
        until(lambda: len(seen) > 40)
        written = envoy.write_routes(home, Routes(blue=0, green=100))
        until(lambda: envoy.applied(two_slots) == written)
        stop_slot(home, "blue")
        before = len(seen)
        until(lambda: len(seen) > before + 40)
    assert {status for status, _, _ in seen} == {200}
