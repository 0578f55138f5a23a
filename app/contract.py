"""The contract step: what removes or forbids an old shape, once nothing needs that shape any more.

Whether a release that runs needs it is the caller's to know; the rows are looked after here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg

from app import backfill, migrate
from app.backfill import BACKFILLS, Backfill, Progress, finished, read_backfills
from app.maintenance import MigrationError, Report
from app.migrate import MIGRATIONS, Migration, read_migrations

LEFT_BEHIND = backfill.Options(batch=10_000, again=True)  # few rows to change: a batch is read, hardly written


def upcoming(database_url: str, directory: Path = MIGRATIONS, backfills: Path = BACKFILLS) -> Migration | None:
    """The next migration if it is a contract step that may be applied; None when no migration is left to apply.

    Raises MigrationError when others come first: a migration that is no contract step, an unfinished backfill.
    """
    with migrate.runner(database_url) as connection:
        return _upcoming(connection, directory, backfills)


def sweep(
    database_url: str,
    file: Migration,
    on_batch: Callable[[Progress], object] = lambda progress: None,
    report: Report = print,
    backfills: Path = BACKFILLS,
) -> int:
    """Run the backfill of a contract step once more, for rows that an old release wrote behind it; how many those were.

    Raises MigrationError.
    """
    if not file.backfill:
        return 0
    report(f"{file.backfill} once more, for rows that an old release wrote behind it")
    return backfill.run(database_url, _named(file, backfills), LEFT_BEHIND, on_batch, report).rows


def apply(
    database_url: str,
    file: Migration,
    report: Report = print,
    directory: Path = MIGRATIONS,
    backfills: Path = BACKFILLS,
) -> None:
    """Apply a contract step. Raises MigrationError, also where it is not the next one any more."""
    with migrate.runner(database_url) as connection:
        if _upcoming(connection, directory, backfills) != file:
            raise MigrationError(f"{file.name} was applied by another run meanwhile: `primetrade db contract` again")
        migrate.apply(connection, file, report)


def _upcoming(connection: psycopg.Connection, directory: Path, backfills: Path) -> Migration | None:
    file = next(iter(migrate.waiting(connection, read_migrations(directory))), None)
    if file is None:
        return None
    if not file.is_contract:
        raise MigrationError(f"{file.name} comes first and is no contract step: run `primetrade db migrate`")
    if file.backfill and _named(file, backfills).name not in finished(connection):
        raise MigrationError(
            f"{file.name} comes after backfill {file.backfill}, which is not finished: "
            f"run `primetrade db backfill {file.backfill}` to its end"
        )
    return file


def _named(file: Migration, backfills: Path) -> Backfill:
    for found in read_backfills(backfills):
        if found.name == file.backfill:
            return found
    raise MigrationError(f"{file.name}: there is no backfill {file.backfill} in {backfills.name}/: correct the name")
