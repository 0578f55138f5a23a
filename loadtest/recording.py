"""What a load run writes down: raw, mergeable, judged by nobody yet.

The child process that makes the load writes one `Recording`; verdicts, reports and release gates read it.
Times named `t` are seconds since `epoch`; latencies are milliseconds; histograms are HdrHistogram's own
compressed text, in microseconds, so that they merge without loss.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = "primetrade.recording/1"


class Phase(msgspec.Struct, frozen=True):
    """A part of a run; only `steady` is judged."""

    name: Literal["warmup", "steady", "cooldown"]
    start: float
    end: float


class Second(msgspec.Struct, frozen=True):
    """One second by intended start; also the line that live progress reads."""

    t: int
    phase: str
    offered: int  # arrivals that were due
    sent: int
    ok: int
    failed: int
    dropped: int  # not sent: the in-flight pool was full
    over: tuple[int, ...]  # ok answers slower than each of Recording.thresholds_ms, from the intended start
    slots: dict[str, int]  # answers per slot, by the response header; without those that name none
    p50_ms: float
    p95_ms: float
    p99_ms: float
    lag_p99_ms: float  # actual send minus intended start: the generator's own delay
    in_flight: int


class Sample(msgspec.Struct, frozen=True):
    """A second with all that its percentiles are made of, so that those of several workers merge without loss."""

    second: Second
    responses: bytes  # of ok answers, seconds from the intended start, as C floats
    lags: bytes  # likewise


class Cell(msgspec.Struct, frozen=True):
    """Steady-phase counts of one route as answered by one slot ("" when the answer names none)."""

    route: str  # "GET /tasks/{id}"
    slot: str
    ok: int
    failed: int
    over: tuple[int, ...]
    response: str  # histogram from the intended start, ok answers
    service: str  # histogram from the send, ok answers


class Block(msgspec.Struct, frozen=True):
    """One steady second of one route: what the block bootstrap draws from."""

    route: str
    t: int
    ok: int
    failed: int
    over: tuple[int, ...]


class Failure(msgspec.Struct, frozen=True):
    """Failed requests of one kind in the steady phase; due moments of the first and the last.

    `kind` is "status 503", "timeout", "refused", "reset", "bad answer", "network" or "check: WHAT". Where no answer
    named a slot, `slot` is the arm that the request was sent by, here and in cells.
    """

    kind: str
    route: str
    slot: str
    count: int
    first: float
    last: float
    example: str


class Generator(msgspec.Struct, frozen=True):
    """What the generator itself did over the steady phase: the evidence for or against a valid run."""

    cpu_s: float
    requests: int
    lag_p99_ms: float
    worst_second_lag_p99_ms: float
    dropped: int
    unfinished: int  # sent, but without an answer when the run ended
    mean_in_flight: float  # of judged requests, by looks on a timer and by no latency, for Little's law
    in_flight_samples: int  # those looks
    max_in_flight: int
    failed_s: float = 0.0  # time failed requests were in flight, in sum: `service` holds the ok answers only
    in_flight_deviation: float = 0.0  # standard deviation of the looks


class Worker(msgspec.Struct, frozen=True):
    """One of the processes that made the load together."""

    name: str
    node: str  # the machine it ran on
    began_ms: float  # no later than that after the word to begin was given
    generator: Generator | None  # None: its part of the recording never came
    ended: str = ""  # why before its time; "" where it did its whole part


class Recording(msgspec.Struct, frozen=True):
    """One run of the load generator."""

    schema: str
    run_id: str
    profile: str
    target: str
    seed: int
    rate: float  # offered arrivals per second
    epoch: float  # wall clock (Unix seconds) of t = 0
    thresholds_ms: tuple[float, ...]
    phases: tuple[Phase, ...]
    seconds: tuple[Second, ...]
    cells: tuple[Cell, ...]
    blocks: tuple[Block, ...]
    response: str  # all steady ok answers, from the intended start
    service: str
    lag: str
    failures: tuple[Failure, ...]
    generator: Generator
    interrupted: bool = False
    workers: tuple[Worker, ...] = ()  # where there were several: see `loadtest.distributed.merge`
