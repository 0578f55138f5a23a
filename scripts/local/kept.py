"""The route that `up` goes on with: never a guess where users may be on the other slot."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from scripts.local import envoy
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError
from scripts.local.processes import Report
from scripts.local.slots import known_slot, written_down
from scripts.local.state import State

SETTLE_S = 1.0  # for Envoy to take over what somebody may just have written
_POLL_S = 0.05

Remembered = Callable[[Path], Routes | None]  # what a home's releases know of its route


def keep_route(home: Path, state: State, remembered: Remembered, report: Report) -> None:
    """See to it that the route file says what users have.

    One that is gone, spoilt, or refused by Envoy is written anew: as Envoy serves it, or as the journal remembers it,
    or for the only slot there is; with no slot there is the first route. Raises LocalError where nothing says whom
    the users belong to.
    """
    try:
        written = envoy.read_routes(home)
        lost = f"Envoy does not take {envoy.routes_path(home)}" if written else f"{envoy.routes_path(home)} is gone"
    except LocalError as exc:
        written, lost = None, str(exc)
    served = _served(state, written)
    if written and served in (None, written):
        return
    there = written_down(home)
    if served:
        found, how = served, "as Envoy serves it"
    elif past := remembered(home):
        found, how = past, "as the journal of releases has it"
    elif len(there) > 1:
        both = " or ".join(f"{name} ({_version(home, name)})" for name in there)
        raise LocalError(
            f"{lost}; neither Envoy nor a journal says whether {both} has the users: delete the file of the slot that "
            f"shall have none, {home / 'slots'}/NAME.json, then run `primetrade local up` again"
        )
    else:
        blue = 0 if there == ["green"] else 100
        found, how = Routes(blue, 100 - blue), f"for {there[0]}, the only slot there is" if there else ""
    envoy.write_routes(home, found)
    if how:
        report(f"route: {lost}; written anew {how}: blue {found.blue} %, green {found.green} %")


def _version(home: Path, name: str) -> str:
    slot = known_slot(home, name)
    return slot.spec.version if slot else "its file cannot be read"


def _served(state: State, written: Routes | None) -> Routes | None:
    """What Envoy serves, once it had the time to take over what is written; None where it does not say."""
    served, deadline = None, time.monotonic() + SETTLE_S
    with suppress(LocalError):
        while (served := envoy.applied(state)) != written and written and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    return served
