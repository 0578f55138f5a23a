"""The servers the tests and the local system stand on are real, and restart where they stopped."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.local import postgres
from scripts.local.errors import StartError
from scripts.local.ports import free_port
from scripts.local.processes import alive, marked, start, stop, wait_ready
from tests.local.traffic import until


def test_new_databases_are_empty_and_apart(new_database: Callable[..., str]) -> None:
    """What one test writes, the next does not see."""
    first, second = new_database(), new_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE mine (id int)")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_valkey_wants_its_password(redis_url: str) -> None:
    """A client without the password is refused; with it the cache evicts the least used keys."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        port = client.connection_pool.connection_kwargs["port"]
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_postgres_is_durable_and_keeps_its_data_over_a_kill(home: Path) -> None:
    """It runs with fsync; a row committed before SIGKILL is there after the next start."""
    home.mkdir()
    port, password = free_port(), secrets.token_hex(16)
    process = postgres.launch(home, port, password)
    try:
        postgres.wait(process, port, password, print)
        with psycopg.connect(postgres.url(port, password), autocommit=True) as connection:
            durable = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
            assert durable == [("on",), ("on",)]
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        stop(home, postgres.NAME, process, 0)
        assert not alive(process)
        process = postgres.launch(home, port, password)
        postgres.wait(process, port, password, print)
        with psycopg.connect(postgres.url(port, password)) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.url(port, "wrong"))
    finally:
        stop(home, postgres.NAME, process, postgres.STOP_GRACE_S, postgres.STOP_SIGNAL)
    assert marked(home) == []


def test_who_was_started_can_be_found_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has no environment in the moment after it was executed."""
    home.mkdir()
    read, empty = psutil.Process.environ, iter([True, True])
    monkeypatch.setattr(psutil.Process, "environ", lambda self: {} if next(empty, False) else read(self))
    process = start(home, "a", ["sleep", "60"])
    assert [process.pid] == [each.pid for each in marked(home)]
    stop(home, "a", process, 1)


def test_stop_ends_children_and_unrecorded_processes(home: Path) -> None:
    """Whatever carries the name's mark ends, recorded or not, deaf to SIGTERM or not; other names live on."""
    home.mkdir()
    start(home, "a", ["sh", "-c", "trap '' TERM; sleep 60 & sleep 60"])
    other = start(home, "b", ["sleep", "60"])
    until(lambda: len(marked(home, "a")) > 1 and bool(marked(home, "b")), "they have their marks")
    stop(home, "a", None, 0.2)
    assert [other.pid] == [process.pid for process in marked(home)]
    stop(home, "b", other, 1)
    assert marked(home) == []


def test_a_process_that_ends_while_starting_is_told_with_its_log(home: Path) -> None:
    """The message carries the last lines the process wrote."""
    home.mkdir()
    process = start(home, "broken", ["sh", "-c", "echo no such setting: colour; exit 3"])
    with pytest.raises(StartError, match="no such setting: colour"):
        wait_ready(process, lambda: "not listening", 10, print)


def test_a_program_that_is_missing_is_named(home: Path) -> None:
    """The message names the program, not a traceback."""
    home.mkdir()
    with pytest.raises(StartError, match="cannot run /nonexistent/program"):
        start(home, "ghost", ["/nonexistent/program"])
