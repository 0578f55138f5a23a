"""A generator that was late, full or cut short makes a run invalid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from loadtest.guards import guards
from loadtest.recording import Phase, Recording
from loadtest.result import Guard, Result
from tests.report import example

LAG = "schedule lag, p99 over the steady phase"
WORST = "schedule lag, p99 of the worst second"
DROPPED = "dropped requests (too many in flight)"
UNFINISHED = "unfinished requests"
LITTLE = "Little's law: in flight = rate x time"
STEADY = "steady phase complete"
SENT = "requests sent"
LAWFUL = example.recording().generator.mean_in_flight / 1.004  # rate times time, as the example is made


def changed(**generator: float) -> Recording:
    whole = example.recording()
    return replace(whole, generator=replace(whole.generator, **generator))


def broken(recording: Recording) -> list[str]:
    return [guard.name for guard in guards(recording) if not guard.ok]


def little(recording: Recording) -> Guard:
    return next(guard for guard in guards(recording) if guard.name == LITTLE)


def test_a_healthy_generator_breaks_no_guard() -> None:
    """The example run may be believed."""
    assert broken(example.recording()) == []


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ({"lag_p99_ms": 5.0}, []),
        ({"lag_p99_ms": 5.1}, [LAG]),
        ({"worst_second_lag_p99_ms": 25.0}, []),
        ({"worst_second_lag_p99_ms": 25.1}, [WORST]),
        ({"dropped": 1}, [DROPPED]),
        ({"unfinished": 1}, [UNFINISHED]),
        ({"lag_p99_ms": 80.0, "dropped": 3}, [LAG, DROPPED]),
        ({"requests": 0}, [SENT]),
        ({"in_flight_samples": 0}, [LITTLE]),
    ],
)
def test_each_limit_is_the_designs(generator: dict[str, float], expected: list[str]) -> None:
    """A number at its limit holds, one beyond breaks the guard of its name and no other."""
    assert expected == broken(changed(**generator))


def test_an_interrupted_run_is_invalid() -> None:
    """What was cut off proves nothing, even with every second recorded."""
    assert broken(replace(example.recording(), interrupted=True)) == [STEADY]


def test_a_missing_steady_second_is_noticed() -> None:
    """Every steady second has to be there."""
    whole = example.recording()
    holed = replace(whole, seconds=tuple(second for second in whole.seconds if second.t != 40))
    assert broken(holed) == [STEADY]


def test_a_run_that_ended_in_its_warm_up_is_invalid() -> None:
    """Without a steady phase there is nothing to judge and nothing to compare."""
    assert broken(replace(example.recording(), phases=(Phase("warmup", 0, 4),), seconds=())) == [STEADY, LITTLE]


@pytest.mark.parametrize(("factor", "ok"), [(1.015, True), (0.985, True), (1.025, False), (0.975, False)])
def test_littles_law_holds_within_two_percent(factor: float, ok: bool) -> None:
    """Many samples: in flight and rate times time have to agree within 2 %, both ways."""
    guard = little(changed(mean_in_flight=LAWFUL * factor, in_flight_samples=100_000))
    assert (ok, "within 2 %") == (guard.ok, guard.allowed)


@pytest.mark.parametrize(("factor", "ok"), [(1.25, True), (1.31, False)])
def test_few_samples_are_allowed_their_sampling_error(factor: float, ok: bool) -> None:
    """Forty samples of five in flight have a standard error of 7 %: four of them are allowed."""
    guard = little(changed(mean_in_flight=LAWFUL * factor, in_flight_samples=40))
    assert guard.ok is ok
    assert guard.allowed == "within 28 %: 4 standard errors of 40 samples"


def test_samples_that_scatter_are_allowed_more() -> None:
    """Mostly none in flight, now and then a hundred: the deviation found decides where it is more than Poisson's."""
    guard = little(changed(in_flight_samples=7000, in_flight_deviation=20.0))
    assert guard.allowed == "within 18.8 %: 4 standard errors of 7,000 samples"


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_generator_that_loses_a_fifth_of_its_requests_is_caught(factor: float) -> None:
    """From the count, or from the books, in a calm minute of four in flight."""
    assert little(changed(mean_in_flight=LAWFUL * factor, in_flight_deviation=2.3)).ok is False


def test_failed_requests_count_in_littles_law() -> None:
    """Requests that time out are in flight too, though no latency histogram holds them."""
    stuck = {"mean_in_flight": example.recording().generator.mean_in_flight + 10.0}
    assert little(changed(**stuck)).ok is False
    assert little(changed(**stuck, failed_s=700.0)).ok is True


def test_a_broken_guard_makes_the_result_invalid(judged: Callable[[Recording], Result]) -> None:
    """The numbers may all be green: the headline says that they prove nothing, and why."""
    result = judged(changed(lag_p99_ms=41.0))
    assert result.valid is False
    assert result.headline == (
        "This run proves nothing about the system, because the generator cannot be believed: "
        "schedule lag, p99 over the steady phase: 41.0 ms (allowed: at most 5 ms)."
    )
