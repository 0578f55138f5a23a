"""`primetrade db`: the schema and the data of the task service."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.migrate import MigrationError
from loadtest.errors import LoadError
from scripts.console import say
from scripts.exits import Exit, Failed, exits
from scripts.local.errors import LocalError, NotUpError

if TYPE_CHECKING:
    from scripts.local.state import State

LOCAL_ERRORS: dict[type[Exception], Exit] = {LocalError: Exit.ERROR, NotUpError: Exit.USAGE}

database_url_option = click.option(
    "--database-url", envvar="DATABASE_URL", metavar="URL", help="Default: $DATABASE_URL, else the local system's."
)
home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Of the local system. Default: $PRIMETRADE_LOCAL, or .local in the repository.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The schema and the data of the task service.

    Example: primetrade db migrate
    """


@command.command()
@database_url_option
@home_option
@json_option
@exits({MigrationError: Exit.ERROR, **LOCAL_ERRORS})
def migrate(database_url: str | None, home: Path | None, as_json: bool) -> None:
    """Bring the database to the newest schema level.

    Example: primetrade db migrate --database-url postgresql://localhost/primetrade
    """
    from app import migrate as migrations  # noqa: PLC0415  # `--help` stays fast

    log: list[str] = []
    level = migrations.migrate(database_url or _state(home).database_url, log.append if as_json else say)
    if as_json:
        click.echo(json.dumps({"level": level, "log": log}))
    else:
        say(f"schema level {level}")


@command.command()
@database_url_option
@home_option
@click.option("--users", type=click.IntRange(2), default=2000, show_default=True)
@click.option("--tasks-per-user", type=click.IntRange(1), default=50, show_default=True)
@click.option("--seed", "number", type=int, default=1, show_default=True, help="The same rows for the same number.")
@click.option(
    "--tokens", type=click.Path(dir_okay=False, path_type=Path), help="Where tokens go. Default: HOME/tokens.json."
)
@click.option("--allow-foreign", is_flag=True, help="Seed a database that holds people who were not seeded, too.")
@json_option
@exits({LoadError: Exit.ERROR, **LOCAL_ERRORS})
def seed(  # noqa: PLR0913  # one parameter an option
    *,
    database_url: str | None,
    home: Path | None,
    users: int,
    tasks_per_user: int,
    number: int,
    tokens: Path | None,
    allow_foreign: bool,
    as_json: bool,
) -> None:
    """Fill a migrated database with users and tasks for load tests, and write access tokens for them.

    The tokens are signed with $JWT_KEYS where it is set, else with the local system's keys.

    Example: primetrade db seed --users 2000
    """
    from loadtest import seed as seeding  # noqa: PLC0415  # `--help` stays fast
    from scripts.local.state import default_home  # noqa: PLC0415  # as above

    log: list[str] = []
    path = tokens or (home or default_home()) / "tokens.json"
    seeding.seed(
        database_url or _state(home).database_url,
        _keys(home),
        path,
        users=users,
        tasks_per_user=tasks_per_user,
        seed=number,
        allow_foreign=allow_foreign,
        report=log.append if as_json else say,
    )
    if as_json:
        click.echo(json.dumps({"tokens": str(path), "log": log}))
    else:
        say(f"tokens for {users:,} users: {path}")


def _state(home: Path | None) -> State:
    from scripts.local.state import default_home, read_state  # noqa: PLC0415  # `--help` stays fast

    return read_state((home or default_home()).resolve())


def _keys(home: Path | None) -> dict[str, str]:
    text = os.environ.get("JWT_KEYS")
    if text is None:
        return _state(home).jwt_keys
    import msgspec  # noqa: PLC0415  # as above

    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as exc:
        raise Failed(f'JWT_KEYS: expected JSON like {{"kid": "secret"}}: {exc}', Exit.USAGE) from None
