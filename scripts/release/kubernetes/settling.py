"""From a route that is wanted to one that is in force."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from scripts.release.errors import Refused, ReleaseError
from scripts.release.kubernetes.router import Router
from scripts.release.route import SLOTS, Target
from scripts.release.slots import Answer, Request

RETURN_S: Final = 150.0  # for nodes whose API server was away: they ask once a minute, and may be refused at first
POLL_S: Final = 0.02
SLOWEST_S: Final = 2.0  # between two looks at what takes minutes


def prepare(router: Router, target: Target) -> bool:
    """Wait until a slot that gains users can take them; whether there was anything to wait for.

    Raises Refused after the router's limit: nothing was written.
    """
    words, took = _until(lambda: router.unready(target), router.settles_s)
    if words:
        raise Refused(f"nobody was moved, since after {took:.0f} s {words}")
    return took > 0


def settle(router: Router, target: Target, verify_s: float, probe: Request, ask: Callable[[Request], Answer]) -> None:
    """Wait until the route's owner, and where all users move the nodes, carry it out. Raises ReleaseError.

    The owner has the router's limit, or `timeouts.verify` where that is longer. Users who are still answered well where
    they were are not hurt by waiting; whether they arrive is for the engine's own probes to say.
    """
    words, took = _until(lambda: router.missing(target), lambda: max(router.settles_s(), verify_s))
    if words:
        raise ReleaseError(f"the route was written and is not in force after {took:.0f} s: {words}")
    deadline = time.monotonic() + RETURN_S
    while target.sole and _as_before(target.sole, probe, ask(probe)) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _until(lacking: Callable[[], str], limit_s: Callable[[], float]) -> tuple[str, float]:
    """What is lacking at the limit, or "" as soon as nothing is; and the seconds that were waited."""
    words, began = lacking(), time.monotonic()
    limit = limit_s() if words else 0.0
    while words and (took := time.monotonic() - began) <= limit:
        time.sleep(min(max(POLL_S, took / 10), SLOWEST_S))
        words = lacking()
    return words, time.monotonic() - began if limit else 0.0


def _as_before(slot: str, probe: Request, answer: Answer) -> bool:
    """Whether another slot answers, and well."""
    return answer.status == probe.expect and answer.slot in SLOTS and answer.slot != slot
