"""`primetrade local`: the embedded system on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.commands.options import json_option, local_home, local_home_option, progress
from scripts.console import say
from scripts.exits import Exit, exits
from scripts.local.errors import LocalError, LockedError, NotUpError, SettingsError

if TYPE_CHECKING:
    from scripts.local.envoy_config import Routes

ERRORS: dict[type[Exception], Exit] = {
    LocalError: Exit.ERROR,
    LockedError: Exit.LOCKED,
    NotUpError: Exit.USAGE,
    SettingsError: Exit.USAGE,
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The embedded system: PostgreSQL, Valkey, Envoy and two slots, as processes of this machine.

    Example: primetrade local up
    """


@command.command()
@local_home_option
@click.option("--port", type=click.IntRange(1, 65535), help="Fix the edge's port. Default: a free one, kept.")
@json_option
@exits(ERRORS)
def up(home: Path | None, port: int | None, as_json: bool) -> None:
    """Start what does not run; run it again after any crash.

    DATABASE_URL and REDIS_URL, when set, replace the embedded servers.

    Example: primetrade local up --port 8080
    """
    from scripts.local import system  # noqa: PLC0415  # `--help` stays fast
    from scripts.release.local_shown import known  # noqa: PLC0415  # as above

    where = local_home(home)
    system.up(where, progress(as_json), port=port, remembered=known)
    if as_json:
        _print_json(where)


@command.command()
@local_home_option
@exits(ERRORS)
def down(home: Path | None) -> None:
    """Stop every process of the home; its data, ports and releases are kept for the next `up`.

    Example: primetrade local down
    """
    from scripts.local import system  # noqa: PLC0415  # `--help` stays fast

    system.down(local_home(home), say)


@command.command()
@local_home_option
@json_option
@exits(ERRORS)
def status(home: Path | None, as_json: bool) -> None:
    """Show what runs, where, and how users' requests are shared out.

    Example: primetrade local status --json
    """
    where = local_home(home)
    if as_json:
        _print_json(where)
        return
    from scripts.local.status import status as look  # noqa: PLC0415  # `--help` stays fast

    found = look(where)
    for part in found.parts:
        state = f"pid {part.pid}" if part.pid else "runs" if part.running else "DOWN"
        say(f"{part.name:<12} {state:<12} {part.detail}")
    if found.routes:
        say(f"{'routes':<12} {_words(found.routes)}")
    say(found.edge_url if found.running and found.edge_url else f"not up: run `primetrade local up` (home {where})")


@command.command()
@local_home_option
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written.")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="Lines of each log.")
@exits(ERRORS)
def logs(home: Path | None, name: str | None, follow: bool, lines: int) -> None:
    """Print the end of the logs, or of one: postgresql, valkey, envoy, slot-blue, slot-green.

    Further replicas of a slot have logs of their own: slot-blue-2 and so on.

    Example: primetrade local logs slot-blue -f
    """
    directory = local_home(home) / "log"
    there = sorted(directory.glob("*.log"))
    files = [str(file) for file in there if name in (None, file.stem)]
    if not there:
        raise NotUpError(f"no log in {directory}: start the system with `primetrade local up`")
    if not files:
        raise NotUpError(f"no log {name} in {directory} (there: {', '.join(file.stem for file in there)})")
    os.execvp("tail", ["tail", f"--lines={lines}", *(["--follow=name"] if follow else []), *files])  # noqa: S606, S607  # no shell; coreutils' own


@command.command(context_settings={"ignore_unknown_options": True})
@local_home_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@exits(ERRORS)
def psql(home: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the system's database; arguments after -- go to psql.

    Example: primetrade local psql -- -c "SELECT count(*) FROM tasks"
    """
    from scripts.local import postgres  # noqa: PLC0415  # `--help` stays fast
    from scripts.local.state import read_state  # noqa: PLC0415  # as above

    # In the environment, where `ps` does not show the password.
    environment = {**os.environ, **postgres.client_environment(read_state(local_home(home)).database_url)}
    program = postgres.program("psql")
    os.execve(program, [program, *arguments], environment)  # noqa: S606  # no shell


def _words(routes: Routes) -> str:
    words = f"blue {routes.blue} %, green {routes.green} %"
    if routes.sticky:
        words += f", kept by cookie {routes.sticky}"
    if routes.first:
        words += f", the audience on {routes.first}"
    return f"{words}, reads copied to {routes.mirror}" if routes.mirror else words


def _print_json(home: Path) -> None:
    import msgspec  # noqa: PLC0415  # `--help` stays fast

    from scripts.local.status import status as look  # noqa: PLC0415  # as above

    click.echo(msgspec.json.format(msgspec.json.encode(look(home))))
