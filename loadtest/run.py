"""One run of the generator from its first arrival to its books; imported by processes that make load only."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

import gevent  # type: ignore[import-untyped]  # ships no types

from loadtest import histogram
from loadtest.connections import Connections
from loadtest.dispatcher import Dispatcher, Fire
from loadtest.launch import STOP_S, RunConfig
from loadtest.recorder import Recorder
from loadtest.recording import SCHEMA, Recording
from loadtest.request import Journeys
from loadtest.timeline import Timeline

LIVE_AFTER_S: Final = 0.25  # a second is told that long after it: most of its answers are in by then
WATCH_S: Final = 0.1


class Outlet(Protocol):
    """Who is told what happened."""

    def second(self, recorder: Recorder, t: int, in_flight: int) -> None:
        """Second `t` is over; some of its answers may still come."""

    def over(self, recorder: Recorder, recording: Recording) -> None:
        """So is the run."""


class Run:
    """One run from its first arrival to its recording."""

    def __init__(self, config: RunConfig, journeys: Journeys, fire: Fire, outlet: Outlet) -> None:
        self.config = config
        self.timeline = Timeline(config.profile, extended=config.until_path is not None)
        self.recorder = Recorder(self.timeline, config.thresholds_ms)
        self.connections = Connections(config.target, config.profile.timeout_s)
        self.dispatcher = Dispatcher(config, self.recorder, journeys, self.connections, fire)
        self.interrupted = False
        self.cpu_s: list[float] = []  # of this process when steady began and when it ended
        self.epoch = 0.0
        self._outlet = outlet
        self._told = 0  # seconds that the outlet knows

    def execute(self, schedule: Iterator[float]) -> None:
        """Send, wait for the answers, tell."""
        self.epoch = time.time()
        side = [gevent.spawn(loop) for loop in (self._watch, self._look, self._live)]
        self.dispatcher.run(schedule)
        self.dispatcher.drain(STOP_S / 2 if self.interrupted else self.config.profile.timeout_s + 1)
        gevent.killall(side)
        self._tell(math.ceil(self.timeline.end))
        self.connections.close()
        self._outlet.over(self.recorder, self._recording())

    def interrupt(self) -> None:
        """End the run now, and say so in the recording."""
        self.interrupted = True
        self.timeline.cut(self.dispatcher.now())

    def _watch(self) -> None:
        """End steady when told to, take the CPU time at its bounds, and do not outlive the parent."""
        parent, until = os.getppid(), self.config.until_path
        while True:
            now = self.dispatcher.now()
            bounds = (self.timeline.steady_start, self.timeline.steady_end)
            if len(self.cpu_s) < 2 and now >= bounds[len(self.cpu_s)]:
                self.cpu_s.append(time.process_time())
            if until is not None and Path(until).exists():
                self.timeline.finish_steady(now)
                until = None
            if os.getppid() != parent and not self.interrupted:
                self.interrupt()
            gevent.sleep(WATCH_S)

    def _look(self) -> None:
        """Sample how many judged requests are in flight, to the last answer."""
        judged = self.dispatcher.judged
        while self.dispatcher.now() < self.timeline.steady_end or judged.number:
            gevent.sleep(max(0.0, judged.due - self.dispatcher.now()))
            judged.look(self.dispatcher.now())

    def _live(self) -> None:
        while True:
            gevent.sleep(max(0.0, self._told + 1 + LIVE_AFTER_S - self.dispatcher.now()))
            self._tell(self._told + 1)

    def _tell(self, end: int) -> None:
        """Of each second before `end` that was not told yet."""
        self.dispatcher.settle()
        for t in range(self._told, end):
            self._outlet.second(self.recorder, t, self.dispatcher.outstanding)
        self._told = max(self._told, end)

    def _steady_cpu_s(self) -> float:
        """Of this process, to the end of the run where that came first; 0 without a steady phase."""
        begin, end = (*self.cpu_s, time.process_time(), time.process_time())[:2]
        return end - begin if self.cpu_s else 0.0

    def _recording(self) -> Recording:
        config, recorder = self.config, self.recorder
        cells = recorder.cells()
        seconds = recorder.seconds()
        return Recording(
            schema=SCHEMA,
            run_id=uuid.uuid4().hex[:12],
            profile=config.profile.name,
            target=config.target,
            seed=config.seed,
            rate=config.profile.rate,
            epoch=self.epoch,
            thresholds_ms=tuple(sorted(config.thresholds_ms)),
            phases=self.timeline.phases(),
            seconds=seconds,
            cells=tuple(cell.frozen(*key) for key, cell in cells.items()),
            blocks=recorder.blocks(),
            response=histogram.encode(histogram.merge(c.response for c in cells.values())),
            service=histogram.encode(histogram.merge(c.service for c in cells.values())),
            lag=histogram.encode(recorder.lag),
            failures=tuple(failure.frozen(*key) for key, failure in recorder.failures().items()),
            generator=recorder.generator(seconds, self._steady_cpu_s(), self.dispatcher.judged),
            interrupted=self.interrupted,
        )
