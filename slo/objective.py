"""What `slo.yaml` states and what a judgement of it says: plain data, shared by every judge."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What an objective measures; decides how a number is read."""

    LATENCY = "latency"  # share of answers under threshold_ms
    ERRORS = "errors"  # share of requests that did not fail
    THROUGHPUT = "throughput"  # successful requests per second
    AVAILABILITY = "availability"  # share of good requests over the window
    USERS = "users"  # concurrent users
    DATA = "data"  # bytes of data


class Judge(StrEnum):
    """Who can judge an objective honestly."""

    LOAD = "load"  # a load run of a minute or more
    PROMETHEUS = "prometheus"  # weeks of production metrics
    MODEL = "model"  # a capacity model with measured inputs


class Outcome(StrEnum):
    """Four values, everywhere a verdict is given."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


SHARES = frozenset({Kind.LATENCY, Kind.ERRORS, Kind.AVAILABILITY})  # kinds whose target is a share, not an amount


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One target.

    `target` is the least good share (0 to 1) for latency, errors and availability, and the least amount for
    throughput (requests/s), users and data (bytes). Raises ValueError, "FIELD: what was found; what to do", for a
    field that does not fit the kind.
    """

    name: str
    kind: Kind
    target: float
    judged_by: Judge
    says: str  # the sentence a person reads, such as "95 % of requests under 200 ms"
    threshold_ms: float | None = None
    window_days: float | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9-]+", self.name):
            raise ValueError(f"name: {self.name!r} is not a name; use small letters, digits and hyphens")
        if not self.says.strip():
            raise ValueError("says: is empty; write the sentence a person reads in the report")
        if self.kind in SHARES:
            _refuse_share(self.target)
        elif self.target <= 0:
            raise ValueError(f"target: {self.target:g} asks for nothing; write an amount above 0")
        _refuse_fit(self.kind, Kind.LATENCY, "threshold_ms", self.threshold_ms, "milliseconds")
        _refuse_fit(self.kind, Kind.AVAILABILITY, "window_days", self.window_days, "days")


def _refuse_share(target: float) -> None:
    if 1 < target <= 100:
        raise ValueError(f"target: {target:g} is not a share between 0 and 1; write {target / 100:.10g}")
    if not 0 < target < 1:
        raise ValueError(f"target: {target:g} is not a share between 0 and 1, both excluded; write one such as 0.999")


def _refuse_fit(kind: Kind, owner: Kind, field: str, value: float | None, unit: str) -> None:
    """Refuse a field missing where `owner` needs it, given where no other kind reads it, or not above 0."""
    if kind is owner and value is None:
        raise ValueError(f"{field}: is missing, and {kind} needs it; add {field} in {unit}")
    if kind is not owner and value is not None:
        raise ValueError(f"{field}: {kind} has none; remove it, or make the kind {owner}")
    if value is not None and value <= 0:
        raise ValueError(f"{field}: {value:g} is not above 0; write {unit}")


class RouteObjective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stricter or looser latency target for one route, judged beside the objectives."""

    route: str  # "POST /auth/login": method and route template, as the metrics name it
    threshold_ms: float
    target: float

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]+ /\S*", self.route):
            raise ValueError(
                f"route: {self.route!r} is not a method and a path; write one such as GET /tasks/{{task_id}}"
            )
        _refuse_share(self.target)
        _refuse_fit(Kind.LATENCY, Kind.LATENCY, "threshold_ms", self.threshold_ms, "milliseconds")

    def objective(self) -> Objective:
        """The same target as an objective that a load run judges, for `slo.verdict.judge_share`."""
        words = f"{self.target:.10%}".rstrip("0%").rstrip(".")
        return Objective(
            name=re.sub(r"[^a-z0-9]+", "-", self.route.lower()).strip("-"),
            kind=Kind.LATENCY,
            target=self.target,
            judged_by=Judge.LOAD,
            says=f"{words} % of {self.route} under {self.threshold_ms:g} ms",
            threshold_ms=self.threshold_ms,
        )


class Targets(msgspec.Struct, frozen=True):
    """The whole of `slo.yaml`."""

    service: str
    objectives: tuple[Objective, ...]
    routes: tuple[RouteObjective, ...]
    excluded_routes: tuple[str, ...]  # probes and metrics: never counted as requests
    traffic_floor: int  # requests under which no share passes

    def thresholds_ms(self) -> tuple[float, ...]:
        """Every latency bound in use, ascending, in milliseconds: what a recorder must count exactly."""
        found = {o.threshold_ms for o in self.objectives if o.threshold_ms is not None}
        return tuple(sorted(found | {r.threshold_ms for r in self.routes}))

    def judged_by(self, judge: Judge) -> tuple[Objective, ...]:
        """The objectives that `judge` may judge."""
        return tuple(o for o in self.objectives if o.judged_by is judge)


class Bounds(msgspec.Struct, frozen=True):
    """A two-sided confidence interval of a share or an amount."""

    lower: float
    upper: float


class Judgement(msgspec.Struct, frozen=True):
    """What the counts say of one objective, in numbers and in words."""

    objective: str
    says: str
    judged_by: Judge
    outcome: Outcome
    value: float | None  # measured good share, or amount; None when nothing was measured
    target: float
    bounds: Bounds | None  # of value
    bad: int | None
    total: int | None
    margin: float | None  # value - target, in the unit of target
    budget_burnt: float | None  # bad share over allowed share; 1.0 is the whole budget of this sample
    words: str  # one sentence: what was found, against what, and why this outcome
