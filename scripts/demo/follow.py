"""Follows a load run beside the story: shows its seconds, and tells when the judged phase begins and ends."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from loadtest.launch import GeneratorDied, LoadRun
from scripts.demo.screen import Screen

POLL_S = 0.25


class Follower:
    """A thread that reads the run's seconds as they are written."""

    def __init__(self, load: LoadRun, screen: Screen) -> None:
        self._load = load
        self._screen = screen
        self._over = threading.Event()
        self._began = threading.Event()
        self._ended = threading.Event()
        self._epoch = time.time()
        self._thread = threading.Thread(target=self._follow, name="follow-load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def wait_steady(self, timeout_s: float) -> None:
        """Wait for the judged phase. Raises GeneratorDied when the run does not get there."""
        self._wait(self._began, timeout_s)

    def wait_steady_end(self, timeout_s: float) -> None:
        """Wait for the end of the judged phase, or of the run. Raises GeneratorDied when neither comes."""
        self._wait(self._ended, timeout_s, or_over=True)

    def clock(self, at: float) -> float:
        """Unix seconds as seconds of the run, to about a quarter of a second: for a screen, not for a report."""
        return at - self._epoch

    def _wait(self, event: threading.Event, timeout_s: float, *, or_over: bool = False) -> None:
        deadline = time.monotonic() + timeout_s
        while not event.wait(POLL_S):
            if self._load.poll() is not None:
                if or_over:
                    return
                self._load.wait()  # raises, with the end of its log, when it died
            if self._load.poll() is not None or time.monotonic() > deadline:
                raise GeneratorDied(f"the load run is out of step with its plan; see {self._load.config.out_dir}")

    def _follow(self) -> None:
        while not self._over.wait(POLL_S):
            for second in self._load.seconds():
                self._epoch = time.time() - second.t - 1
                self._screen.second(second)
                if second.t + 1 >= self._load.config.profile.warmup_s:
                    self._began.set()
                if second.phase == "cooldown":
                    self._ended.set()
