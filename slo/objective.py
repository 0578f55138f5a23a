"""What `slo.yaml` states and what a judgement of it says: plain data, shared by every judge."""

from __future__ import annotations

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


class Objective(msgspec.Struct, frozen=True):
    """One target.

    `target` is the least good share (0 to 1) for latency, errors and availability, and the least amount for
    throughput (requests/s), users and data (bytes).
    """

    name: str
    kind: Kind
    target: float
    judged_by: Judge
    says: str  # the sentence a person reads, such as "95 % of requests under 200 ms"
    threshold_ms: float | None = None
    window_days: float | None = None


class RouteObjective(msgspec.Struct, frozen=True):
    """A stricter or looser latency target for one route, judged beside the objectives."""

    route: str  # "POST /auth/login": method and route template, as the metrics name it
    threshold_ms: float
    target: float


class Targets(msgspec.Struct, frozen=True):
    """The whole of `slo.yaml`."""

    service: str
    objectives: tuple[Objective, ...]
    routes: tuple[RouteObjective, ...]
    excluded_routes: tuple[str, ...]  # probes and metrics: never counted as requests
    traffic_floor: int  # requests under which no share is judged

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
