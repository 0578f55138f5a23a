"""Schedules: the rate that was asked for, in order, with the scatter that was asked for."""

from __future__ import annotations

from itertools import islice, pairwise
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.arrivals import SCHEDULES, poisson, ramped, uniform

rates = st.floats(0.1, 10_000)
seeds = st.integers(0, 2**32)


def dispersion(due: list[float], seconds: int) -> float:
    """Variance over mean of the arrivals per second: 1 for a Poisson process, near 0 for equal gaps."""
    counts = [0] * seconds
    for moment in due:
        if moment < seconds:
            counts[int(moment)] += 1
    return pvariance(counts) / fmean(counts)


@pytest.mark.parametrize("name", SCHEDULES)
@given(rate=rates, seed=seeds)
def test_a_schedule_ascends_and_repeats_for_its_seed(name: str, rate: float, seed: int) -> None:
    """The same seed gives the same moments, each later than the one before."""
    due = list(islice(SCHEDULES[name](rate, seed), 200))
    assert all(a < b for a, b in pairwise(due))
    assert due == list(islice(SCHEDULES[name](rate, seed), 200))
    assert due != list(islice(SCHEDULES[name](rate, seed + 1), 200))


@given(rate=rates, seed=seeds)
def test_uniform_arrivals_keep_to_a_grid_however_long_they_go_on(rate: float, seed: int) -> None:
    """The thousandth arrival is 999 gaps after the first, without drift."""
    due = list(islice(uniform(rate, seed), 1000))
    assert due[-1] - due[0] == pytest.approx(999 / rate, rel=1e-9)


def test_poisson_arrivals_have_the_rate_and_the_scatter_of_independent_users() -> None:
    """200 seconds at 100/s: the count within 4 sigma; the dispersion index within 4 sigma of 1, unlike a grid's."""
    due = [moment for moment in islice(poisson(100, 7), 40_000) if moment < 200]
    assert len(due) == pytest.approx(20_000, abs=4 * 20_000**0.5)
    assert dispersion(due, 200) == pytest.approx(1, abs=4 * (2 / 199) ** 0.5)
    grid = list(islice(uniform(100, 7), 20_000))
    assert dispersion(grid, 200) < 0.01


@given(st.integers(1, 30), st.integers(0, 1000))
def test_a_ramp_rises_in_a_line_and_then_keeps_the_rate(ramp_s: int, seed: int) -> None:
    """By time t of the ramp, rate * t^2 / (2 ramp) arrivals are due; afterwards the rate of the schedule."""
    rate = 50.0
    due = [*islice(ramped(uniform(rate, seed), ramp_s), int(rate * ramp_s))]
    assert due == sorted(due)
    for t in (ramp_s / 4, ramp_s / 2, ramp_s):
        assert abs(sum(d < t for d in due) - rate * t * t / (2 * ramp_s)) <= 1
    assert abs(sum(d < ramp_s * 1.25 for d in due) - rate * ramp_s * 0.75) <= 1


def test_no_ramp_changes_nothing() -> None:
    """With a ramp of no length the schedule is its own."""
    assert [*islice(uniform(10, 1), 5)] == [*islice(ramped(uniform(10, 1), 0), 5)]
