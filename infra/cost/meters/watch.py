"""Meters of what is watched and written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter, Unknown
from infra.cost.usage import DAYS, MILLION, SECONDS
from infra.plan.graph import Resource

COMPRESSED: Final = 0.15  # of what came in; AWS's own examples of CloudWatch's prices reckon so
GB: Final = 1e9


def log_group(resource: Resource, basis: Basis) -> Iterator[Charge | Unknown]:
    """What comes in, and what is kept of it."""
    name = str(resource.inputs.get("name", resource.name))
    log = next((each for each in basis.logs if each.match in name), None)
    if log is None:
        yield Unknown(f"logs of {name}", "matches no line of `logs` in infra/cost/usage.yaml")
        return
    grown = log.bytes_per_request * basis.usage.requests / GB
    days = resource.inputs.get("retentionInDays")
    months = float(days) / DAYS if isinstance(days, int | float) else 12.0
    for gb, grows in ((log.gb_per_month, False), (grown, True)):
        if gb:
            yield Charge(f"{gb:,.1f} GB of logs", "CloudWatch", "logs ingested (standard class)", gb, grows=grows)
            kept = gb * months * COMPRESSED
            yield Charge(f"{kept:,.1f} GB of logs kept", "CloudWatch", "logs stored", kept, grows=grows)


def alarm(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """By the metrics it looks at."""
    queries = resource.inputs.get("metricQueries")
    found = sum("metric" in each for each in queries if isinstance(each, dict)) if isinstance(queries, list) else 1
    yield Charge(f"alarm on {found} metrics", "CloudWatch", "standard-resolution alarm", max(1, found))


def composite_alarm(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """An alarm over alarms."""
    yield Charge("composite alarm", "CloudWatch", "composite alarm", 1)


def dashboard(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A page of graphs."""
    yield Charge("dashboard", "CloudWatch", "dashboard", 1)


def sampling(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """So many requests of each second are traced, and a share of the others."""
    share, first = (float(str(resource.inputs.get(name, 0))) for name in ("fixedRate", "reservoirSize"))
    whole = min(basis.usage.mean_rps, first)
    traced = (whole + (basis.usage.mean_rps - whole) * share) * SECONDS
    yield Charge("traces", "X-Ray", "traces recorded", traced / MILLION, grows=True)


METERS: Final[dict[str, Meter]] = {
    "cloudwatch/logGroup": log_group,
    "cloudwatch/metricAlarm": alarm,
    "cloudwatch/compositeAlarm": composite_alarm,
    "cloudwatch/dashboard": dashboard,
    "xray/samplingRule": sampling,
}
