"""PostgreSQL behind a pool: bounded waits, broken connections replaced, reads retried once, errors as problems."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.rows import args_row
from psycopg_pool import ConnectionPool

from app.breaker import Breaker
from app.call import remaining_s, spent
from app.problems import Problem, unavailable

T = TypeVar("T")
Parameters = Sequence[object] | Mapping[str, object]

CONNECT_S = 2
CHECKOUT_S = 1.0
FRESH_S = 0.1  # a connection used so lately is taken as alive: no server ends and is back within that
CLIENT_S = 6.0  # the server ends a statement after 5 s; this ends the wait for a server that is itself frozen
# Asked for once connected: RDS Proxy refuses a connection that brings options.
SESSION = "SET statement_timeout = '5s'; SET lock_timeout = '2s'; SET timezone = 'UTC'"
RECONNECT_S = 1.0  # psycopg_pool doubles its pauses up to this; a longer one delays recovery by as much


class TimedConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than `limit_s` for an answer, and is closed when none came."""

    limit_s = CLIENT_S
    used_at = 0.0  # time.monotonic() when it was given back

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.limit_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self.pgconn.finish()  # the answer may still come: this connection is of no more use
            raise


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.execute(SESSION)


class PoolFigures(msgspec.Struct, frozen=True):
    """The pool now: connections (size, available), requests waiting, and the waits so far (seconds, count)."""

    size: int
    available: int
    waiting: int
    wait_s: float
    checkouts: int


class Database:
    """The pool. Opened in the process that uses it: connections do not survive a fork."""

    def __init__(self, database_url: str, max_size: int) -> None:
        self.breaker = Breaker(threshold=3, pause_s=1.0)
        self._pool = ConnectionPool(
            database_url,
            connection_class=TimedConnection,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_S,
                "application_name": "primetrade-app",
            },
            configure=_configure,
            min_size=min(2, max_size),
            max_size=max_size,
            open=False,
            timeout=CHECKOUT_S,
            max_waiting=max_size,
            max_idle=30.0,
            max_lifetime=1800.0,
            reconnect_timeout=RECONNECT_S,
            name="database",
        )
        self._lock = threading.Lock()
        self._in_use = 0
        self._wait_s = 0.0
        self._checkouts = 0

    def open(self) -> None:
        with self._lock:
            self._pool.open()

    def close(self) -> None:
        self._pool.close(timeout=2.0)

    def read(self, make: Callable[..., T], sql: str, parameters: Parameters = ()) -> list[T]:
        """All rows, each as make(*columns); tried again once when the connection breaks under it. Raises Problem."""
        for last_try in (False, True):
            try:
                return self._run(make, sql, parameters)
            except psycopg.OperationalError as exc:
                if last_try or remaining_s() <= 0:
                    raise unavailable("database-unavailable", "The connection broke twice while reading.") from exc
        raise AssertionError("unreachable")  # pragma: no cover

    def read_one(self, make: Callable[..., T], sql: str, parameters: Parameters = ()) -> T | None:
        """The first row, or None."""
        rows = self.read(make, sql, parameters)
        return rows[0] if rows else None

    def write(self, make: Callable[..., T], sql: str, parameters: Parameters = ()) -> T | None:
        """Run one statement that changes rows and give its first row; never repeated by itself. Raises Problem."""
        try:
            rows = self._run(make, sql, parameters)
        except psycopg.OperationalError as exc:
            detail = "The connection broke while writing: read before you try again, it may have been done."
            raise unavailable("database-unavailable", detail) from exc
        return rows[0] if rows else None

    def figures(self) -> PoolFigures:
        stats = self._pool.get_stats()
        return PoolFigures(
            stats.get("pool_size", 0),
            stats.get("pool_available", 0),
            stats.get("requests_waiting", 0),
            self._wait_s,
            self._checkouts,
        )

    def _run(self, make: Callable[..., T], sql: str, parameters: Parameters) -> list[T]:
        """Raises OperationalError only when the connection is lost; Problem for what is slow, busy or impossible."""
        with self.connection() as connection:
            started = time.monotonic()
            try:
                with connection.cursor(row_factory=args_row(make)) as cursor:
                    return cursor.execute(sql, parameters).fetchall()
            except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as exc:
                raise unavailable("database-busy", "A statement was ended by its time limit.") from exc
            except psycopg.DataError as exc:
                raise Problem("invalid-request", "A value cannot be stored: a NUL, or a number out of range.") from exc
            except psycopg.OperationalError as exc:
                if remaining_s() <= 0:
                    raise Problem("deadline-exceeded") from exc
                if connection.closed:
                    raise
                raise unavailable("database-unavailable", "The database refused a statement.") from exc
            finally:
                spent("database", time.monotonic() - started)

    @contextmanager
    def connection(self) -> Iterator[TimedConnection]:
        """A live connection for a few statements. Raises Problem when there is none in time."""
        left = remaining_s()
        if left <= 0:
            raise Problem("deadline-exceeded")
        if not self.breaker.allow():
            raise unavailable("database-unavailable", "The database did not answer a moment ago.")
        connection = self._checkout(min(CHECKOUT_S, left))
        connection.limit_s = min(CLIENT_S, left)
        try:
            yield connection
        finally:
            with self._lock:
                self._in_use -= 1
            connection.used_at = time.monotonic()
            self._pool.putconn(connection)

    def _checkout(self, timeout_s: float) -> TimedConnection:
        if self._pool.closed:
            self.open()
        started = time.monotonic()
        try:
            while not _alive(connection := self._pool.getconn(timeout=started + timeout_s - time.monotonic())):
                self._pool.putconn(connection)  # the pool opens another in its place
        except psycopg.OperationalError as exc:
            if self._in_use == 0:  # nobody holds one: the database is away, the pool is not just busy
                self.breaker.failure()
                raise unavailable("database-unavailable", "No connection could be made in time.") from exc
            raise unavailable("database-busy", "All connections to the database are in use.") from exc
        self.breaker.success()
        waited = time.monotonic() - started
        with self._lock:
            self._in_use += 1
            self._wait_s += waited
            self._checkouts += 1
        return connection


def _alive(connection: TimedConnection) -> bool:
    """Whether an idle connection still works, for a microsecond where it does.

    A server that closed it has sent something, if only the end: silence needs no question. Noise gets a round trip.
    """
    if connection.closed:
        return False
    if time.monotonic() - connection.used_at < FRESH_S:
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        connection.limit_s = CHECKOUT_S
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return False
    return True
