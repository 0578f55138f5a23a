"""`primetrade db`: the schema and the data of the task service."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from app.maintenance import Busy, MigrationError
from loadtest.errors import LoadError
from scripts.commands.options import json_option, local_home, local_home_option, print_json
from scripts.commands.release.options import author, connect, place
from scripts.console import err, out, say
from scripts.db.lint import LintError
from scripts.exits import Exit, Failed, exits
from scripts.local.errors import LocalError, NotUpError
from scripts.release.errors import Unusable

if TYPE_CHECKING:
    from scripts.local.state import State
    from scripts.release.platform import Platform

LOCAL_ERRORS: dict[type[Exception], Exit] = {LocalError: Exit.ERROR, NotUpError: Exit.USAGE}
ERRORS: dict[type[Exception], Exit] = {MigrationError: Exit.ERROR, Busy: Exit.LOCKED, **LOCAL_ERRORS}

database_url_option = click.option(
    "--database-url", envvar="DATABASE_URL", metavar="URL", help="Default: $DATABASE_URL, else the local system's."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The schema and the data of the task service.

    Example: primetrade db migrate
    """


@command.command()
@database_url_option
@local_home_option
@json_option
@exits(ERRORS)
def migrate(database_url: str | None, home: Path | None, as_json: bool) -> None:
    """Bring the database to the newest schema level before the next contract step.

    Asks no release whether it works with that level; the expand of a release does, and stops there. A contract step
    removes or forbids an old shape: `primetrade db contract` applies it.

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
@click.argument("name", required=False)
@database_url_option
@local_home_option
@click.option("--batch", type=click.IntRange(1), default=1000, show_default=True, help="Rows in one transaction.")
@click.option(
    "--pause", type=click.FloatRange(0), default=0.05, show_default=True, help="Seconds between two transactions."
)
@click.option("--again", is_flag=True, help="From the first row, also where it was finished.")
@json_option
@exits(ERRORS)
def backfill(  # noqa: PLR0913  # one parameter an option
    *,
    name: str | None,
    database_url: str | None,
    home: Path | None,
    batch: int,
    pause: float,
    again: bool,
    as_json: bool,
) -> None:
    """Bring old rows into the new shape, in small batches beside the traffic; without NAME every backfill.

    End it at any moment: the next run goes on from the last batch.

    Example: primetrade db backfill 0003_closed_at --pause 0.2
    """
    from app import backfill as backfills  # noqa: PLC0415  # `--help` stays fast
    from scripts.db.progress import shown  # noqa: PLC0415  # as above

    known = backfills.read_backfills()
    chosen = [each for each in known if name in (None, each.name)]
    if not chosen:
        raise Failed(f"there is no backfill {name}: {', '.join(each.name for each in known)}", Exit.USAGE)
    url = database_url or _state(home).database_url
    options = backfills.Options(batch, pause, again)
    try:
        with shown(err if as_json else out) as progress:
            found = [backfills.run(url, each, options, progress.on_batch, progress.say) for each in chosen]
    except KeyboardInterrupt:
        raise Failed("interrupted; the batches done are kept: the same command goes on", Exit.INTERRUPTED) from None
    if as_json:
        click.echo(json.dumps({"backfills": [{"name": each.name, "rows": each.rows} for each in found]}))


@command.command()
@database_url_option
@click.option("--no-slots", is_flag=True, help="No release runs on this database: ask none, write no release journal.")
@author
@place
@exits(ERRORS)
def contract(database_url: str | None, no_slots: bool, **where: Any) -> None:
    """Apply the next contract step, which removes or forbids an old shape.

    Refused while a slot that runs needs the old shape, while its backfill is not finished, and during a release. From
    then on no release that needs the old shape can come back.

    Example: primetrade db contract --reason "1.4.0 is gone"
    """
    from scripts.db.contract import Job  # noqa: PLC0415  # `--help` stays fast
    from scripts.db.contract import contract as apply_next  # noqa: PLC0415  # as above
    from scripts.db.progress import shown  # noqa: PLC0415  # as above

    try:
        platform = None if no_slots else connect(where)[0]
    except Unusable as exc:
        raise Unusable(f"{exc}; or say --no-slots and --database-url if no release runs on the database") from exc
    url = _url_without_slots(database_url, where["home"]) if platform is None else _url_of_slots(platform, database_url)
    if database_url not in (None, url):
        raise Failed(
            "--database-url (or $DATABASE_URL) is not the database of the slots that release.yaml leads to: leave it "
            "out, or say --no-slots if no release runs on it",
            Exit.USAGE,
        )
    with shown(err if where["as_json"] else out) as progress:
        job = Job(url, where["actor"], where["reason"], progress.say, progress.on_batch)
        done = apply_next(platform, job)
    if where["as_json"]:
        click.echo(msgspec.json.encode(done).decode())
    elif done.applied:
        say(f"schema level {done.level}")
    else:
        say(f"no contract step is left; schema level {done.level}")


def _url_of_slots(platform: Platform, given: str | None) -> str:
    """The local system's own; what a Secret in a cluster names may not be reached from here. Raises Failed."""
    from scripts.release.local import Local  # noqa: PLC0415  # as above

    if isinstance(platform, Local):
        return platform.state.database_url
    if given is None:
        raise Failed(f"the slots are on {platform.name}: name their database as it is reached from here", Exit.USAGE)
    return given


def _url_without_slots(database_url: str | None, home: Path | None) -> str:
    """Raises Failed where none is named, or where slots do run on it."""
    if database_url is None:
        raise Failed("--no-slots: name the database, with --database-url or $DATABASE_URL", Exit.USAGE)
    with suppress(NotUpError):
        if _state(home).database_url == database_url:
            raise Failed("--no-slots: a local system runs on this database: leave --no-slots out", Exit.USAGE)
    return database_url


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@json_option
@exits({LintError: Exit.ERROR})
def lint(paths: tuple[Path, ...], as_json: bool) -> None:
    """Refuse migrations that lock users out or break a running release, and say the safe way to the same end.

    PATHS are files or folders. Default: app/migrations.

    Example: primetrade db lint app/migrations/0003_closed_at.sql
    """
    from scripts.db import lint as linter  # noqa: PLC0415  # `--help` stays fast

    found = linter.lint(*([paths] if paths else []))
    if as_json:
        print_json({"findings": found})
    for finding in () if as_json else found:
        say(str(finding))
    if found:
        raise Failed(f"{len(found)} statement{'s' * (len(found) != 1)} refused", Exit.ERROR)
    if not as_json:
        say("nothing is refused")


@command.command()
@database_url_option
@local_home_option
@click.option("--users", type=click.IntRange(2), default=2000, show_default=True, help="How many.")
@click.option("--tasks-per-user", type=click.IntRange(1), default=50, show_default=True, help="How many each owns.")
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

    log: list[str] = []
    path = tokens or local_home(home) / "tokens.json"
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
    from scripts.local.state import read_state  # noqa: PLC0415  # `--help` stays fast

    return read_state(local_home(home))


def _keys(home: Path | None) -> dict[str, str]:
    text = os.environ.get("JWT_KEYS")
    if text is None:
        try:
            return _state(home).jwt_keys
        except NotUpError as exc:
            raise NotUpError(f"{exc}; or set JWT_KEYS to those of the service that the tokens are for") from exc
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as exc:
        raise Failed(f'JWT_KEYS: expected JSON like {{"kid": "secret"}}: {exc}', Exit.USAGE) from None
