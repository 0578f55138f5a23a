"""A run as a demo leaves it, from a fixed seed: 1,020 requests/s while releases move the users between slots."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from hdrh.histogram import HdrHistogram

from loadtest.recording import SCHEMA, Block, Cell, Failure, Generator, Phase, Recording, Second
from loadtest.result import Event, Fact, Usage

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Ints = np.ndarray[tuple[int], np.dtype[np.int64]]

RATE = 1020
THRESHOLDS_MS = (100.0, 200.0, 500.0)
PHASES = (Phase("warmup", 0, 10), Phase("steady", 10, 80), Phase("cooldown", 80, 83))
# Share of the requests, and median milliseconds.
ROUTES = {
    "GET /tasks/{task_id}": (0.42, 2.6),
    "GET /tasks": (0.26, 5.2),
    "GET /tasks/stats": (0.07, 4.1),
    "GET /users/me": (0.05, 2.1),
    "POST /tasks": (0.09, 6.3),
    "PATCH /tasks/{task_id}": (0.07, 7.0),
    "POST /tasks/{task_id}/assign": (0.02, 7.4),
    "DELETE /tasks/{task_id}": (0.02, 6.1),
}
# From second t on, this share of the requests goes to green.
GREEN = ((0, 0.0), (22, 0.05), (27, 0.25), (32, 0.5), (37, 1.0), (44, 0.0), (51, 0.5), (56, 1.0))
EVENTS = (
    Event(12.3, "deploy", "1.1.0 on green", "Ready in 1.4 s; schema level 2 accepted."),
    Event(20.8, "gate", "1.1.0 passed", "Not worse than 1.0.0 by more than 0.5 points over 1,800 requests a slot."),
    Event(22.0, "shift", "1.1.0 → 5 %"),
    Event(27.0, "shift", "1.1.0 → 25 %"),
    Event(32.0, "shift", "1.1.0 → 50 %"),
    Event(37.0, "promote", "1.1.0 → 100 %", "Last request that blue began: 3 ms after the write."),
    Event(44.0, "rollback", "back to 1.0.0", "Last request that green began: 2 ms after the write."),
    Event(51.0, "shift", "1.1.0 → 50 %"),
    Event(56.0, "promote", "1.1.0 → 100 %"),
    Event(60.2, "deploy", "1.2.0-bad on blue", "Ready in 1.5 s."),
    Event(
        67.9, "refused", "1.2.0-bad refused", "2.1 % of 1,800 analysis requests failed; no user's request went there."
    ),
)
USAGE = (
    Usage("app blue", 12.31, 0.41, 0.5),
    Usage("app green", 17.12, 0.44, 0.5),
    Usage("Envoy", 8.57, 0.12, 0.25),
    Usage("PostgreSQL", 15.01, 0.21, 0.2),
    Usage("Valkey", 1.43, 0.02, 0.1),
    Usage("generator", 12.86, 0.18, 0.2),
)
FACTS = (
    Fact("Waited for a database connection, blue", "14 of 30,020 checkouts", "21 ms in sum"),
    Fact("Waited for a database connection, green", "9 of 38,911 checkouts", "12 ms in sum"),
    Fact("Cut-over, median of 3", "2.4 ms", "from the write to the last request that the old slot began"),
)
MACHINE = (
    Fact("CPU", "Example CPU at 2.1 GHz"),
    Fact("cores", "2"),
    Fact("memory", "7.8 GB"),
    Fact("kernel", "Linux 6.1"),
    Fact("Python", "3.11.2"),
)


class Requests(NamedTuple):
    """One value per request."""

    response: Floats
    service: Floats
    failed: Flags
    green: Flags


@cache
def recording(*, slow: float = 1.0, failed_share: float = 0.0, rate: int = RATE) -> Recording:
    """A whole run that should have offered RATE.

    `slow` multiplies every latency, `failed_share` fails that share beside four that always fail, and `rate` is what
    really came.
    """
    random = np.random.default_rng(7)
    arrivals = np.sort(random.uniform(0, PHASES[-1].end, random.poisson(rate * PHASES[-1].end)))
    names = list(ROUTES)
    route = random.choice(len(names), len(arrivals), p=[share for share, _ in ROUTES.values()])
    median = np.array([ms for _, ms in ROUTES.values()])[route]
    service = slow * random.lognormal(np.log(median), 0.45) + slow * random.exponential(30, len(arrivals)) * (
        random.uniform(size=len(arrivals)) < 0.012
    )
    second = arrivals.astype(np.int64)
    response = service + random.exponential(0.4, len(arrivals)) + 25 * np.isin(second, (37, 44, 60))
    green = random.uniform(size=len(arrivals)) < _green(second)
    failed = random.uniform(size=len(arrivals)) < failed_share
    failed[np.flatnonzero(second == 60)[:4]] = True
    steady = (arrivals >= PHASES[1].start) & (arrivals < PHASES[1].end)
    lag = random.exponential(0.4, len(arrivals))
    run = Requests(response, service, failed, green)
    return Recording(
        schema=SCHEMA,
        run_id="20260314T091500-7",
        profile="load",
        target="http://127.0.0.1:8080",
        seed=7,
        rate=RATE,
        epoch=1_773_479_700.0,
        thresholds_ms=THRESHOLDS_MS,
        phases=PHASES,
        seconds=tuple(_second(t, run, second == t) for t in range(int(PHASES[-1].end))),
        cells=tuple(
            _cell(name, slot, run, steady & (route == i) & (green == (slot == "green")))
            for i, name in enumerate(names)
            for slot in ("blue", "green")
        ),
        blocks=tuple(
            _block(name, t, run, (route == i) & (second == t))
            for i, name in enumerate(names)
            for t in range(int(PHASES[1].start), int(PHASES[1].end))
        ),
        response=histogram(response[steady & ~failed]),
        service=histogram(service[steady & ~failed]),
        lag=histogram(lag[steady]),
        failures=_failures(int(failed[steady].sum())),
        generator=Generator(
            cpu_s=12.86,
            requests=int(steady.sum()),
            lag_p99_ms=1.9,
            worst_second_lag_p99_ms=7.4,
            dropped=0,
            unfinished=0,
            mean_in_flight=float(service[steady].sum() / 1e3 / 70) * 1.004,
            in_flight_samples=7000,
            max_in_flight=41,
            failed_s=float(service[steady & failed].sum() / 1e3),
        ),
    )


def histogram(milliseconds: Floats) -> str:
    """The histogram of `milliseconds` as a recording keeps it."""
    made = HdrHistogram(1, 3_600_000_000, 3)
    values, counts = np.unique((milliseconds * 1e3).astype(np.int64), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        made.record_value(value, count)
    return str(made.encode().decode())


def _green(second: Ints) -> Floats:
    starts = [t for t, _ in GREEN]
    shares = np.array([share for _, share in GREEN])
    return shares[np.searchsorted(starts, second, side="right") - 1]


def _over(ok_ms: Floats) -> tuple[int, ...]:
    return tuple(int((ok_ms > threshold).sum()) for threshold in THRESHOLDS_MS)


def _second(t: int, run: Requests, here: Flags) -> Second:
    ok_ms = run.response[here & ~run.failed]
    p50, p95, p99 = np.percentile(ok_ms, (50, 95, 99))
    return Second(
        t=t,
        phase=next(phase.name for phase in PHASES if phase.start <= t < phase.end),
        offered=int(here.sum()),
        sent=int(here.sum()),
        ok=len(ok_ms),
        failed=int((here & run.failed).sum()),
        dropped=0,
        over=_over(ok_ms),
        slots={"blue": int((here & ~run.green).sum()), "green": int((here & run.green).sum())},
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        lag_p99_ms=1.9,
        in_flight=int(run.service[here].sum() / 1e3),
    )


def _cell(route: str, slot: str, run: Requests, here: Flags) -> Cell:
    ok = here & ~run.failed
    texts = histogram(run.response[ok]), histogram(run.service[ok])
    return Cell(route, slot, int(ok.sum()), int((here & run.failed).sum()), _over(run.response[ok]), *texts)


def _block(route: str, t: int, run: Requests, here: Flags) -> Block:
    ok_ms = run.response[here & ~run.failed]
    return Block(route, t, len(ok_ms), int((here & run.failed).sum()), _over(ok_ms))


def _failures(count: int) -> tuple[Failure, ...]:
    resets = Failure("reset", "GET /tasks", "", 1, 60.1, 60.1, "Connection reset by peer")
    rest = Failure("status 503", "POST /tasks", "blue", count - 1, 60.2, 60.4, '{"title": "Database unavailable"}')
    return rest, resets


def empty() -> Recording:
    """A run that was ended before it sent anything."""
    return Recording(
        schema=SCHEMA,
        run_id="20260314T091500-8",
        profile="load",
        target="http://127.0.0.1:8080",
        seed=7,
        rate=RATE,
        epoch=1_773_479_700.0,
        thresholds_ms=THRESHOLDS_MS,
        phases=(),
        seconds=(),
        cells=(),
        blocks=(),
        response=histogram(np.array([])),
        service=histogram(np.array([])),
        lag=histogram(np.array([])),
        failures=(),
        generator=Generator(0.1, 0, 0.0, 0.0, 0, 0, 0.0, 0, 0),
        interrupted=True,
    )
