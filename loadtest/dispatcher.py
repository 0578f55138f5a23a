"""Sends each request when it is due, whatever became of those before it; imported by the child only."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import gevent  # type: ignore[import-untyped]  # ships no types
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from loadtest.connections import Connections
from loadtest.in_flight import InFlight
from loadtest.launch import RunConfig
from loadtest.recorder import Flight, Recorder
from loadtest.request import Journeys, Request, header_lines, wire

BURST: Final = 50  # late requests sent in a row before their greenlets get a turn
SETTLED_AT_ONCE: Final = 64
NAP_S: Final = 0.25  # the end of the run may come nearer while the next arrival is awaited

# Locust's `request` event: its own statistics, and any listener, see the corrected time.
Fire = Callable[..., Any]


class Arm:
    """One of several ways to send the same mix."""

    def __init__(self, name: str, host: str, headers: Mapping[str, str]) -> None:
        self.name = name
        given = {header.lower() for header in headers}
        usual = {"Host": host, "User-Agent": "primetrade-load", "Accept": "*/*"}
        self.lines = header_lines({k: v for k, v in usual.items() if k.lower() not in given} | dict(headers))


class Outcome(NamedTuple):
    """What became of a request; `kind` is None for a right answer."""

    flight: Flight
    method: str
    slot: str
    done: float
    size: int
    kind: str | None
    example: str


class Dispatcher:
    """One greenlet follows the schedule, one per request in flight sends it and waits for its answer."""

    def __init__(
        self,
        config: RunConfig,
        recorder: Recorder,
        journeys: Journeys,
        connections: Connections,
        fire: Fire,
    ) -> None:
        arms = config.arms or {"": {}}
        self._arms = _dealt([Arm(n, connections.host, config.headers | h) for n, h in arms.items()], config.seed)
        self._timeout_s = config.profile.timeout_s
        self._max_in_flight = config.profile.max_in_flight
        self._recorder = recorder
        self._timeline = recorder.timeline
        self._journeys = journeys
        self._connections = connections
        self._fire = fire
        self.outstanding = 0
        self.judged = InFlight(self._timeline.steady_start, config.seed)  # those that count for the verdict
        self._outcomes: list[Outcome] = []
        self._epoch = time.perf_counter()

    def now(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._epoch

    def run(self, schedule: Iterator[float]) -> None:
        """Follow `schedule` to the end of the timeline; what is late already is sent at once, never left out."""
        self._epoch = time.perf_counter()
        late = 0
        for intended in schedule:
            late += 1
            while (wait := intended - self.now()) > 0 and intended < self._timeline.end:
                gevent.sleep(min(wait, NAP_S))
                late = 0
            if intended >= self._timeline.end:
                break
            if late == BURST:
                gevent.sleep(0)
                late = 0
            if self.outstanding >= self._max_in_flight:
                self._recorder.dropped(intended)
                continue
            request = self._journeys.draw(warmup=intended < self._timeline.steady_start)
            self.outstanding += 1
            gevent.spawn(self._exchange, intended, request, next(self._arms))

    def drain(self, limit_s: float) -> None:
        """Wait for the answers under way, at most `limit_s`."""
        deadline = self.now() + limit_s
        while self.outstanding and self.now() < deadline:
            gevent.sleep(0.01)
        self.settle()

    def settle(self) -> None:
        """Enter what came back since the last time into the books, Locust's and ours.

        Many at a time: the books' memory is warm then, which halves the cost.
        """
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            flight, kind = outcome.flight, outcome.kind
            if kind is None:
                self._recorder.ok(flight, outcome.slot, outcome.done)
            else:
                self._recorder.failed(flight, outcome.slot, outcome.done, kind, outcome.example)
            self._fire(
                request_type=outcome.method,
                name=flight.route,
                response_time=(outcome.done - flight.intended) * 1000,
                response_length=outcome.size,
                exception=kind and RuntimeError(kind),
                context={},
            )

    def _exchange(self, intended: float, request: Request, arm: Arm) -> None:
        raw = wire(request, arm.lines)
        counts = int(self._timeline.judged(intended))
        flight = Flight(request.route, intended, self.now())
        self.judged.change(counts, self.now())
        self._recorder.sent(flight, self.outstanding)
        slot, size, example = arm.name, 0, ""
        try:
            answer = self._connections.exchange(raw, request.method)
            done = self.now()
            self.judged.change(-counts, self.now())
            slot, size = answer.slot or arm.name, len(answer.body)
            kind = request.check(answer.status, answer.body)
            if done - flight.sent > self._timeout_s:
                kind = "timeout"
            if kind is not None:
                example = f"{answer.status} {answer.body[:200].decode(errors='replace')}"
        except (OSError, HTTPParseError) as exc:
            done = self.now()
            self.judged.change(-counts, self.now())
            kind, example = _kind(exc), f"{type(exc).__name__}: {exc}"
        self.outstanding -= 1
        self._outcomes.append(Outcome(flight, request.method, slot, done, size, kind, example))
        if len(self._outcomes) >= SETTLED_AT_ONCE:
            self.settle()


def _dealt(arms: Sequence[Arm], seed: int) -> Iterator[Arm]:
    """Each arm once, in an order of chance, again and again: even shares, and no rhythm shared with the journeys."""
    deal = random.Random(seed)  # noqa: S311 - an order that can be repeated, not a secret
    hand = list(arms)
    while True:
        deal.shuffle(hand)
        yield from hand


def _kind(exc: OSError | HTTPParseError) -> str:
    match exc:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError() | BrokenPipeError() | HTTPConnectionClosed():
            return "reset"
        case HTTPParseError():
            return "bad answer"
        case _:
            return "network"
