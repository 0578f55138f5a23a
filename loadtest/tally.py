"""Counts of a run in the making: by second, by route and slot, by kind of failure."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

from loadtest import histogram
from loadtest.recording import Cell, Failure, Second


class OverCounts:
    """Answers that failed, and ok answers slower than each bound."""

    __slots__ = ("_bounds_s", "failed", "ok", "over")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = bounds_s
        self.ok = 0
        self.failed = 0
        self.over = [0] * len(bounds_s)

    def add_ok(self, response_s: float) -> None:
        """Count one ok answer; bounds ascend, so the first one kept ends the search."""
        self.ok += 1
        for i, bound in enumerate(self._bounds_s):
            if response_s <= bound:
                break
            self.over[i] += 1


class SecondTally(OverCounts):
    """Requests that were due in one second; latencies are kept one by one: 8 bytes a request, for exact percentiles."""

    __slots__ = ("dropped", "in_flight", "lags", "offered", "responses", "sent", "slots")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        super().__init__(bounds_s)
        self.offered = 0
        self.sent = 0
        self.dropped = 0
        self.in_flight = 0
        self.lags = array("f")
        self.responses = array("f")
        self.slots: Counter[str] = Counter()

    def frozen(self, t: int, phase: str) -> Second:
        """What is known of this second by now."""
        responses = sorted(self.responses)
        p50, p95, p99 = (rank(responses, share) * 1000 for share in (50, 95, 99))
        return Second(
            t=t,
            phase=phase,
            offered=self.offered,
            sent=self.sent,
            ok=self.ok,
            failed=self.failed,
            dropped=self.dropped,
            over=tuple(self.over),
            slots=dict(self.slots),
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            lag_p99_ms=rank(sorted(self.lags), 99) * 1000,
            in_flight=self.in_flight,
        )


class CellTally(OverCounts):
    """Judged answers of one route by one slot."""

    __slots__ = ("response", "service")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        super().__init__(bounds_s)
        self.response = histogram.new()
        self.service = histogram.new()

    def frozen(self, route: str, slot: str) -> Cell:
        """The cell as it is recorded."""
        return Cell(
            route,
            slot,
            self.ok,
            self.failed,
            tuple(self.over),
            histogram.encode(self.response),
            histogram.encode(self.service),
        )


class FailureTally:
    """Judged failures of one kind on one route by one slot."""

    __slots__ = ("count", "example", "first", "last")

    def __init__(self, at: float, example: str) -> None:
        self.count = 0
        self.first = self.last = at
        self.example = example

    def add(self, at: float) -> None:
        """Count one more, due at `at`."""
        self.count += 1
        self.first, self.last = min(self.first, at), max(self.last, at)

    def frozen(self, kind: str, route: str, slot: str) -> Failure:
        """The failure as it is recorded."""
        return Failure(kind, route, slot, self.count, self.first, self.last, self.example)


def rank(ascending: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that `share` percent of all do not exceed; 0 for none."""
    if not ascending:
        return 0.0
    return ascending[max(0, -int(-share * len(ascending) // 100) - 1)]
