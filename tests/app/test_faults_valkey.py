"""Valkey killed or frozen under load: answers go on, and the cache comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.nodes import Valkey
from tests.app.server import Server
from tests.app.traffic import traffic
from tests.app.world import Person, running

pytestmark = pytest.mark.faults
OPEN = b'breaker_state{dependency="valkey"} 2.0'
CLOSED = b'breaker_state{dependency="valkey"} 0.0'


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    node = Valkey(tmp_path)
    node.start()
    yield node
    node.thaw()
    node.kill()


@pytest.fixture
def server(start: Callable[..., Server], valkey: Valkey) -> Server:
    return start(REDIS_URL=valkey.url, RATE_LIMIT_PER_MINUTE="100000").ready()


@pytest.fixture
def person(database_url: str) -> Person:
    with running(DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:1/0") as api:
        return api.person()


def breaker_is(server: Server, state: bytes) -> bool:
    return state in server.probe("/metrics")[1]


def test_a_killed_valkey_costs_no_answer_and_is_used_again_when_it_is_back(
    server: Server, valkey: Valkey, person: Person
) -> None:
    with traffic(server.port, person.headers) as clients:
        clients.wait_for(100)
        valkey.kill()
        server.wait(lambda: breaker_is(server, OPEN), "without Valkey")
        clients.wait_for(300)
        valkey.start()
        server.wait(lambda: breaker_is(server, CLOSED), "with Valkey again")
        clients.wait_for(100)
    assert {outcome.status for outcome in clients.outcomes} == {200, 201}


def test_a_frozen_valkey_is_not_waited_for(server: Server, valkey: Valkey, person: Person) -> None:
    with traffic(server.port, person.headers) as clients:
        clients.wait_for(100)
        valkey.freeze()
        frozen = time.monotonic()
        server.wait(lambda: breaker_is(server, OPEN), "without Valkey")
        clients.wait_for(300)
        # Each request asks at most three times for a tenth of a second before the breaker knows better.
        assert max(outcome.seconds for outcome in clients.since(frozen)) < 5
        valkey.thaw()
        server.wait(lambda: breaker_is(server, CLOSED), "with Valkey again")
        clients.wait_for(100)
    assert {outcome.status for outcome in clients.outcomes} == {200, 201}


def test_a_process_starts_without_valkey_and_says_so(start: Callable[..., Server], valkey: Valkey) -> None:
    valkey.kill()
    server = start(REDIS_URL=valkey.url).ready()
    assert server.probe("/startupz") == (200, b"started; cache degraded\n")
    assert b'"status":"DEGRADED"' in server.get("/health")[1]
    assert b'"redis":"DOWN"' in server.get("/health")[1]
