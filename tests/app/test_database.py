"""The pool: bounded waits, broken connections replaced, reads tried again, slow statements ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app import maintenance
from app.call import Call, current
from app.database import FRESH_S
from app.problems import Problem
from tests.app.world import Api


@pytest.fixture
def one(serve: Callable[..., Api]) -> Api:
    """An application with a single connection."""
    return serve(THREADS="1")


def slug(refused: pytest.ExceptionInfo[Problem]) -> str:
    return refused.value.slug


def test_when_all_connections_are_in_use_a_request_waits_a_second_and_gets_503(one: Api) -> None:
    person = one.person()
    with one.runtime.database.connection():
        answer = one.get("/tasks", person)
    assert (answer.status_code, answer.get_json()["type"]) == (503, "urn:primetrade:problem:database-busy")
    assert answer.headers["Retry-After"] == "1"
    assert one.get("/tasks", person).status_code == 200


def test_health_answers_while_the_pool_is_exhausted(one: Api) -> None:
    with one.runtime.database.connection():
        answer = one.get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "DEGRADED")


def test_no_more_wait_for_a_connection_than_there_are_threads(one: Api) -> None:
    database = one.runtime.database

    def read() -> str:
        try:
            database.read(int, "select 1")
        except Problem as problem:
            return problem.slug
        return "read"

    with database.connection(), ThreadPoolExecutor(8) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda _: (read(), time.monotonic() - started), range(8)))
    assert {word for word, _ in answers} == {"database-busy"}
    assert one.runtime.database.read(int, "select 1") == [1]


def end_connections(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(
            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity "
            "where application_name = 'primetrade-app' and datname = current_database()"
        ).fetchone()[0]  # type: ignore[index]  # an aggregate has a row


def test_connections_that_broke_while_idle_are_replaced_before_anybody_notices(api: Api) -> None:
    person = api.person()
    for _ in range(3):
        assert api.get("/tasks", person).status_code == 200
        assert end_connections(api.database_url) > 0
        time.sleep(FRESH_S)  # one that was used just now is taken as alive
        assert api.post("/tasks", {"title": "t"}, person).status_code == 201


def test_a_read_that_loses_its_connection_is_tried_again_once(one: Api) -> None:
    database = one.runtime.database
    database.read(int, "select 1")
    sql = "select pg_terminate_backend(pg_backend_pid())::int"
    with pytest.raises(Problem) as refused:
        database.read(int, sql)
    assert slug(refused) == "database-unavailable"
    lost_once = """select case when now() - backend_start > interval '0.3 s' then pg_terminate_backend(pid)::int else 0
        end from pg_stat_activity where pid = pg_backend_pid()"""
    time.sleep(0.4)
    assert database.read(int, lost_once) == [0]


def test_a_write_that_loses_its_connection_is_not_repeated(api: Api) -> None:
    database = api.runtime.database
    with pytest.raises(Problem) as refused:
        database.write(int, "select pg_terminate_backend(pg_backend_pid())::int")
    assert slug(refused) == "database-unavailable"
    assert "read before you try again" in refused.value.detail


def test_a_statement_over_its_time_is_ended_and_the_connection_stays_good(one: Api) -> None:
    database = one.runtime.database
    with database.connection() as connection:
        connection.execute("set statement_timeout = '50ms'")
        backend = connection.info.backend_pid
    with pytest.raises(Problem) as refused:
        database.read(str, "select pg_sleep(5)")
    assert slug(refused) == "database-busy"
    with database.connection() as connection:
        assert connection.info.backend_pid == backend
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_row_locked_by_another_is_not_waited_for_beyond_the_limit(one: Api) -> None:
    owner = one.person()
    task = one.task(owner)
    with one.runtime.database.connection() as connection:
        connection.execute("set lock_timeout = '50ms'")
    with psycopg.connect(one.database_url) as other:
        other.execute("select * from tasks where id = %s for update", (task["id"],))
        answer = one.call("PATCH", f"/tasks/{task['id']}", owner, json={"title": "t"})
    assert (answer.status_code, answer.get_json()["type"]) == (503, "urn:primetrade:problem:database-busy")


def test_an_answer_that_does_not_come_by_the_deadline_is_not_waited_for(api: Api) -> None:
    call = Call(api.runtime)
    call.deadline = time.monotonic() + 0.3
    token = current.set(call)
    try:
        with pytest.raises(Problem) as refused:
            api.runtime.database.read(str, "select pg_sleep(4)")
        assert slug(refused) == "deadline-exceeded"
        with pytest.raises(Problem) as refused:
            api.runtime.database.read(int, "select 1")
        assert slug(refused) == "deadline-exceeded"
    finally:
        current.reset(token)
    assert api.runtime.database.read(int, "select 1") == [1]


def test_every_session_has_the_limits_of_the_ladder(api: Api) -> None:
    def shown(name: str) -> list[str]:
        return api.runtime.database.read(str, f"show {name}")

    assert [shown(name) for name in ("statement_timeout", "lock_timeout", "timezone")] == [["5s"], ["2s"], ["UTC"]]


def test_no_connection_brings_options_which_rds_proxy_refuses(api: Api, database_url: str) -> None:
    with api.runtime.database.connection() as pooled, maintenance.connect(database_url) as alone:
        assert ("", "") == (pooled.info.options, alone.info.options)


def test_a_database_that_is_away_is_503_at_once_after_a_few_tries(serve: Callable[..., Api]) -> None:
    api = serve()
    person = api.person()
    away = serve(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    answers = [away.get("/tasks", person) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.get_json()["type"] for answer in answers} == {"urn:primetrade:problem:database-unavailable"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert "a moment ago" in answers[-1].get_json()["detail"]
    health = away.get("/health").get_json()
    assert (health["status"], health["database"], health["redis"]) == ("DEGRADED", "DOWN", "OK")
