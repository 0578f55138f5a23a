"""The application's own role in PostgreSQL, where the tables belong to another: it changes rows, and no table.

Whoever migrates makes it, and says its password each time, so that a new password comes with a release. An identity
column asks for no right to its sequence, and a foreign key acts as the owner of its table.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app.maintenance import MigrationError, Report
from app.migrate import runner

JOURNALS: Final = ("schema_migrations", "schema_backfills")  # of which the application reads at most
FOUND: Final = "select exists (select from pg_roles where rolname = %s)"
TABLES: Final = "select tablename from pg_tables where schemaname = 'public' order by tablename"


def let_in(owner_url: str, app_url: str, report: Report = print) -> None:
    """Let the user of `app_url` read and write the rows of every table of the owner's, and nothing else.

    Safe to run twice and by two runners at once. Raises MigrationError, DatabaseUnreachable.
    """
    name, password = _login(app_url)
    if name == conninfo_to_dict(owner_url).get("user"):
        raise MigrationError(f"DATABASE_URL and OWNER_DATABASE_URL both name {name}: give the application its own user")
    with runner(owner_url) as connection:
        try:
            with connection.transaction():
                _let_in(connection, name, password)
        except psycopg.Error as exc:
            raise MigrationError(f"rights of {name}: {str(exc).strip()}") from exc
    report(f"{name} reads and writes rows, and changes no table")


def _login(url: str) -> tuple[str, str]:
    found = conninfo_to_dict(url)
    if not found.get("user") or not found.get("password"):
        raise MigrationError("DATABASE_URL has no user, or no password: the owner gives the application both")
    return str(found["user"]), str(found["password"])


def _let_in(connection: psycopg.Connection, name: str, password: str) -> None:
    role = sql.Identifier(name)
    if connection.execute(FOUND, (name,)).fetchone() != (True,):
        connection.execute(sql.SQL("create role {} login").format(role))
    # What is sent is its fingerprint, so that no log of statements has the password.
    sealed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} login password {}").format(role, sealed))
    connection.execute(sql.SQL("grant usage on schema public to {}").format(role))
    for (table,) in connection.execute(TABLES).fetchall():
        rights = "select" if table in JOURNALS else "select, insert, update, delete"
        connection.execute(
            sql.SQL("grant {} on {} to {}").format(sql.SQL(rights), sql.Identifier("public", table), role)
        )
