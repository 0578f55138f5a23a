"""Numbered SQL migrations: `app/migrations/NNNN_words.sql`, applied in order, once, by one runner at a time.

`python -m app.migrate` applies them to $DATABASE_URL, up to $SCHEMA_LEVEL where that is set: the image has that, and
not the operator's command. With $OWNER_DATABASE_URL it does so as that user, and lets the user of $DATABASE_URL in
(`app/grants.py`).

The comment that opens a file says what it is, one of these a line:

- `-- contract`: it removes or forbids an old shape. `migrate` stops before it; `app/contract.py` applies it.
- `-- after backfill NAME`: a contract step that waits for a backfill (`app/backfill.py`).
- `-- no transaction`: its statements (they end with a semicolon and a line end) run one by one, for CREATE INDEX
  CONCURRENTLY and VALIDATE CONSTRAINT; it must be safe to run again. Any other file runs in one transaction.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path

import msgspec
import psycopg

from app.maintenance import (
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    DatabaseUnreachable,
    MigrationError,
    Report,
    alone,
    connect,
    patiently,
)

__all__ = ["DatabaseUnreachable", "Migration", "MigrationError", "level", "migrate", "read_level", "read_migrations"]

MIGRATIONS = Path(__file__).parent / "migrations"
CONTRACT = "-- contract"
AFTER_BACKFILL = "-- after backfill "
NO_TRANSACTION = "-- no transaction"
LOCK_KEY = 7_216_454_301  # any constant; names this lock among the database's advisory locks
LOCK_WAIT_S = 60.0  # for another runner to finish
BUILD_TIMEOUT = "1h"  # of a statement outside a transaction: concurrent builds and validations block nobody
BLOCKS_NOBODY = ("concurrently", "validate constraint")  # nor does a statement of these while it waits for its lock

CREATE_JOURNAL = """
create table if not exists schema_migrations (
    version integer primary key, sha256 text not null, applied_at timestamptz not null default now()
)"""
RECORD = "insert into schema_migrations (version, sha256) values (%s, %s)"
APPLIED = "select version, sha256 from schema_migrations order by version"
LEVEL = "select coalesce(max(version), 0) from schema_migrations"
INVALID = "select string_agg(indexrelid::regclass::text, ', ') from pg_index where not indisvalid"


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, name, text, and the SHA-256 of its bytes as 64 hex digits."""

    version: int
    name: str
    sql: str
    sha256: str

    @property
    def header(self) -> tuple[str, ...]:
        return read_header(self.sql)

    @property
    def is_contract(self) -> bool:
        return CONTRACT in self.header

    @property
    def backfill(self) -> str:
        """The name of the backfill that must be finished before; "" for none."""
        return next((line.removeprefix(AFTER_BACKFILL) for line in self.header if line.startswith(AFTER_BACKFILL)), "")

    @property
    def statements(self) -> Sequence[str]:
        """What is sent at once: the whole file, or single statements where no transaction may wrap them."""
        if NO_TRANSACTION not in self.header:
            return (self.sql,)
        code = "\n".join(line for line in self.sql.splitlines() if not line.startswith("--"))
        return tuple(part for part in code.split(";\n") if part.strip())


def read_header(text: str) -> tuple[str, ...]:
    """The lines of the comment that opens a file."""
    return tuple(takewhile(lambda line: line.startswith("--"), map(str.rstrip, text.splitlines())))


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


def migrate(database_url: str, report: Report = print, directory: Path = MIGRATIONS, target: int | None = None) -> int:
    """Bring the database to `target`, or the newest level, but past no contract step; return the level reached.

    Safe to run twice and by two runners at once. Raises MigrationError, DatabaseUnreachable.
    """
    with runner(database_url) as connection:
        files = read_migrations(directory)
        for file in waiting(connection, files):
            if target is not None and file.version > target:
                report(f"stopped before {file.name}: level {target} was asked for")
                return file.version - 1
            if file.is_contract:
                report(f"stopped before {file.name}, a contract step: `primetrade db contract` applies it")
                return file.version - 1
            apply(connection, file, report)
        return len(files)


def waiting(connection: psycopg.Connection, files: Sequence[Migration]) -> tuple[Migration, ...]:
    """The files still to apply. Raises MigrationError as `pending`."""
    connection.execute(CREATE_JOURNAL)
    return pending(files, connection.execute(APPLIED).fetchall())


def apply(connection: psycopg.Connection, file: Migration, report: Report) -> None:
    """Apply one file and write it down; a lock that is not free is tried for again. Raises MigrationError."""
    try:
        patiently(file.name, lambda: _apply(connection, file), report)
    except psycopg.Error as exc:
        raise MigrationError(f"{file.name}: {str(exc).strip()}") from exc
    report(f"applied {file.name}")


def level(database_url: str) -> int:
    """The number of the last migration applied; 0 for an empty database. Raises DatabaseUnreachable."""
    with closing(connect(database_url)) as connection:
        return read_level(connection)


def read_level(connection: psycopg.Connection) -> int:
    """`level` over an autocommit connection at hand, in one round trip."""
    try:
        row = connection.execute(LEVEL).fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    assert row is not None
    return int(row[0])


@contextmanager
def runner(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection that applies migrations, alone. Raises MigrationError, DatabaseUnreachable."""
    with closing(connect(database_url)) as connection, alone(connection, LOCK_KEY, LOCK_WAIT_S, "migration"):
        yield connection


@contextmanager
def _unhurried(connection: psycopg.Connection, statement: str) -> Iterator[None]:
    """Time for a long statement that blocks nobody, and for the older transactions it waits for by a lock."""
    connection.execute(f"set statement_timeout = '{BUILD_TIMEOUT}'")
    if any(words in statement.lower() for words in BLOCKS_NOBODY):
        connection.execute("set lock_timeout = 0")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(f"set statement_timeout = '{STATEMENT_TIMEOUT}'")
            connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")


def _apply(connection: psycopg.Connection, file: Migration) -> None:
    record = (file.version, file.sha256)
    if NO_TRANSACTION in file.header:
        for statement in file.statements:
            with _unhurried(connection, statement):
                connection.execute(statement)
        _refuse_invalid_index(connection, file)
        connection.execute(RECORD, record)
        return
    with connection.transaction():
        connection.execute(file.sql)
        connection.execute(RECORD, record)


def _refuse_invalid_index(connection: psycopg.Connection, file: Migration) -> None:
    """What a concurrent build leaves when it is cut short: it costs every write, serves no read, and has the name."""
    (names,) = connection.execute(INVALID).fetchone() or (None,)
    if names:
        raise MigrationError(
            f"{file.name}: invalid index: {names}. A concurrent build was cut short, or runs elsewhere: wait for it, "
            f"or `drop index concurrently {names}`, then retry"
        )


def main() -> int:
    """The migration Job: its last line is the level, or why that was not reached; the exit code is 0, 1 or 2."""
    url, wanted = os.environ.get("DATABASE_URL"), os.environ.get("SCHEMA_LEVEL", "")
    owner = os.environ.get("OWNER_DATABASE_URL")
    if not url:
        sys.stderr.write("DATABASE_URL is not set: name the database to migrate\n")
        return 2
    if wanted and not wanted.isdecimal():
        sys.stderr.write(f"SCHEMA_LEVEL is {wanted!r}: give the number of the last migration to apply, or none\n")
        return 2
    try:
        reached = migrate(owner or url, target=int(wanted) if wanted else None)
        if owner:
            from app.grants import let_in  # noqa: PLC0415 - which migrates as this module does

            let_in(owner, url)
    except MigrationError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"schema level {reached}\n")
    if wanted and reached < int(wanted):
        sys.stderr.write(
            f"level {wanted} was asked for, and these migrations lead to {reached} without a contract step\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
