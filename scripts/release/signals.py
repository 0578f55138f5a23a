"""Interrupts that wait for an act to end: what is begun is done and written down before the run stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from scripts.release.errors import Interrupted, Terminated

ENDS: dict[int, type[Interrupted]] = {signal.SIGINT: Interrupted, signal.SIGTERM: Terminated, signal.SIGHUP: Terminated}


class Stopped(BaseException):
    """A signal asked the run to stop; no handler of errors may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.ends = ENDS[signum]


class Signals:
    """SIGINT, SIGTERM and SIGHUP for the time of a run; outside the main thread, where none is delivered, nothing."""

    def __init__(self) -> None:
        self._holds = 0  # nested
        self._pending = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Within, a signal raises Stopped."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # Under nohup a closed terminal is ignored, and stays so.
        heard = [signum for signum in ENDS if signal.getsignal(signum) is not signal.SIG_IGN]
        earlier = {signum: signal.signal(signum, self._on_signal) for signum in heard}
        try:
            yield
        finally:
            for signum, handler in earlier.items():
                signal.signal(signum, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, a signal is kept; it raises Stopped at the end of the outermost one."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        if self._pending and not self._holds:
            raise Stopped(self._pending)

    def ignore(self) -> None:
        """From now on signals change nothing: the run is ending already."""
        self._holds, self._pending = self._holds + 1, 0

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._pending = signum
        if not self._holds:
            raise Stopped(signum)
