"""`primetrade release`: blue-green releases."""

from __future__ import annotations

import click

from scripts.commands.release.back import abort, reap, rollback, unlock
from scripts.commands.release.forward import STARTER, approve, deploy, init, promote, resume, shift
from scripts.commands.release.looking import doctor, history, plan, status

__all__ = ["STARTER", "command"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Blue-green releases: gated on the way forward, instant on the way back.

    Example: primetrade release deploy 1.1.0 --reason "ticket 42"
    """


for verb in (
    *(init, plan, deploy, status, shift, approve, promote),
    *(abort, rollback, resume, history, reap, doctor, unlock),
):
    command.add_command(verb)
