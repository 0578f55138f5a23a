"""Backfills: `app/backfills/NNNN_words.sql` brings rows written before migration NNNN into its shape, in batches.

The first line of a file is `-- backfill TABLE by KEY` (an integer key). The rest is one statement that changes the
rows with a key over `%(after)s` and up to `%(upto)s` that still need it, so that running it again changes nothing.
A batch and the note of how far it got are one short transaction: whatever kills a run, the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from app.maintenance import MigrationError, Report, alone, connect, patiently
from app.migrate import read_level

BACKFILLS = Path(__file__).parent / "backfills"
LOCK_KEY = 7_216_454_302  # beside that of migrations
LOCK_WAIT_S = 5.0  # the server takes a moment to see that a killed run is gone
BATCH_TIMEOUT = "5s"
IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled)

CREATE = """
create table if not exists schema_backfills (
    name text primary key, last_key bigint not null, rows bigint not null default 0,
    started_at timestamptz not null default now(), finished_at timestamptz
)"""
BEGIN = "insert into schema_backfills (name, last_key) values (%s, %s) on conflict (name) do nothing"
AGAIN = "delete from schema_backfills where name = %s"
READ = "select last_key, rows, finished_at is not null from schema_backfills where name = %s"
SPAN = "select coalesce(min({key}), 1) - 1, coalesce(max({key}), 0) from {table}"
UPTO = "select max(k) from (select {key} as k from {table} where {key} > %s order by {key} limit %s) as batch"
ADVANCE = "update schema_backfills set last_key = %s, rows = rows + %s where name = %s and last_key = %s returning rows"
FINISH = "update schema_backfills set finished_at = now() where name = %s"
FINISHED = "select name from schema_backfills where finished_at is not null"


class Backfill(msgspec.Struct, frozen=True):
    """One file."""

    name: str  # the file's, without .sql
    level: int  # the database must have reached it
    table: str
    key: str
    sql: str


class Progress(msgspec.Struct, frozen=True):
    """How far a backfill is: keys up to `at` are done, of `first` to `last` when this run began."""

    name: str
    first: int
    last: int
    at: int
    rows: int  # changed, by this run and those it goes on from
    finished: bool = False


class Options(msgspec.Struct, frozen=True):
    """How gently to go, and from where."""

    batch: int = 1000  # rows looked at in one transaction
    pause: float = 0.05  # seconds between two
    again: bool = False  # from the first row, also where it was finished


def read_backfills(directory: Path = BACKFILLS) -> tuple[Backfill, ...]:
    """The files in order. Raises MigrationError for one that is not as the module says."""
    found = []
    for path in sorted(directory.glob("*.sql")):
        text, number = path.read_text(), path.name.split("_")[0]
        match text.partition("\n")[0].split():
            case ["--", "backfill", table, "by", key] if (
                number.isdigit() and "%(after)s" in text and "%(upto)s" in text
            ):
                found.append(Backfill(path.stem, int(number), table, key, text))
            case _:
                raise MigrationError(
                    f"{path.name}: expected NNNN_words.sql with the first line `-- backfill TABLE by KEY`, and the "
                    "bounds %(after)s and %(upto)s in its statement"
                )
    return tuple(found)


def finished(connection: psycopg.Connection) -> frozenset[str]:
    """The names of those that came to their end in this database."""
    try:
        return frozenset(name for (name,) in connection.execute(FINISHED))
    except psycopg.errors.UndefinedTable:
        return frozenset()


def run(
    database_url: str,
    backfill: Backfill,
    options: Options = Options(),  # noqa: B008  # frozen
    on_batch: Callable[[Progress], object] = lambda progress: None,
    report: Report = print,
) -> Progress:
    """Bring a backfill to its end, from where it was left.

    Raises MigrationError; Busy while another runs. Safe to end at any moment.
    """
    try:
        with (
            closing(connect(database_url, "primetrade-backfill")) as connection,
            alone(connection, LOCK_KEY, LOCK_WAIT_S, "backfill"),
        ):
            progress = _begin(connection, backfill, again=options.again)
            on_batch(progress)
            while not progress.finished:
                batch = partial(_batch, connection, backfill, progress, options.batch)
                progress = patiently(backfill.name, batch, report, IN_THE_WAY)
                on_batch(progress)
                time.sleep(0 if progress.finished else options.pause)
    except psycopg.Error as exc:
        raise MigrationError(
            f"{backfill.name}: {str(exc).strip()}. What was done is kept: "
            f"`primetrade db backfill {backfill.name}` goes on from there"
        ) from exc
    return progress


def _begin(connection: psycopg.Connection, backfill: Backfill, *, again: bool) -> Progress:
    level = read_level(connection)
    if level < backfill.level:
        raise MigrationError(
            f"{backfill.name} needs schema level {backfill.level}, the database has {level}: "
            "run `primetrade db migrate` first"
        )
    connection.execute(f"set statement_timeout = '{BATCH_TIMEOUT}'")
    connection.execute(CREATE)
    if again:
        connection.execute(AGAIN, (backfill.name,))
    first, last = _one(connection, _named(SPAN, backfill), ())
    connection.execute(BEGIN, (backfill.name, first))
    return Progress(backfill.name, first, last, *_one(connection, READ, (backfill.name,)))


def _batch(connection: psycopg.Connection, backfill: Backfill, here: Progress, rows: int) -> Progress:
    with connection.transaction():
        (upto,) = _one(connection, _named(UPTO, backfill), (here.at, rows))
        if upto is None:
            connection.execute(FINISH, (backfill.name,))
            return msgspec.structs.replace(here, finished=True)
        bounds = {"after": here.at, "upto": upto}
        changed = connection.execute(backfill.sql, bounds).rowcount
        (total,) = _one(connection, ADVANCE, (upto, changed, backfill.name, here.at))
    return msgspec.structs.replace(here, at=upto, rows=total)


def _named(text: str, backfill: Backfill) -> sql.Composed:
    return sql.SQL(text).format(table=sql.Identifier(backfill.table), key=sql.Identifier(backfill.key))


def _one(connection: psycopg.Connection, query: str | sql.Composed, parameters: Sequence[object]) -> tuple[Any, ...]:
    """The one row. Raises MigrationError without one: the note of the progress is not as this run left it."""
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise MigrationError("another run moved this backfill on meanwhile: look who runs it, then go on")
    return row
