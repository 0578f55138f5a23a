"""A sign of life while a step says nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_S = 10.0  # of silence, then a line


class Pulse:
    """Tells what is under way, and what still is, since when; a release goes on where nobody can be told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._say, self._heard = tell, True
        self._doing, self._since = "", 0.0
        self._told = time.monotonic()
        self._ended = threading.Event()

    def tell(self, line: str) -> None:
        """Say something else: silence begins anew. What cannot be said ends no run, and is the last that is tried."""
        self._told = time.monotonic()
        if not self._heard:
            return
        try:
            self._say(line)
        except UnicodeError:  # this line only
            pass
        except (OSError, ValueError, SystemExit):  # a full disk, a closed file, rich's answer to a broken pipe
            self._heard = False

    def begin(self, step: str) -> None:
        """A step begins, told by who begins it."""
        self._doing, self._since = step, time.monotonic()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Watch for silence until the end of the block."""
        thread = threading.Thread(target=self._watch, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(max(0.0, self._told + QUIET_S - time.monotonic()) or QUIET_S):
            now = time.monotonic()
            if now - self._told >= QUIET_S and self._doing:
                self.tell(f"{'':14}{self._doing:<9} still, {now - self._since:.0f} s")
