"""The verbs on the way to the users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scripts.commands.options import json_option, print_json
from scripts.commands.release.options import (
    ERRORS,
    all_at_once_option,
    author,
    caller,
    chosen,
    connect_forward,
    file_option,
    place,
    show,
    version,
)
from scripts.console import say
from scripts.exits import Exit, Failed, exits

STARTER = Path(__file__).parents[2] / "release" / "starter.yaml"


@click.command()
@file_option
@json_option
@exits(ERRORS)
def init(path: Path, as_json: bool) -> None:
    """Write a commented release.yaml to start from; an existing file is never overwritten.

    Example: primetrade release init
    """
    try:
        with path.open("x") as file:
            file.write(STARTER.read_text())
    except FileExistsError:
        raise Failed(f"{path} exists already: edit it, or give another --file", Exit.USAGE) from None
    except OSError as exc:
        raise Failed(f"{path} cannot be written: {exc.strerror}; give another --file", Exit.USAGE) from exc
    if as_json:
        print_json({"path": str(path)})
    else:
        say(f"{path} written: set service, artefact and schema, then `primetrade release plan VERSION`")


@click.command()
@version
@author
@place
def deploy(version: str, **where: Any) -> None:
    """Bring a version to the preview slot and, through its gates, to all users.

    Example: primetrade release deploy 1.1.0 --env LOG_LEVEL=debug --reason "ticket 42"
    """
    from scripts.release import engine  # noqa: PLC0415 - `--help` stays fast

    options = chosen(where)
    platform, file = connect_forward(where, "deploy")
    with caller(where) as who:
        done = engine.deploy(platform, file, version, who, options)
    show(done, as_json=where["as_json"])


@click.command()
@click.option("--to", "percent", type=int, required=True, metavar="N", help="Percent of the users, 0 to 100.")
@author
@place
def shift(percent: int, **where: Any) -> None:
    """Give the release under way N percent of the users: a person's decision, without a gate.

    Example: primetrade release shift --to 25 --reason "trying it on a few"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_forward(where, "shift")
    with caller(where) as who:
        done = engine.shift(platform, file, percent, who)
    show(done, as_json=where["as_json"])


@click.command()
@author
@place
def approve(**where: Any) -> None:
    """Say yes where the release waits for a person, and go on with it.

    Example: primetrade release approve --reason "seen in preview, looks right"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_forward(where, "approve")
    with caller(where) as who:
        done = engine.approve(platform, file, who)
    show(done, as_json=where["as_json"])


@click.command()
@click.argument("version", default="")
@all_at_once_option
@author
@place
def promote(version: str, all_at_once: bool, **where: Any) -> None:
    """Take the release under way through the rest of its gates to all users.

    With VERSION it is refused where another version is under way by now than the one that was approved.

    Example: primetrade release promote 1.1.0
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_forward(where, "promote")
    with caller(where) as who:
        done = engine.promote(platform, file, who, version=version, all_at_once=all_at_once)
    show(done, as_json=where["as_json"])


@click.command()
@author
@place
def resume(**where: Any) -> None:
    """Go on with the last run that was killed, interrupted or could not decide, forward or back as it went.

    Example: primetrade release resume --reason "the runner was restarted"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_forward(where, "resume")
    with caller(where) as who:
        done = engine.resume(platform, file, who)
    show(done, as_json=where["as_json"])
