"""The verbs that look and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from scripts.commands.options import print_json
from scripts.commands.release.options import chosen, connect, connect_back, place, version
from scripts.console import say
from scripts.release.errors import NeedsPerson, Undecided, Unusable

if TYPE_CHECKING:
    from scripts.release.platform import Platform
    from scripts.release.status import Status


@click.command()
@version
@click.option(
    "--rate", type=click.FloatRange(min=0), help="Users' requests per second. Default: measured for a second."
)
@place
def plan(version: str, rate: float | None, **where: Any) -> None:
    """Print what a release would do, in order, how long it takes and what it costs; change nothing.

    A hold or bake that cannot get the requests its gate needs is refused.

    Example: primetrade release plan 1.1.0 --rate 1000
    """
    from scripts.commands.release.text import plan_lines  # noqa: PLC0415 - `--help` stays fast
    from scripts.release import engine  # noqa: PLC0415 - as above
    from scripts.release.cost import cost  # noqa: PLC0415 - as above

    options = chosen(where)
    platform, file = connect(where)
    steps = engine.preview_plan(platform, file, version, options)
    rate = platform.arriving() if rate is None else rate
    found = cost(engine.look(platform), steps, rate, file, platform.now())
    if where["as_json"]:
        print_json(found)
    else:
        for line in plan_lines(found):
            say(line)
    if found.shortage:
        raise Undecided(f"this plan would not come to its end: {found.shortage}")


@click.command()
@click.option("-w", "--watch", is_flag=True, help="Go on looking every second until ctrl-C; --json: a line a change.")
@place
def status(watch: bool, **where: Any) -> None:
    """Say who is live, what is under way, what is due, and what may come next.

    Example: primetrade release status -w
    """
    from scripts.commands.release.text import status_lines  # noqa: PLC0415 - as above
    from scripts.commands.release.watch import follow  # noqa: PLC0415 - as above

    platform, _ = connect_back(where)
    look = _look(platform)
    if watch:
        follow(look, platform.now, as_json=where["as_json"])
    elif where["as_json"]:
        print_json(look())
    else:
        for line in status_lines(look(), platform.now()):
            say(line)


def _look(platform: Platform) -> Callable[[], Status]:
    from scripts.release.looking import look  # noqa: PLC0415 - as above
    from scripts.release.status import status as describe  # noqa: PLC0415 - as above

    return lambda: describe(*look(platform))


@click.command()
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest runs to show.")
@click.option("--run", "run_id", metavar="ID", help="Every line of the journal that this run wrote.")
@place
def history(limit: int, run_id: str | None, **where: Any) -> None:
    """Print the newest runs: when, who, what, why, and how they ended.

    Example: primetrade release history -n 5
    """
    from scripts.commands.release.text import entry_line, run_lines  # noqa: PLC0415 - as above
    from scripts.release.memory import runs  # noqa: PLC0415 - as above

    platform, _ = connect_back(where)
    entries = platform.journal.read()
    lines = [entry for entry in entries if entry.run == run_id]
    if run_id is not None and not lines:
        raise Unusable(f"--run {run_id}: the journal knows no such run; `primetrade release history` lists them")
    found = runs(lines if run_id else entries)[-limit:]
    if where["as_json"]:
        print_json(lines if run_id else found)
        return
    if not found:
        say("nothing was released yet")
    for run in found:
        for words in run_lines(run):
            say(words)
    for entry in lines:
        say(entry_line(entry))


@click.command()
@place
def doctor(**where: Any) -> None:
    """Find what is not as it should be, and name the command that mends it; change nothing.

    Ends with 0 when nothing is wrong and with 6 when something needs a person.

    Example: primetrade release doctor
    """
    from scripts.commands.release.text import drift_lines  # noqa: PLC0415 - as above
    from scripts.release.doctor import examine  # noqa: PLC0415 - as above

    found = examine(*connect_back(where))
    if where["as_json"]:
        print_json({"findings": found})
    for drift in () if where["as_json"] else found:
        for line in drift_lines(drift):
            say(line)
    if found:
        raise NeedsPerson(f"{len(found)} thing{'s need' if len(found) > 1 else ' needs'} a person")
    if not where["as_json"]:
        say("nothing is wrong")
