"""From a route that was written to one that is in force."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.router import Router
from scripts.release.route import SLOTS, Target
from scripts.release.slots import Answer, Request

APPLY_S: Final = 20.0  # for the router's owner to take over what was written
RETURN_S: Final = 150.0  # for nodes whose API server was away: they ask once a minute, and may be refused at first
POLL_S: Final = 0.02


def settle(router: Router, target: Target, probe: Request, ask: Callable[[Request], Answer]) -> None:
    """Wait until the route's owner, and where all users move the nodes, carry it out. Raises ReleaseError.

    Users who are still answered well where they were are not hurt by waiting; whether they arrive is for the engine's
    own probes to say.
    """
    deadline = time.monotonic() + APPLY_S
    while missing := router.missing(target):
        if time.monotonic() > deadline:
            raise ReleaseError(f"the route was written and is not in force after {APPLY_S:g} s: {missing}")
        time.sleep(POLL_S)
    deadline = time.monotonic() + RETURN_S
    while target.sole and _as_before(target.sole, probe, ask(probe)) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _as_before(slot: str, probe: Request, answer: Answer) -> bool:
    """Whether another slot answers, and well."""
    return answer.status == probe.expect and answer.slot in SLOTS and answer.slot != slot
