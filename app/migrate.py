"""Numbered SQL migrations: `app/migrations/NNNN_words.sql`, applied in order, once, by one runner at a time.

A file runs in one transaction unless its first line is `-- no transaction` (for CREATE INDEX CONCURRENTLY); such a
file is split at semicolons that end a line, and must be safe to run again.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"
NO_TRANSACTION = "-- no transaction"
LOCK_KEY = 7_216_454_301  # any constant; names this lock among the database's advisory locks
LOCK_WAIT_S = 60.0  # for another runner to finish
LOCK_TIMEOUT = "500ms"  # a migration queueing behind a query makes every later query queue behind it: give up early
STATEMENT_TIMEOUT = "30s"
BUILD_TIMEOUT = "1h"  # of a statement outside a transaction: concurrent index builds block nobody
ATTEMPTS = 10

CREATE_JOURNAL = """
create table if not exists schema_migrations (
    version integer primary key, sha256 text not null, applied_at timestamptz not null default now()
)"""
RECORD = "insert into schema_migrations (version, sha256) values (%s, %s)"
APPLIED = "select version, sha256 from schema_migrations order by version"
LEVEL = "select coalesce(max(version), 0) from schema_migrations"


class MigrationError(Exception):
    """Migrations cannot go on; the message says which file and what to do."""


class DatabaseUnreachable(MigrationError):  # noqa: N818  # named for the state it reports
    """No connection could be made."""


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, name, text, and the SHA-256 of its bytes as 64 hex digits."""

    version: int
    name: str
    sql: str
    sha256: str

    @property
    def statements(self) -> Sequence[str]:
        """What is sent at once: the whole file, or single statements where no transaction may wrap them."""
        if not self.sql.startswith(NO_TRANSACTION):
            return (self.sql,)
        return tuple(part for part in self.sql.split(";\n") if part.strip())


def read_migrations(directory: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The files in order. Raises MigrationError unless they are numbered 1, 2, 3 and so on."""
    found = []
    for number, path in enumerate(sorted(directory.glob("*.sql")), start=1):
        if path.name.split("_")[0] != f"{number:04}":
            raise MigrationError(f"{path.name}: expected number {number:04} here; numbers start at 0001 without a gap")
        raw = path.read_bytes()
        found.append(Migration(number, path.name, raw.decode(), hashlib.sha256(raw).hexdigest()))
    return tuple(found)


def pending(files: Sequence[Migration], applied: Sequence[tuple[int, str]]) -> tuple[Migration, ...]:
    """The files still to apply. Raises MigrationError where the database's history is not the files' beginning."""
    by_version = {file.version: file for file in files}
    for version, sha256 in applied:
        file = by_version.get(version)
        if file is None:
            raise MigrationError(
                f"migration {version:04} was applied to this database, but its file is missing here: "
                "run the release that brought it, or a newer one"
            )
        if file.sha256 != sha256:
            raise MigrationError(
                f"{file.name} was edited after it was applied (sha256 {file.sha256[:12]}, applied {sha256[:12]}): "
                "restore it and put the change into a new file"
            )
    done = {version for version, _ in applied}
    return tuple(file for file in files if file.version not in done)


def migrate(database_url: str, report: Callable[[str], object] = print, directory: Path = MIGRATIONS) -> int:
    """Bring the database to the newest level, and return that level.

    Safe to run twice and by two runners at once. Raises MigrationError, DatabaseUnreachable.
    """
    files = read_migrations(directory)
    with closing(_connect(database_url)) as connection, _runner_lock(connection):
        connection.execute(CREATE_JOURNAL)
        rows = connection.execute(APPLIED).fetchall()
        for file in pending(files, rows):
            _apply_with_retries(connection, file, report)
            report(f"applied {file.name}")
    return len(files)


def level(database_url: str) -> int:
    """The number of the last migration applied; 0 for an empty database. Raises DatabaseUnreachable."""
    with closing(_connect(database_url)) as connection:
        return read_level(connection)


def read_level(connection: psycopg.Connection) -> int:
    """`level` over an autocommit connection at hand, in one round trip."""
    try:
        row = connection.execute(LEVEL).fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    assert row is not None
    return int(row[0])


def _connect(database_url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(
            database_url,
            autocommit=True,
            connect_timeout=2,
            application_name="primetrade-migrate",
            options=f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}",
        )
    except psycopg.OperationalError as exc:
        raise DatabaseUnreachable(f"no connection to the database: {str(exc).strip()}") from exc


@contextmanager
def _runner_lock(connection: psycopg.Connection) -> Iterator[None]:
    """Let one runner in; polled, since a waiting statement holds a snapshot that concurrent index builds wait for."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while connection.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise MigrationError(f"another migration has been running for {LOCK_WAIT_S:.0f} s: wait for it, then retry")
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (LOCK_KEY,))


def _apply_with_retries(connection: psycopg.Connection, file: Migration, report: Callable[[str], object]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _apply(connection, file)
        except psycopg.errors.LockNotAvailable:
            if attempt == ATTEMPTS:
                raise MigrationError(
                    f"{file.name}: a lock was not free within {LOCK_TIMEOUT}, {ATTEMPTS} times: "
                    "end the long transactions on its tables (pg_stat_activity), then retry"
                ) from None
            pause = min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
            report(f"{file.name}: lock not free within {LOCK_TIMEOUT}, trying again in {pause:.1f} s")
            time.sleep(pause)
        except psycopg.Error as exc:
            raise MigrationError(f"{file.name}: {str(exc).strip()}") from exc
        else:
            return


@contextmanager
def _unhurried(connection: psycopg.Connection) -> Iterator[None]:
    """Time for a concurrent build: it waits for every older transaction, by a lock that lock_timeout would end."""
    connection.execute(f"set statement_timeout = '{BUILD_TIMEOUT}'")
    connection.execute("set lock_timeout = 0")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(f"set statement_timeout = '{STATEMENT_TIMEOUT}'")
            connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")


def _apply(connection: psycopg.Connection, file: Migration) -> None:
    record = (file.version, file.sha256)
    if file.sql.startswith(NO_TRANSACTION):
        with _unhurried(connection):
            for statement in file.statements:
                connection.execute(statement)
            connection.execute(RECORD, record)
        return
    with connection.transaction():
        connection.execute(file.sql)
        connection.execute(RECORD, record)
