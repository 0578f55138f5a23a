"""`primetrade db`: the schema and the data of the task service."""

from __future__ import annotations

import json
import os

import click

from app.migrate import MigrationError, migrate
from scripts.console import say
from scripts.exits import Exit, Failed, exits


@click.group()
def command() -> None:
    """The schema and the data of the task service."""


def _url(database_url: str | None) -> str:
    """The URL given, else $DATABASE_URL, else the local system's."""
    if database_url or (database_url := os.environ.get("DATABASE_URL")):
        return database_url
    raise Failed("which database? Give --database-url, or set DATABASE_URL", Exit.USAGE)


database_url_option = click.option("--database-url", metavar="URL", help="postgresql://…; default: $DATABASE_URL.")


@command.command(name="migrate")
@database_url_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@exits({MigrationError: Exit.ERROR})
def migrate_(database_url: str | None, as_json: bool) -> None:
    """Bring the database to the newest schema level.

    Example: primetrade db migrate --database-url postgresql://localhost/primetrade
    """
    applied: list[str] = []
    level = migrate(_url(database_url), applied.append if as_json else say)
    if as_json:
        click.echo(json.dumps({"level": level, "log": applied}))
    else:
        say(f"schema level {level}")
