"""The circuit breaker: opens on failures in a row, lets one probe through, never holds its lock over a call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.breaker import CLOSED, OPEN, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(threshold=3, pause_s=2.0, clock=clock)
    for _ in range(3):
        assert breaker.allow()
        breaker.failure()
    return breaker


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(threshold=3, clock=Clock())
    for _ in range(5):
        breaker.failure()
        breaker.failure()
        breaker.success()
    assert breaker.state == CLOSED
    assert opened(Clock()).state == OPEN


def test_open_it_refuses_until_the_pause_is_over_and_then_lets_one_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert not breaker.allow()
    clock.now = 2.0
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: breaker.allow(), range(8))) == 1


def test_a_good_probe_closes_it_and_a_bad_one_keeps_it_open() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 2.0
    assert breaker.allow()
    breaker.failure()
    assert not breaker.allow()
    clock.now = 4.0
    assert breaker.allow()
    breaker.success()
    assert [breaker.allow() for _ in range(3)] == [True] * 3
    breaker.failure()
    assert breaker.state == CLOSED


def test_a_probe_that_never_reports_does_not_block_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 2.0
    assert breaker.allow()
    assert not breaker.allow()
    clock.now = 4.0
    assert breaker.allow()
