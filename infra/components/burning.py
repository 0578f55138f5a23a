"""Alarms on the targets of slo.yaml, as arithmetic: what CloudWatch is to compute, over which window, against what.

The metrics are those that the load balancer itself sends (namespace AWS/ApplicationELB), so that what fails before the
application is counted too. Its own check of targets is not among its requests. Objectives of one load run are left
to load runs, all but latency, which users feel every day. CloudWatch computes over a day at most: slower burns than
that are Prometheus' to find.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from slo.burn import BURNS, Burn, Urgency, bad_share, fewest_requests
from slo.objective import Kind, Objective, Targets

NAMESPACE: Final = "AWS/ApplicationELB"
LONGEST_S: Final = 86_400  # of a period
DEFAULT_DAYS: Final = 30.0  # where no objective names a window
# A metric that counts what rarely happens has no value while it does not, hence FILL. A request for which there is no
# target counts in `edge` and not in `sent`; one that timed out counts in both, which understates the share a little.
FAILED: Final = {"sent": "RequestCount", "target": "HTTPCode_Target_5XX_Count", "edge": "HTTPCode_ELB_5XX_Count"}


class Metric(msgspec.Struct, frozen=True):
    """One metric of the load balancer under the name `id`, by a statistic of CloudWatch: Sum, PR(:0.2)."""

    id: str
    name: str
    stat: str


class Window(msgspec.Struct, frozen=True):
    """One metric alarm: `expression` over `period_s` seconds is a bad share, and over `threshold` it is on."""

    name: str
    period_s: int
    metrics: tuple[Metric, ...]
    expression: str
    threshold: float


class Alarm(msgspec.Struct, frozen=True):
    """A target in danger: on while both windows of any pair are."""

    name: str  # "availability-page"
    words: str
    urgency: Urgency
    pairs: tuple[tuple[Window, Window], ...]


def alarms(targets: Targets) -> Iterator[Alarm]:
    """Those of each target, by urgency."""
    days = next((each.window_days for each in targets.objectives if each.window_days), DEFAULT_DAYS)
    for objective in targets.objectives:
        if objective.kind not in (Kind.AVAILABILITY, Kind.LATENCY):
            continue
        allowed = 1 - objective.target
        burns = [each for each in BURNS if each.long_s <= LONGEST_S and bad_share(each.rate(days), allowed) < 1]
        for urgency in Urgency:
            pairs = tuple(_pair(objective, each, days) for each in burns if each.urgency is urgency)
            if pairs:
                name = f"{objective.name}-{urgency}"
                yield Alarm(name, f"{objective.says}: the budget of {days:g} days goes too fast", urgency, pairs)


def _pair(objective: Objective, burn: Burn, days: float) -> tuple[Window, Window]:
    share = round(bad_share(burn.rate(days), 1 - objective.target), 9)
    return _window(objective, burn.long_s, share), _window(objective, burn.short_s, share)


def _window(objective: Objective, period_s: int, share: float) -> Window:
    enough = fewest_requests(share)
    if objective.threshold_ms is None:
        metrics = tuple(Metric(key, name, "Sum") for key, name in FAILED.items())
        sent, target, edge = (f"FILL({key}, 0)" for key in FAILED)
        bad = f"({target} + {edge}) / ({sent} + {edge})"
        guard = f"{sent} + {edge} >= {enough}"
    else:
        within = Metric("within", "TargetResponseTime", f"PR(:{objective.threshold_ms / 1000:g})")  # percent
        metrics = (Metric("sent", "RequestCount", "Sum"), within)
        bad, guard = "1 - within / 100", f"FILL(sent, 0) >= {enough}"
    return Window(f"{objective.name}-{_said(period_s)}", period_s, metrics, f"IF({guard}, {bad}, 0)", share)


def _said(seconds: int) -> str:
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"
