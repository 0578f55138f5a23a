"""What a judged load run says: the one source of the JSON, HTML, JUnit and Markdown reports."""

from __future__ import annotations

import msgspec

from loadtest.recording import Phase
from slo.objective import Judgement, Outcome

SCHEMA = "primetrade.load/1"


class Guard(msgspec.Struct, frozen=True):
    """One condition under which the generator's numbers may be believed."""

    name: str
    ok: bool
    found: str
    allowed: str


class Event(msgspec.Struct, frozen=True):
    """Something that happened to the system while the load ran; drawn on every time chart."""

    t: float  # seconds since the recording's epoch
    kind: str  # "deploy", "gate", "shift", "promote", "rollback", "refused", "fault", "note"
    label: str  # short: "1.1.0 → 25 %"
    detail: str = ""


class Usage(msgspec.Struct, frozen=True):
    """What one part of the system spent over the steady phase."""

    part: str  # "app blue", "envoy", "postgresql", "valkey", "generator"
    cpu_s: float
    cpu_ms_per_request: float
    budget_ms: float | None  # from the design's table; None where it states none


class Fact(msgspec.Struct, frozen=True):
    """A measured number with its name, for tables that have no other home (pool waits, cut-over times)."""

    name: str
    value: str
    note: str = ""


class Point(msgspec.Struct, frozen=True):
    """One second of the time charts."""

    t: int
    phase: str
    offered: int
    ok: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    slots: dict[str, int]


class RouteRow(msgspec.Struct, frozen=True):
    """One line of the per-route table, over the steady phase."""

    route: str
    requests: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    judgement: Judgement | None  # where slo.yaml has an override for this route


class Bin(msgspec.Struct, frozen=True):
    """One bar of the latency distribution: ok answers from `low_ms` to below `high_ms`."""

    low_ms: float
    high_ms: float
    count: int


class Percentile(msgspec.Struct, frozen=True):
    """One line of the latency table: `share` percent of ok answers took at most this long."""

    share: float  # 99.9
    response_ms: float  # from the intended start
    service_ms: float  # from the send


class ErrorRow(msgspec.Struct, frozen=True):
    """Failed requests of one kind on one route by one slot."""

    kind: str
    route: str
    slot: str
    count: int
    first: float
    last: float
    example: str


class Result(msgspec.Struct, frozen=True):
    """A run, judged."""

    schema: str
    run_id: str
    title: str
    started_at: str  # ISO 8601, UTC
    profile: str
    target: str
    rate: float
    steady_s: float
    requests: int
    failed: int
    achieved_rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    service_p95_ms: float
    outcome: Outcome  # of all objectives judged by load together; meaningful only when valid
    valid: bool
    headline: str  # the verdict in words
    guards: tuple[Guard, ...]
    judgements: tuple[Judgement, ...]  # judged_by load
    not_judged: tuple[Judgement, ...]  # the others, with the upper bound and the budget burnt where counts allow
    routes: tuple[RouteRow, ...]
    points: tuple[Point, ...]
    distribution: tuple[Bin, ...]
    errors: tuple[ErrorRow, ...]
    slots: dict[str, int]  # steady answers per slot
    events: tuple[Event, ...] = ()
    usage: tuple[Usage, ...] = ()
    facts: tuple[Fact, ...] = ()
    machine: tuple[Fact, ...] = ()
    percentiles: tuple[Percentile, ...] = ()
    thresholds_ms: tuple[float, ...] = ()  # the service-wide latency bounds, for lines in the charts
    phases: tuple[Phase, ...] = ()
