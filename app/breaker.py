"""A circuit breaker that locks only the change of state, never the call, and lets one probe through at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

CLOSED, HALF_OPEN, OPEN = 0, 1, 2  # also the values of the gauge breaker_state


class Breaker:
    """Opens after `threshold` failures in a row; every `pause_s` one caller may probe, and its success closes it."""

    def __init__(self, threshold: int = 5, pause_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = CLOSED
        self._threshold = threshold
        self._pause_s = pause_s
        self._clock = clock
        self._failures = 0
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def allow(self) -> bool:
        """Whether to make the call now. A caller let through must report success() or failure()."""
        if self.state == CLOSED:
            return True
        with self._lock:
            if self.state == CLOSED:
                return True
            if self._clock() < self._retry_at:
                return False
            self.state = HALF_OPEN
            self._retry_at = self._clock() + self._pause_s  # a probe that never reports must not block for ever
            return True

    def success(self) -> None:
        if self.state == CLOSED and self._failures == 0:
            return
        with self._lock:
            self.state = CLOSED
            self._failures = 0

    def failure(self) -> None:
        with self._lock:
            self._failures += 1
            if self.state != CLOSED or self._failures >= self._threshold:
                self.state = OPEN
                self._retry_at = self._clock() + self._pause_s
