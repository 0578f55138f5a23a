"""A worker's process: `python -m loadtest.distributed.worker MASTER PORT`.

It does what the master tells it and ends when the master says so, or when it has heard nothing of it for a minute.
"""

from __future__ import annotations

from locust.env import Environment  # first: it patches what the others import

# isort: split
import logging
import os
import platform
import signal
import sys
from typing import Any

import gevent  # type: ignore[import-untyped]  # ships no types
from locust.runners import WorkerRunner

from loadtest.declared import Declared
from loadtest.distributed import messages
from loadtest.distributed.messages import Hello, Part, Share, packed, unpacked
from loadtest.launch import BadRun
from loadtest.process import allow_files, end_when_told, lacking_files, precede, quieten_gc
from loadtest.recorder import Recorder
from loadtest.recording import Recording
from loadtest.request import Journeys
from loadtest.run import Run
from loadtest.tasks import Tasks


class Worker:
    """One worker; also the outlet of its run."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self.trouble: Exception | None = None
        self._fire = environment.events.request.fire
        self._runner = runner
        self._share: Share | None = None
        self._run: Run | None = None
        self._begun = False
        for kind, act in ((messages.SHARE, self._take), (messages.BEGIN, self._begin), (messages.END, self.end)):
            runner.register_message(kind, act)
        self._send(messages.HERE, Hello(platform.node(), os.environ.get("NODE_NAME", platform.node())))

    def end(self, **_: Any) -> None:
        """Before its time: what was measured is sent, and said to be of an interrupted run."""
        if self._run is not None and self._begun:
            self._run.interrupt()
        else:
            self._runner.quit()

    def second(self, recorder: Recorder, t: int, in_flight: int) -> None:
        recorder.live(t, in_flight)  # notes how many are in flight
        self._send(messages.SECOND, recorder.sample(t))

    def over(self, recorder: Recorder, recording: Recording) -> None:
        samples = tuple(recorder.sample(second.t) for second in recording.seconds)
        self._send(messages.PART, Part(recording, samples))

    def _take(self, msg: Any, **_: Any) -> None:
        gevent.spawn(self._attempt, self._prepare, unpacked(msg, Share))

    def _begin(self, **_: Any) -> None:
        gevent.spawn(self._attempt, self._execute)

    def _prepare(self, share: Share) -> None:
        own = share.own()
        if lacking := lacking_files(own.profile.max_in_flight):
            raise BadRun(lacking)
        allow_files(own.profile.max_in_flight)
        self._share = share
        self._run = Run(own, _journeys(share), self._fire, self)
        quieten_gc()
        self._send(messages.READY)

    def _execute(self) -> None:
        assert self._share is not None  # the master waits for READY
        assert self._run is not None
        self._begun = True
        self._send(messages.BEGAN)
        self._run.execute(self._share.arrivals())

    def _attempt(self, act: Any, *given: Any) -> None:
        try:
            act(*given)
        except Exception as exc:  # noqa: BLE001 - raised again where the process ends by it
            self.trouble = exc
            self._send(messages.TROUBLE, f"{type(exc).__name__}: {exc}")
            self._runner.quit()

    def _send(self, kind: str, content: object = None) -> None:
        self._runner.send_message(kind, packed(content))


def main(master: str, port: int) -> None:
    """Work for the master at that address; ends with 0 once it says that it has everything."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    end_when_told()
    precede()
    environment = Environment()
    runner = environment.create_worker_runner(master, port)
    worker = Worker(environment, runner)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, worker.end)
    runner.greenlet.join()
    if worker.trouble is not None:
        raise worker.trouble


def _journeys(share: Share) -> Journeys:
    own = share.own()
    if own.profile.journeys != "tasks":
        return Declared(own.profile.journeys, own.seed)
    assert share.tokens is not None  # the master seeds for such a run
    return Tasks(share.tokens, own.seed, own.profile.logins_per_s / own.profile.rate)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
