"""The verbs on the way back, and those that clear away."""

from __future__ import annotations

from typing import Any

import click

from scripts.commands.options import print_json
from scripts.commands.release.options import author, caller, connect_back, place, show
from scripts.console import say


@click.command()
@author
@place
def abort(**where: Any) -> None:
    """Take the release under way back: all users to the active slot, the preview retired.

    Example: primetrade release abort --reason "wrong build"
    """
    from scripts.release import engine  # noqa: PLC0415 - `--help` stays fast

    platform, file = connect_back(where)
    with caller(where) as who:
        done = engine.abort(platform, file, who)
    show(done, as_json=where["as_json"])


@click.command()
@author
@place
def rollback(**where: Any) -> None:
    """All users back to the version that had them before, without gates: at once while its slot is warm.

    Where that slot is gone it is started first, and the command says how long that takes.

    Example: primetrade release rollback --reason "checkout is broken"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_back(where)
    with caller(where) as who:
        done = engine.rollback(platform, file, who)
    show(done, as_json=where["as_json"])


@click.command()
@author
@place
def reap(**where: Any) -> None:
    """Carry out what is overdue: stop a slot whose warm time is over, take back what nobody approved.

    Nothing is overdue: nothing happens. Safe to run from a timer.

    Example: primetrade release reap --actor cron
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = connect_back(where)
    with caller(where) as who:
        done = engine.reap(platform, file, who)
    show(done, as_json=where["as_json"])


@click.command()
@click.option("--force", is_flag=True, help="Yes, I have made sure that the run which holds it is stuck.")
@author
@place
def unlock(force: bool, **where: Any) -> None:
    """Take the lock from a run that is stuck; whatever it still writes is refused. Needs --force and --reason.

    Example: primetrade release unlock --force --reason "the laptop that ran it is closed"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, _ = connect_back(where)
    with caller(where) as who:
        words = engine.unlock(platform, who, force=force)
    if where["as_json"]:
        print_json({"words": words})
    else:
        say(words)
