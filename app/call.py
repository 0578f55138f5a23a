"""What one request carries from hook to handler to log line."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.runtime import Runtime

DEADLINE_S = 10.0  # of a request, from when its thread begins; every wait inside is shorter


class Call:
    """One request in progress. Times are seconds; `started` and `deadline` are on time.monotonic()."""

    __slots__ = (
        "cache_s",
        "client",
        "copy",
        "database_s",
        "deadline",
        "request_id",
        "route",
        "runtime",
        "started",
        "user_id",
    )

    def __init__(self, runtime: Runtime, client: str = "", request_id: str = "", *, copy: bool = False) -> None:
        self.runtime = runtime
        self.copy = copy  # of a user's read, which another slot answers: it counts against nobody's limit
        self.client = client
        self.request_id = request_id
        self.route = "unmatched"
        self.user_id: int | None = None
        self.database_s = 0.0
        self.cache_s = 0.0
        self.started = time.monotonic()
        self.deadline = self.started + DEADLINE_S


current: ContextVar[Call] = ContextVar("call")


def runtime() -> Runtime:
    """The parts of the process that serves this request."""
    return current.get().runtime


def remaining_s() -> float:
    """Seconds left to this request; the whole deadline outside of one."""
    call = current.get(None)
    return DEADLINE_S if call is None else call.deadline - time.monotonic()


def spent(kind: str, seconds: float) -> None:
    """Add to the request's account of waiting, for its log line. `kind` is database or cache."""
    call = current.get(None)
    if call is None:
        return
    if kind == "database":
        call.database_s += seconds
    else:
        call.cache_s += seconds
