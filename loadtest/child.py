"""The load generator's process: `python -m loadtest.child RUN.json`.

The only process that imports Locust, which patches the standard library for greenlets. Locust hosts the run (its
Environment, runner, user and request event); arrivals and timing are ours, since its pacing lies in both directions:
users that wait for their answers do not send while the server stalls, and users spawned together fire together.
"""

from __future__ import annotations

from locust import User, task  # first: it patches what the others import

# isort: split
import contextlib
import gc
import logging
import math
import os
import resource
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Final

import gevent  # type: ignore[import-untyped]  # ships no types
import msgspec
from locust.env import Environment
from locust.stats import print_stats

from loadtest import histogram
from loadtest.arrivals import SCHEDULES, ramped
from loadtest.connections import Connections
from loadtest.declared import Declared
from loadtest.dispatcher import Dispatcher, Fire
from loadtest.launch import LIVE, RECORDING, SPARE_FILES, STOP_S, RunConfig
from loadtest.recorder import Recorder
from loadtest.recording import SCHEMA, Recording
from loadtest.request import Journeys
from loadtest.tasks import Tasks
from loadtest.timeline import Timeline

LIVE_AFTER_S: Final = 0.25  # a second's line is written that long after it: most of its answers are in by then
WATCH_S: Final = 0.1
PRIORITY: Final = -10


class Run:
    """One run from its first arrival to its recording."""

    def __init__(self, config: RunConfig, fire: Fire) -> None:
        profile = config.profile
        self.config = config
        self.out = Path(config.out_dir)
        self.timeline = Timeline(profile, extended=config.until_path is not None)
        self.recorder = Recorder(self.timeline, config.thresholds_ms)
        self.connections = Connections(config.target, profile.timeout_s)
        self.dispatcher = Dispatcher(config, self.recorder, _journeys(config), self.connections, fire)
        self.interrupted = False
        self.cpu_s: list[float] = []  # of this process when steady began and when it ended
        self.epoch = 0.0
        self._written = 0  # seconds with a line in LIVE

    def execute(self) -> None:
        """Send, wait for the answers, write the recording."""
        profile = self.config.profile
        _quieten_gc()
        self.epoch = time.time()
        side = [gevent.spawn(loop) for loop in (self._watch, self._look, self._live)]
        self.dispatcher.run(ramped(SCHEDULES[profile.arrivals](profile.rate, self.config.seed), profile.ramp_s))
        self.dispatcher.drain(STOP_S / 2 if self.interrupted else profile.timeout_s + 1)
        gevent.killall(side)
        self._write_live(math.ceil(self.timeline.end))
        self.connections.close()
        path = self.out / RECORDING
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(self._recording()))
        part.replace(path)

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
            gevent.sleep(max(0.0, self._written + 1 + LIVE_AFTER_S - self.dispatcher.now()))
            self._write_live(self._written + 1)

    def _write_live(self, end: int) -> None:
        """A line for each second before `end` that has none yet."""
        self.dispatcher.settle()
        with (self.out / LIVE).open("ab") as lines:
            for t in range(self._written, end):
                lines.write(msgspec.json.encode(self.recorder.live(t, self.dispatcher.outstanding)) + b"\n")
        self._written = max(self._written, end)

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


def main(run_path: str) -> None:
    """Do what RUN.json says; ends with 0 once the recording is written, be it of an interrupted run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    config = msgspec.json.decode(Path(run_path).read_bytes(), type=RunConfig)
    if not config.background:
        _precede()
    _allow_files(config.profile.max_in_flight + SPARE_FILES)
    trouble: list[BaseException] = []

    class Arrivals(User):
        """The one Locust user: it stands for all arrivals."""

        @task
        def arrive(self) -> None:
            try:
                run.execute()
            except Exception as exc:  # noqa: BLE001 - raised again below, where Locust cannot swallow it
                trouble.append(exc)
            gevent.spawn(self.environment.runner.quit)
            gevent.sleep(STOP_S)

    environment = Environment(user_classes=[Arrivals])
    runner = environment.create_local_runner()
    run = Run(config, environment.events.request.fire)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, run.interrupt)
    runner.start(1, spawn_rate=1)
    runner.greenlet.join()
    print_stats(environment.stats, current=False)
    for exc in trouble:
        raise exc


def _journeys(config: RunConfig) -> Journeys:
    if config.profile.journeys != "tasks":
        return Declared(config.profile.journeys, config.seed)
    assert config.tokens_path is not None  # launch refuses such a run
    return Tasks.read(Path(config.tokens_path), config.seed, config.profile.logins_per_s / config.profile.rate)


def _quieten_gc() -> None:
    """Keep collections short: what lives by now is never walked again, and young objects are many but few survive."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def _precede() -> None:
    """Go before the system under test where we may (it takes privileges).

    The generator stands for users whose clocks do not wait for this machine's CPU. Beside two busy loops on two
    cores, the p99 of its lag was 23 ms without this and 4 ms with it.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        Path("/proc/self/autogroup").write_text(str(PRIORITY), "ascii")  # where sessions are scheduled as groups


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:  # launch refuses a run that the hard limit does not allow
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1])
