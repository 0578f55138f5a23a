"""Whether a run may be believed at all: a generator that was late, full or cut short measures itself.

Limits are the design's (performance budget). A run with one failed guard is invalid: neither green nor red.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest import units
from loadtest.latency import Latency
from loadtest.recording import Phase, Recording, Worker
from loadtest.result import Guard

LAG_P99_MS = 5.0
WORST_SECOND_LAG_P99_MS = 25.0
BEGAN_MS = 250.0  # a quarter of the second that blocks are made of
LITTLE = 0.02
ERRORS = 4  # standard errors: one sound run in more than 10,000 lies beyond


def guards(recording: Recording) -> tuple[Guard, ...]:
    """Judge the generator, not the system under test."""
    made = recording.generator
    steady = steady_phase(recording)
    return (
        _steady(recording, steady),
        Guard("requests sent", made.requests > 0, f"{made.requests:,}", "more than 0"),
        _at_most("schedule lag, p99 over the steady phase", made.lag_p99_ms, LAG_P99_MS),
        _at_most("schedule lag, p99 of the worst second", made.worst_second_lag_p99_ms, WORST_SECOND_LAG_P99_MS),
        _none("dropped requests (too many in flight)", made.dropped),
        _none("unfinished requests", made.unfinished),
        _little(recording, steady.end - steady.start),
        *_workers(recording.workers),
    )


def steady_phase(recording: Recording) -> Phase:
    """The judged phase; empty when the run ended before it began."""
    return next((phase for phase in recording.phases if phase.name == "steady"), Phase("steady", 0.0, 0.0))


def _steady(recording: Recording, steady: Phase) -> Guard:
    length = steady.end - steady.start
    seconds = sum(second.phase == "steady" for second in recording.seconds)
    found = f"{seconds:,} of {length:,.0f} s recorded" + (", interrupted" if recording.interrupted else "")
    whole = length > 0 and seconds >= math.floor(length)
    return Guard("steady phase complete", whole and not recording.interrupted, found, "every second, not interrupted")


def _workers(workers: Sequence[Worker]) -> Iterator[Guard]:
    """Nothing of a run by one process; its lag is that of the worst of several."""
    if not workers:
        return
    gone = [f"{worker.name} {worker.ended}" for worker in workers if worker.ended]
    found = "; ".join([f"{len(workers) - len(gone)} of {len(workers)}", *gone])
    yield Guard("workers that did their whole part", not gone, found, "all")
    yield _at_most("all workers had begun", max(worker.began_ms for worker in workers), BEGAN_MS)


def _at_most(name: str, found_ms: float, limit_ms: float) -> Guard:
    return Guard(name, found_ms <= limit_ms, f"{found_ms:.1f} ms", f"at most {limit_ms:g} ms")


def _none(name: str, count: int) -> Guard:
    return Guard(name, count == 0, f"{count:,}", "0")


def _little(recording: Recording, length_s: float) -> Guard:
    """Little's law, N = X·R: requests in flight, as counted on a timer, against rate times time, as recorded.

    X·R is the time that all requests, failed ones too, were in flight, over the length of the phase: what the
    latencies say. N comes from a count that knows no latency, so answers that were lost or entered twice, and times
    that are wrong, set the two apart. `loadtest.in_flight` says why n samples err by s/√n at most; where requests
    are few, s is known badly itself, and not taken as less than √N, that of a Poisson number. Where 4·s/√n is more
    than 2 % of N, it is what is allowed.
    """
    name = "Little's law: in flight = rate x time"
    made = recording.generator
    expected = (Latency([recording.service]).sum_s + made.failed_s) / length_s if length_s > 0 else 0.0
    if expected == 0 or made.in_flight_samples == 0:
        return Guard(name, ok=False, found="nothing to compare", allowed="requests and samples of those in flight")
    apart = abs(made.mean_in_flight - expected) / expected
    deviation = max(made.in_flight_deviation, math.sqrt(expected))
    noise = ERRORS * deviation / math.sqrt(made.in_flight_samples) / expected
    allowed = f"within {units.percent(LITTLE)}"
    if noise > LITTLE:
        allowed = f"within {units.percent(noise)}: {ERRORS} standard errors of {made.in_flight_samples:,} samples"
    found = f"{made.mean_in_flight:.2f} sampled, {expected:.2f} by the law: {units.percent(apart)} apart"
    return Guard(name, apart <= max(LITTLE, noise), found, allowed)
