"""The load generator's process: `python -m loadtest.child RUN.json`.

It imports Locust, which patches the standard library for greenlets. Locust hosts the run (its Environment, runner,
user and request event); arrivals and timing are ours, since its pacing lies in both directions: users that wait for
their answers do not send while the server stalls, and users spawned together fire together.
"""

from __future__ import annotations

from locust import User, task  # first: it patches what the others import

# isort: split
import logging
import signal
import sys
from pathlib import Path

import gevent  # type: ignore[import-untyped]  # ships no types
import msgspec
from locust.env import Environment
from locust.stats import print_stats

from loadtest.arrivals import schedule
from loadtest.declared import Declared
from loadtest.launch import LIVE, RECORDING, STOP_S, RunConfig
from loadtest.process import allow_files, precede, quieten_gc
from loadtest.recorder import Recorder
from loadtest.recording import Recording
from loadtest.request import Journeys
from loadtest.run import Run
from loadtest.tasks import Tasks


class Files:
    """The run's folder: a line for each second, then the recording."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def second(self, recorder: Recorder, t: int, in_flight: int) -> None:
        with (self._out / LIVE).open("ab") as lines:
            lines.write(msgspec.json.encode(recorder.live(t, in_flight)) + b"\n")

    def over(self, recorder: Recorder, recording: Recording) -> None:
        path = self._out / RECORDING
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(recording))
        part.replace(path)


def main(run_path: str) -> None:
    """Do what RUN.json says; ends with 0 once the recording is written, be it of an interrupted run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    config = msgspec.json.decode(Path(run_path).read_bytes(), type=RunConfig)
    if not config.background:
        precede()
    allow_files(config.profile.max_in_flight)
    trouble: list[BaseException] = []

    class Arrivals(User):
        """The one Locust user: it stands for all arrivals."""

        @task
        def arrive(self) -> None:
            try:
                run.execute(schedule(config.profile, config.seed))
            except Exception as exc:  # noqa: BLE001 - raised again below, where Locust cannot swallow it
                trouble.append(exc)
            gevent.spawn(self.environment.runner.quit)
            gevent.sleep(STOP_S)

    environment = Environment(user_classes=[Arrivals])
    runner = environment.create_local_runner()
    run = Run(config, _journeys(config), environment.events.request.fire, Files(Path(config.out_dir)))
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, run.interrupt)
    quieten_gc()
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


if __name__ == "__main__":
    main(sys.argv[1])
