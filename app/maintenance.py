"""Work on a database beside its users: nobody queues behind it for long, and one of a kind runs at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, LiteralString, TypeVar

import psycopg

# A migration that queues behind a query makes every later query queue behind it: it gives up early.
LOCK_TIMEOUT: Final = "500ms"
STATEMENT_TIMEOUT: Final = "30s"
# Not brought as options of the connection, which RDS Proxy refuses.
SESSION: LiteralString = f"SET lock_timeout = '{LOCK_TIMEOUT}'; SET statement_timeout = '{STATEMENT_TIMEOUT}'"
ATTEMPTS = 10

R = TypeVar("R")
Report = Callable[[str], object]


class MigrationError(Exception):
    """Migrations cannot go on; the message says which file and what to do."""


class DatabaseUnreachable(MigrationError):  # noqa: N818  # named for the state it reports
    """No connection could be made."""


class Busy(MigrationError):  # noqa: N818  # as above
    """Another runner is at work; the message says which."""


def connect(database_url: str, name: str = "primetrade-migrate") -> psycopg.Connection:
    """An autocommit connection with short limits, so that nobody queues behind it for long. Raises MigrationError."""
    try:
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=2, application_name=name)
        connection.execute(SESSION)
    except psycopg.OperationalError as exc:
        raise DatabaseUnreachable(f"no connection to the database: {str(exc).strip()}") from exc
    except psycopg.ProgrammingError:  # its words, and its traceback, hold the address and so may hold a password
        raise MigrationError("the database's address is none: write postgresql://USER:PASSWORD@HOST/NAME") from None
    return connection


@contextmanager
def alone(connection: psycopg.Connection, key: int, wait_s: float, what: str) -> Iterator[None]:
    """Let one runner in; polled, since a waiting statement holds a snapshot that concurrent index builds wait for."""
    deadline = time.monotonic() + wait_s
    while connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise Busy(f"another {what} is running, for {wait_s:.0f} s at least: wait for it, then retry")
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (key,))


def patiently(
    what: str,
    act: Callable[[], R],
    report: Report,
    hindrances: tuple[type[psycopg.Error], ...] = (psycopg.errors.LockNotAvailable,),
) -> R:
    """What `act` returns, tried again after a growing pause when others are in its way. Raises MigrationError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return act()
        except hindrances as exc:
            why = str(exc).splitlines()[0]
        if attempt < ATTEMPTS:
            pause = min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
            report(f"{what}: {why}; trying again in {pause:.1f} s")
            time.sleep(pause)
    raise MigrationError(
        f"{what}: {why}, {ATTEMPTS} times: end the long transactions on its tables (pg_stat_activity), then retry"
    )
