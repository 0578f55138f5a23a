"""The kernel's lock of an open file, waited for no longer than said: a killed process holds nothing."""

from __future__ import annotations

import fcntl
import time
from contextlib import suppress

_POLL_S = 0.02


def taken(descriptor: int, seconds: float) -> bool:
    """Whether the lock was got within so many seconds; it is given back when the file is closed."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)


def give_back(descriptor: int) -> None:
    """Give the lock back before the file is closed."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
