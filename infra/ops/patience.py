"""Waiting for what others do, with a limit, telling what is still to come."""

from __future__ import annotations

import time
from collections.abc import Callable

from infra.errors import OpsError

Tell = Callable[[str], None]


class Patience:
    """Asks every `every_s` seconds, for `limit_s` at most; tests give a clock of their own."""

    def __init__(
        self,
        limit_s: float,
        every_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit_s, self.every_s, self.sleep, self.clock = limit_s, every_s, sleep, clock

    def until(self, none: Callable[[], str], tell: Tell) -> float:
        """Ask what is left until it is "", telling every answer that is new; the seconds it took. Raises OpsError."""
        began, last = self.clock(), ""
        while left := none():
            waited = self.clock() - began
            if waited >= self.limit_s:
                raise OpsError(f"after {waited:.0f} s there is still {left}; look at it in the console, then run again")
            if left != last:
                tell(f"waiting for {left}")
            last = left
            self.sleep(self.every_s)
        return self.clock() - began
