"""Sampling the requests in flight: the mean over time, whatever rhythm they have."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from loadtest.in_flight import EVERY_S, InFlight

LENGTH_S = 60


def sampled(number_at: Callable[[float], int], seed: int = 1) -> InFlight:
    """Looks at `number_at` for a minute, each one taken when it is due."""
    looks = InFlight(2.0, seed)
    while looks.due < 2.0 + LENGTH_S:
        looks.number = number_at(looks.due)
        looks.look(looks.due)
    return looks


@pytest.mark.parametrize("seed", range(5))
def test_a_rhythm_in_step_with_the_looks_does_not_deceive_them(seed: int) -> None:
    """Ten in flight for the first 4 ms of every 10 ms: a look at each 10 ms sharp would see 10 or 0, never 4."""
    looks = sampled(lambda at: 10 if at % EVERY_S < 0.4 * EVERY_S else 0, seed)
    assert pytest.approx(4, rel=0.05) == looks.mean(LENGTH_S)
    assert pytest.approx(24**0.5, rel=0.05) == looks.deviation


def test_a_slow_change_is_averaged_nearly_without_error() -> None:
    """From 0 to 599 in a minute; its deviation is large, and allows far more than the looks err."""
    looks = sampled(lambda at: int((at - 2) * 10))
    assert (LENGTH_S / EVERY_S, pytest.approx(299.5, rel=0.001)) == (looks.count, looks.mean(LENGTH_S))
    assert pytest.approx(173.2, rel=0.01) == looks.deviation


def test_looks_that_were_missed_count_for_the_time_that_was_waited() -> None:
    """Nothing before the start; half a second late is fifty looks at once."""
    looks = InFlight(2.0, seed=1)
    looks.change(+7, 1.99)
    assert (0, 0.0, 0.0) == (looks.count, looks.mean(0.5), looks.deviation)
    looks.look(2.5)
    assert (50, pytest.approx(7), 0.0) == (looks.count, looks.mean(0.5), looks.deviation)


def test_a_look_that_waits_for_a_busy_process_sees_what_was_there_when_it_was_due() -> None:
    """Five in flight for 10 ms, then five more: the look of those 10 ms comes with the change, and sees five."""
    looks = InFlight(2.0, seed=1)
    looks.change(+5, 2.0)
    looks.change(+5, 2.01)
    assert (1, pytest.approx(5), 10) == (looks.count, looks.mean(0.01), looks.number)


def test_four_requests_of_four_milliseconds_are_seen_within_two_percent() -> None:
    """A calm minute at 1,000 requests/s, ten times: what the guard is to let through."""
    draw = random.Random(1)
    for seed in range(10):
        ends = sorted((start := draw.uniform(-1, LENGTH_S + 1), start + draw.expovariate(250)) for _ in range(62_000))
        looks, following = InFlight(0, seed), 0
        lasting: list[float] = []
        while looks.due < LENGTH_S:
            at = looks.due
            while following < len(ends) and ends[following][0] <= at:
                lasting.append(ends[following][1])
                following += 1
            lasting = [end for end in lasting if end > at]
            looks.number = len(lasting)
            looks.look(at)
        true = sum(max(0.0, min(end, LENGTH_S) - max(start, 0.0)) for start, end in ends) / LENGTH_S
        assert true == pytest.approx(looks.mean(LENGTH_S), rel=0.02)
