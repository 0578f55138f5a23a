"""From what a run recorded to what it proves: a pure function of a recording and the targets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from loadtest.errors import LoadError
from loadtest.guards import guards, steady_phase
from loadtest.headline import headline
from loadtest.latency import Latency
from loadtest.recording import Block, Cell, Recording, Second
from loadtest.result import SCHEMA, ErrorRow, Event, Fact, Percentile, Point, Result, RouteRow, Usage
from slo.objective import Judge, Judgement, Kind, Objective, Outcome, RouteObjective, Targets
from slo.verdict import judge_amount, judge_share, not_judged, overall

PERCENTILES = (25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)
RATE_LIMITED = "status 429"  # the service refused on purpose: a failure under load, not one of availability


class UncountedError(LoadError):
    """The recording did not count answers over a latency bound that the targets ask about."""


class Counts(msgspec.Struct, frozen=True):
    """Requests of some routes over the steady phase, or over one second of it."""

    ok: int = 0
    failed: int = 0
    over: tuple[int, ...] = ()

    @property
    def requests(self) -> int:
        return self.ok + self.failed


Measure = Callable[[Counts], tuple[int, int]]  # (bad, total)


def judge(  # noqa: PLR0913 - one run has all of these
    recording: Recording,
    targets: Targets,
    *,
    events: Iterable[Event] = (),
    usage: Iterable[Usage] = (),
    facts: Iterable[Fact] = (),
    machine: Iterable[Fact] = (),
    title: str = "Load test",
) -> Result:
    """Judge the steady phase of `recording` by `targets`.

    A route that misses its own target fails the run; a route with too few requests to tell does not hold it up.
    Raises UncountedError when the targets name a latency bound the recording did not count.
    """
    cells = [cell for cell in recording.cells if not _excluded(cell.route, targets)]
    seconds = _by_second(block for block in recording.blocks if not _excluded(block.route, targets))
    steady = steady_phase(recording)
    length = steady.end - steady.start
    judged = tuple(_judge(o, seconds, recording, targets, length) for o in targets.judged_by(Judge.LOAD))
    routes = _routes(cells, recording, targets)
    own = [row.judgement for row in routes if row.judgement is not None]
    checks = guards(recording)
    response, service = Latency(c.response for c in cells), Latency(c.service for c in cells)
    p50, p95, p99 = response.percentiles_ms((50, 95, 99))
    total = _sum(seconds)
    result = Result(
        schema=SCHEMA,
        run_id=recording.run_id,
        title=title,
        started_at=datetime.fromtimestamp(recording.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        profile=recording.profile,
        target=recording.target,
        rate=recording.rate,
        steady_s=length,
        requests=total.requests,
        failed=total.failed,
        achieved_rps=total.ok / length if length else 0.0,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=response.max_ms,
        service_p95_ms=service.percentiles_ms((95,))[0],
        outcome=Outcome.FAIL if any(j.outcome is Outcome.FAIL for j in own) else overall(judged),
        valid=all(guard.ok for guard in checks),
        headline="",
        guards=checks,
        judgements=judged,
        not_judged=tuple(_not_judged(seconds, recording, targets, length)),
        routes=routes,
        points=tuple(map(_point, recording.seconds)),
        distribution=response.bins(),
        errors=_errors(recording),
        slots=_slots(cells),
        events=tuple(sorted(events, key=lambda event: event.t)),
        usage=tuple(usage),
        facts=tuple(facts),
        machine=tuple(machine),
        percentiles=_percentiles(response, service),
        thresholds_ms=tuple(sorted({o.threshold_ms for o in targets.objectives if o.threshold_ms is not None})),
        phases=recording.phases,
    )
    return msgspec.structs.replace(result, headline=headline(result))


def _excluded(route: str, targets: Targets) -> bool:
    return route.partition(" ")[2] in targets.excluded_routes


def _sum(counts: Iterable[Counts | Block | Cell]) -> Counts:
    parts = list(counts)
    over = tuple(map(sum, zip(*(part.over for part in parts), strict=True)))
    return Counts(sum(part.ok for part in parts), sum(part.failed for part in parts), over)


def _by_second(blocks: Iterable[Block]) -> list[Counts]:
    seconds: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        seconds[block.t].append(block)
    return [_sum(seconds[t]) for t in sorted(seconds)]


def _slower(threshold_ms: float, recording: Recording) -> Measure:
    """Answers over the bound among those that did not fail."""
    if threshold_ms not in recording.thresholds_ms:
        counted = ", ".join(f"{bound:g}" for bound in recording.thresholds_ms) or "none"
        raise UncountedError(
            f"recording {recording.run_id} counted answers over {counted} ms, but the targets ask about "
            f"{threshold_ms:g} ms: record a new run with these targets"
        )
    at = recording.thresholds_ms.index(threshold_ms)
    return lambda counts: (counts.over[at] if counts.over else 0, counts.ok)


def _failed(counts: Counts) -> tuple[int, int]:
    return counts.failed, counts.requests


def _share(objective: Objective, seconds: Sequence[Counts], measure: Measure, floor: int) -> Judgement:
    bad, total = measure(_sum(seconds))
    return judge_share(objective, bad, total, [measure(second) for second in seconds], floor)


def _judge(
    objective: Objective, seconds: Sequence[Counts], recording: Recording, targets: Targets, length_s: float
) -> Judgement:
    match objective.kind:
        case Kind.LATENCY:
            assert objective.threshold_ms is not None  # the reader of slo.yaml asks for it
            return _share(objective, seconds, _slower(objective.threshold_ms, recording), targets.traffic_floor)
        case Kind.ERRORS | Kind.AVAILABILITY:
            return _share(objective, seconds, _failed, targets.traffic_floor)
        case Kind.THROUGHPUT:
            return _throughput(objective, _sum(seconds).ok / length_s if length_s else None, recording.rate)
    return judge_amount(objective, None)


def _throughput(objective: Objective, achieved: float | None, offered: float) -> Judgement:
    """A run that offered less than the target shows nothing of what the service could do."""
    judged = judge_amount(objective, achieved)
    if judged.outcome is not Outcome.FAIL or offered >= objective.target:
        return judged
    words = f"only {offered:,.0f} requests per second were offered, so {objective.target:,.0f} cannot be shown: "
    return msgspec.structs.replace(judged, outcome=Outcome.INCONCLUSIVE, words=f"{words}inconclusive")


def _not_judged(
    seconds: Sequence[Counts], recording: Recording, targets: Targets, length_s: float
) -> Iterable[Judgement]:
    seen = {cell.route for cell in recording.cells}
    for objective in targets.objectives:
        if objective.judged_by is Judge.LOAD:
            continue
        if objective.kind is Kind.AVAILABILITY:
            total = _sum(seconds)
            refused = sum(f.count for f in recording.failures if f.kind == RATE_LIMITED)
            bad = max(0, total.failed - refused)
            blocks = [_failed(second) for second in seconds] if not refused else ()  # refusals are not known by second
            yield not_judged(objective, bad, total.requests, blocks, length_s)
        else:
            said = not_judged(objective)
            needs = "a capacity model" if objective.judged_by is Judge.MODEL else "production metrics"
            yield msgspec.structs.replace(said, words=f"{said.words}: needs {needs}")
    for route in targets.routes:
        if route.route not in seen:
            said = not_judged(route.objective())
            yield msgspec.structs.replace(said, words="no such request in the steady phase of this run")


def _routes(cells: Sequence[Cell], recording: Recording, targets: Targets) -> tuple[RouteRow, ...]:
    """Routes by falling number of requests."""
    own = {route.route: route for route in targets.routes}
    by_route = groupby(sorted(cells, key=lambda cell: cell.route), key=lambda cell: cell.route)
    rows = [_route(route, list(group), own, recording, targets.traffic_floor) for route, group in by_route]
    return tuple(sorted(rows, key=lambda row: -row.requests))


def _route(
    route: str, cells: Sequence[Cell], own: Mapping[str, RouteObjective], recording: Recording, floor: int
) -> RouteRow:
    counts = _sum(cells)
    latency = Latency(cell.response for cell in cells)
    p50, p95, p99 = latency.percentiles_ms((50, 95, 99))
    judgement = None
    if route in own:
        blocks = _by_second(block for block in recording.blocks if block.route == route)
        judgement = _share(own[route].objective(), blocks, _slower(own[route].threshold_ms, recording), floor)
    return RouteRow(route, counts.requests, counts.failed, p50, p95, p99, latency.max_ms, judgement)


def _percentiles(response: Latency, service: Latency) -> tuple[Percentile, ...]:
    """Only those that the number of answers can support: p99.99 of 500 answers is their maximum under another name."""
    shares = [share for share in PERCENTILES if response.count * (100 - share) >= 100]
    both = zip(shares, response.percentiles_ms(shares), service.percentiles_ms(shares), strict=True)
    return tuple(Percentile(*row) for row in both)


def _point(second: Second) -> Point:
    return Point(
        second.t,
        second.phase,
        second.offered,
        second.ok,
        second.failed,
        second.p50_ms,
        second.p95_ms,
        second.p99_ms,
        second.slots,
    )


def _errors(recording: Recording) -> tuple[ErrorRow, ...]:
    rows = [msgspec.convert(failure, ErrorRow, from_attributes=True) for failure in recording.failures]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.kind, row.route)))


def _slots(cells: Iterable[Cell]) -> dict[str, int]:
    slots: dict[str, int] = defaultdict(int)
    for cell in sorted(cells, key=lambda cell: cell.slot):
        slots[cell.slot] += cell.ok + cell.failed
    return dict(slots)
