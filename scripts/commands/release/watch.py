"""`primetrade release status -w`: the status drawn anew every second, or a line per change where nobody draws."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

import click
import msgspec
from rich.live import Live
from rich.text import Text

from scripts.commands.release.text import status_line, status_lines
from scripts.console import out, printed, say
from scripts.release.errors import ReleaseError
from scripts.release.run import utc
from scripts.release.status import Status

LOOK_S = 1.0

Seen = Status | str  # the words are why nothing could be seen: a platform that comes back is shown again


def follow(look: Callable[[], Status], clock: Callable[[], float], *, as_json: bool) -> NoReturn:
    """Show `look()` until a signal ends it."""
    if out.is_terminal and not as_json:
        _draw(look, clock)
    _tell(look, clock, as_json=as_json)


def _seen(look: Callable[[], Status]) -> Seen:
    try:
        return look()
    except ReleaseError as exc:
        return str(exc)


def _draw(look: Callable[[], Status], clock: Callable[[], float]) -> NoReturn:
    with Live(console=out, auto_refresh=False) as live:
        while True:
            seen, at = _seen(look), clock()
            lines = [seen] if isinstance(seen, str) else status_lines(seen, at)
            live.update(Text("\n".join((f"{utc(at)[:19]}Z", *lines))), refresh=True)
            time.sleep(LOOK_S)


def _tell(look: Callable[[], Status], clock: Callable[[], float], *, as_json: bool) -> NoReturn:
    earlier: Seen | None = None
    while True:
        seen = _seen(look)
        if as_json and seen != earlier:
            printed.document = True
            click.echo(msgspec.json.encode({"error": seen} if isinstance(seen, str) else seen))
        elif not as_json and _line(seen) != (earlier and _line(earlier)):
            say(f"{utc(clock())}  {_line(seen)}")
        earlier = seen
        time.sleep(LOOK_S)


def _line(seen: Seen) -> str:
    return seen if isinstance(seen, str) else status_line(seen)
