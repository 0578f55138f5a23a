"""Turns what happened to each request into a `Recording`: no clock, no socket, no greenlet in here.

Times are seconds from the start of the run. `intended` is when a request was due, `sent` when it left, `done` when
its whole answer had been read: the response time is done - intended, the service time done - sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from loadtest import histogram
from loadtest.in_flight import InFlight
from loadtest.recording import Block, Generator, Sample, Second
from loadtest.tally import CellTally, FailureTally, OverCounts, SecondTally
from loadtest.timeline import Timeline


class Flight(NamedTuple):
    """A request that was sent."""

    route: str
    intended: float
    sent: float


class Recorder:
    """Counts as requests go by; see `loadtest.recording` for what it counts."""

    def __init__(self, timeline: Timeline, thresholds_ms: Sequence[float]) -> None:
        self.timeline = timeline
        self.unfinished = 0  # judged requests without an answer so far
        self.peak = 0
        self.failed_s = 0.0
        self.lag = histogram.new()
        self._bounds_s = tuple(sorted(ms / 1000 for ms in thresholds_ms))
        self._seconds: dict[int, SecondTally] = {}
        self._cells: dict[tuple[str, str], CellTally] = {}
        self._blocks: dict[tuple[str, int], OverCounts] = {}
        self._failures: dict[tuple[str, str, str], FailureTally] = {}

    def dropped(self, intended: float) -> None:
        """A request was due and could not be sent: too many are in flight."""
        second = self._second(intended)
        second.offered += 1
        second.dropped += 1

    def sent(self, flight: Flight, in_flight: int) -> None:
        """A request left, and now `in_flight` are under way."""
        lag_s = flight.sent - flight.intended
        second = self._second(flight.intended)
        second.offered += 1
        second.sent += 1
        second.lags.append(lag_s)
        if self.timeline.judged(flight.intended):
            histogram.record(self.lag, lag_s)
            self.unfinished += 1
            self.peak = max(self.peak, in_flight)

    def ok(self, flight: Flight, slot: str, done: float) -> None:
        """A right answer came."""
        response_s = done - flight.intended
        second = self._answered(flight, slot)
        second.add_ok(response_s)
        second.responses.append(response_s)
        if self.timeline.judged(flight.intended):
            self.unfinished -= 1
            cell = self._cell(flight.route, slot)
            cell.add_ok(response_s)
            histogram.record(cell.response, response_s)
            histogram.record(cell.service, done - flight.sent)
            self._block(flight).add_ok(response_s)

    def failed(self, flight: Flight, slot: str, done: float, kind: str, example: str) -> None:
        """A wrong answer came, or none; its time goes into no latency."""
        self._answered(flight, slot).failed += 1
        if self.timeline.judged(flight.intended):
            self.unfinished -= 1
            self.failed_s += done - flight.sent
            self._cell(flight.route, slot).failed += 1
            self._block(flight).failed += 1
            key = (kind, flight.route, slot)
            if key not in self._failures:
                self._failures[key] = FailureTally(flight.intended, example)
            self._failures[key].add(flight.intended)

    def live(self, t: int, in_flight: int) -> Second:
        """Second `t` as known by now, for somebody who watches; what is still in flight is missing from it."""
        tally = self._second(t)
        tally.in_flight = in_flight
        return tally.frozen(t, self.timeline.phase(t))

    def seconds(self) -> tuple[Second, ...]:
        """All seconds, as known by now."""
        return tuple(tally.frozen(t, self.timeline.phase(t)) for t, tally in sorted(self._seconds.items()))

    def sample(self, t: int) -> Sample:
        """Second `t` as known by now, to be merged with that of others."""
        tally = self._second(t)
        second = tally.frozen(t, self.timeline.phase(t))
        return Sample(second, tally.responses.tobytes(), tally.lags.tobytes())

    def cells(self) -> dict[tuple[str, str], CellTally]:
        """Judged answers by route and slot."""
        return dict(sorted(self._cells.items()))

    def blocks(self) -> tuple[Block, ...]:
        """Judged answers by route and second."""
        found = sorted(self._blocks.items(), key=lambda item: (item[0][1], item[0][0]))
        return tuple(Block(route, t, b.ok, b.failed, tuple(b.over)) for (route, t), b in found)

    def failures(self) -> dict[tuple[str, str, str], FailureTally]:
        """Judged failures by kind, route and slot, the most frequent first."""
        return dict(sorted(self._failures.items(), key=lambda item: -item[1].count))

    def generator(self, seconds: Sequence[Second], cpu_s: float, sampled: InFlight) -> Generator:
        """How well the generator kept its own schedule over the steady phase."""
        steady = [s for s in seconds if s.phase == "steady"]
        length = self.timeline.steady_end - self.timeline.steady_start
        return Generator(
            cpu_s=cpu_s,
            requests=sum(s.sent for s in steady),
            lag_p99_ms=histogram.percentile_ms(self.lag, 99),
            worst_second_lag_p99_ms=max((s.lag_p99_ms for s in steady), default=0.0),
            dropped=sum(s.dropped for s in steady),
            unfinished=self.unfinished,
            mean_in_flight=sampled.mean(length),
            in_flight_samples=sampled.count,
            in_flight_deviation=sampled.deviation,
            max_in_flight=self.peak,
            failed_s=self.failed_s,
        )

    def _answered(self, flight: Flight, slot: str) -> SecondTally:
        second = self._second(flight.intended)
        if slot:
            second.slots[slot] += 1
        return second

    def _second(self, intended: float) -> SecondTally:
        t = int(intended)
        if t not in self._seconds:
            self._seconds[t] = SecondTally(self._bounds_s)
        return self._seconds[t]

    def _cell(self, route: str, slot: str) -> CellTally:
        key = (route, slot)
        if key not in self._cells:
            self._cells[key] = CellTally(self._bounds_s)
        return self._cells[key]

    def _block(self, flight: Flight) -> OverCounts:
        key = (flight.route, int(flight.intended))
        if key not in self._blocks:
            self._blocks[key] = OverCounts(self._bounds_s)
        return self._blocks[key]
