"""PostgreSQL killed, frozen or refusing: 503 with Retry-After on what needs it, and recovery by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.migrate import migrate
from tests.app.nodes import Postgres
from tests.app.server import Server
from tests.app.traffic import WITHOUT_DATABASE, Outcome, traffic
from tests.app.world import Person, running

pytestmark = pytest.mark.faults


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    node = Postgres(tmp_path)
    node.start()
    migrate(node.url, lambda line: None)
    yield node
    node.thaw()
    node.kill()


@pytest.fixture
def person(postgres: Postgres) -> Person:
    with running(DATABASE_URL=postgres.url, REDIS_URL="redis://127.0.0.1:1/0") as api:
        return api.person()


@pytest.fixture
def server(start: Callable[..., Server], postgres: Postgres) -> Server:
    return start(DATABASE_URL=postgres.url, RATE_LIMIT_PER_MINUTE="100000").ready()


def check(outcomes: list[Outcome], allowed: set[int]) -> None:
    """Only allowed statuses, each 503 with Retry-After, and no failure where no database is needed."""
    for outcome in outcomes:
        assert outcome.status in allowed, outcome
        assert outcome.status != 503 or int(outcome.retry_after or 0) >= 1, outcome
        assert outcome.status == 200 or outcome.path not in WITHOUT_DATABASE, outcome


def works(server: Server, person: Person) -> bool:
    headers = {**person.headers, "Content-Type": "application/json"}
    return (
        server.get("/tasks", headers=headers)[0] == 200
        and server.request("POST", server.port, "/tasks", timeout=10, headers=headers, body=b'{"title": "t"}')[0] == 201
    )


def test_a_killed_database_is_503_where_it_is_needed_and_comes_back_without_a_restart(
    server: Server, postgres: Postgres, person: Person
) -> None:
    worker = server.worker.pid
    with traffic(server.port, person.headers) as clients:
        clients.wait_for(100)
        postgres.kill()
        killed = time.monotonic()
        clients.wait_for(60)
        assert 503 in {outcome.status for outcome in clients.since(killed)}
        assert (server.probe("/livez")[0], server.probe("/readyz")[0]) == (200, 200)
        server.wait(lambda: b'"database":"DOWN"' in server.get("/health")[1], "known as away")
        postgres.start()
        server.wait(lambda: works(server, person), "back")
        back = time.monotonic()
        clients.wait_for(200)
    check(clients.outcomes, {200, 201, 503})
    assert {outcome.status for outcome in clients.since(back)} == {200, 201}
    assert server.worker.pid == worker


def test_a_restart_between_two_requests_is_not_noticed(server: Server, postgres: Postgres, person: Person) -> None:
    assert works(server, person)
    postgres.kill()
    postgres.start()
    assert works(server, person)


def test_a_frozen_database_is_waited_for_no_longer_than_the_limits_say(
    server: Server, postgres: Postgres, person: Person
) -> None:
    with traffic(server.port, person.headers) as clients:
        clients.wait_for(50)
        postgres.freeze()
        frozen = time.monotonic()
        server.wait(lambda: any(o.status in (503, 504) for o in clients.since(frozen)), "given up")
        assert (server.probe("/livez")[0], server.probe("/readyz")[0]) == (200, 200)
        postgres.thaw()
        server.wait(lambda: works(server, person), "back")
        back = time.monotonic()
        clients.wait_for(100)
    assert {outcome.status for outcome in clients.outcomes} <= {200, 201, 503, 504}
    assert {outcome.status for outcome in clients.since(back)} == {200, 201}
    assert max(outcome.seconds for outcome in clients.outcomes) < 15


def test_a_database_that_refuses_at_the_start_is_waited_for(
    start: Callable[..., Server], postgres: Postgres, person: Person
) -> None:
    postgres.kill()
    server = start(DATABASE_URL=postgres.url)
    server.wait(lambda: b"waiting for the database" in server.probe("/startupz")[1], "waiting")
    assert (server.probe("/livez")[0], server.probe("/readyz")[0]) == (200, 503)
    assert server.get("/tasks", headers=person.headers)[0] == 503
    assert server.get("/health")[0] == 200
    postgres.start()
    server.ready()
    server.wait(lambda: works(server, person), "serving")
