"""The task API's schema in the local system: brought up to date before the first release, then only looked at."""

from __future__ import annotations

from itertools import takewhile

from scripts.local.errors import LocalError
from scripts.local.processes import Report


def migrate(database_url: str, report: Report) -> None:
    """Bring the schema up to date. Raises LocalError."""
    import psycopg  # noqa: PLC0415  # slow to import, and `--help` needs none of it

    from app import migrate as migrations  # noqa: PLC0415  # only `up` needs the application

    try:
        migrations.migrate(database_url, report)
    except (migrations.MigrationError, psycopg.Error) as exc:
        raise LocalError(
            f"the schema was not brought up to date: {str(exc).strip()}; "
            "correct what it names, then run `primetrade local up` again"
        ) from exc


def look(database_url: str, report: Report) -> None:
    """Say how far the schema is behind. It stays: a release that runs may not work with what comes next."""
    import psycopg  # noqa: PLC0415  # as above

    from app import migrate as migrations  # noqa: PLC0415  # as above

    try:
        now = migrations.level(database_url)
        waiting = [file for file in migrations.read_migrations() if file.version > now]
    except (migrations.MigrationError, psycopg.Error) as exc:  # no reason to leave the users without their slots
        report(f"schema: not looked at: {str(exc).strip()}")
        return
    if safe := list(takewhile(lambda file: not file.is_contract, waiting)):
        report(
            f"schema: left at level {now}, since a release is there; the next release's schema.expand leads on, and "
            f"`primetrade db migrate` to {safe[-1].version} at once: see before that what runs works with it"
        )
