"""Alarms, boards, budgets: what CloudWatch would compute, and what a plan makes of each choice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.burning import LONGEST_S, Window, alarms
from infra.components.oncall import may_speak
from infra.components.origin import CHECK_S
from infra.components.silence import CHECKS, seen, users
from infra.components.watch import DEPLOYS
from infra.plan.graph import Graph
from infra.stackfile import ROOT, read_stack
from slo.reader import read_targets

TARGETS = read_targets(ROOT / "slo.yaml")
ALARMS = {each.name: each for each in alarms(TARGETS)}
WINDOWS = [window for each in ALARMS.values() for pair in each.pairs for window in pair]
LOST = ("silence", "silence-origin", "edge-failed")
BALANCER = {
    "host": "x.us-east-1.elb.amazonaws.com",
    "listener": "arn:aws:elasticloadbalancing:us-east-1:222222222222:listener/app/x/0123456789abcdef/fedcba9876543210",
}
EDGE = {"zone": "primetrade.example", "checkers": "pl-01234567", "load_balancer": BALANCER}


def computed(expression: str, **metrics: float | None) -> float:
    """What CloudWatch's metric math makes of the forms that are used here; None is a metric without a value."""
    filled = re.sub(r"FILL\((\w+), 0\)", lambda m: str(metrics[m[1]] or 0), expression)
    named = re.sub(r"\b(within)\b", lambda m: str(metrics[m[1]]), filled)
    guard, share, otherwise = named.removeprefix("IF(").removesuffix(")").split(", ")
    return float(eval(share if eval(guard) else otherwise))


def window(name: str) -> Window:
    return next(each for each in WINDOWS if each.name == name)


def test_every_target_that_users_feel_has_a_page_and_a_ticket() -> None:
    """Those of slo.yaml and no others: the rest is for load runs and models."""
    names = {each.name for each in TARGETS.objectives if each.kind in ("availability", "latency")}
    assert {f"{name}-{urgency}" for name in names for urgency in ("page", "ticket")} == ALARMS.keys()


def test_an_outage_pages_and_a_healthy_hour_does_not() -> None:
    """14.4 times the 0.1 % allowed; failures before the application count as failures."""
    hour = window("availability-1h")
    assert computed(hour.expression, sent=100_000, target=1400, edge=None) <= hour.threshold
    assert computed(hour.expression, sent=100_000, target=1000, edge=500) > hour.threshold
    assert computed(hour.expression, sent=None, target=None, edge=10_000) > hour.threshold


def test_slow_answers_page_by_their_share() -> None:
    """PR(:0.2) is the percentage of answers within 200 ms."""
    hour = window("latency-p95-1h")
    assert {"PR(:0.2)", "Sum"} == {each.stat for each in hour.metrics}
    assert computed(hour.expression, sent=10_000, within=95) <= hour.threshold
    assert computed(hour.expression, sent=10_000, within=20) > hour.threshold


@given(st.sampled_from([each for each in WINDOWS if "availability" in each.name]), st.integers(0, 5))
def test_a_few_failures_of_a_quiet_night_wake_nobody(window: Window, failed: int) -> None:
    """Whatever share of the few requests they are."""
    for sent in range(failed, 6000, 7):
        assert computed(window.expression, sent=sent, target=failed, edge=None) <= window.threshold


@pytest.mark.parametrize("window", WINDOWS, ids=lambda each: each.name)
def test_cloudwatch_can_compute_every_window(window: Window) -> None:
    """Periods are whole minutes up to a day; a threshold that no traffic can reach would never alarm."""
    assert 0 == window.period_s % 60
    assert 60 <= window.period_s <= LONGEST_S
    assert 0 < window.threshold < 1


def test_both_windows_of_a_pair_must_burn(committed: Callable[[str], Graph]) -> None:
    """The long one says that it matters, the short one that it goes on."""
    rule = committed("prod")["primetrade-prod-availability-page"].inputs["alarmRule"]
    hour, day = (
        f'(ALARM("primetrade-prod-availability-{long}") AND ALARM("primetrade-prod-availability-{short}"))'
        for long, short in (("1h", "5m"), ("6h", "30m"))
    )
    assert f"{hour} OR {day}" == rule


def test_every_alarm_that_is_asked_for_exists(stack: Graph) -> None:
    """By the name that the rule has, which AWS compares as text; at most a hundred a rule."""
    names = {each.inputs.get("name") for each in stack.of("cloudwatch/metricAlarm")}
    for call in stack.of("cloudwatch/compositeAlarm"):
        asked = re.findall(r'ALARM\("([^"]+)"\)', str(call.inputs["alarmRule"]))
        assert set(asked) <= names
        assert 1 <= len(asked) <= 100
        assert {each.name for each in stack.of("cloudwatch/metricAlarm") if each.name in asked} <= {*call.depends_on}


def test_a_deploy_silences_what_is_full_and_never_the_users(committed: Callable[[str], Graph]) -> None:
    """A restart of a database is no news while somebody deploys; lost requests are."""
    graph = committed("prod")
    quiet = {each.name for each in graph.of("cloudwatch/compositeAlarm") if "actionsSuppressor" in each.inputs}
    assert {"primetrade-prod-database-full", "primetrade-prod-cache-full"} == quiet
    word = graph["primetrade-prod-deploying"].inputs
    assert DEPLOYS == (word["namespace"], word["metricName"], *word["dimensions"])  # type: ignore[misc]


def test_silence_is_heard_where_no_checker_is_counted(committed: Callable[[str], Graph]) -> None:
    """Route 53 asks the load balancer every few seconds, whether or not there are users."""
    graph = committed("prod")
    alarm = graph["primetrade-prod-silence"].inputs
    assert ("AWS/CloudFront", "Requests", 1) == (alarm["namespace"], alarm["metricName"], alarm["threshold"])
    assert {"DistributionId": "${primetrade-prod-edge.id}", "Region": "Global"} == alarm["dimensions"]


def test_elsewhere_silence_is_less_than_the_checkers_ask() -> None:
    """CloudFront's metrics are in one region, and an alarm hears those of its own: 18 checkers come every 30 s."""
    for region, distribution in (("eu-west-1", "E1"), ("us-east-1", None)):
        (count,) = users("app/x/1", seen(region, distribution)).values()  # type: ignore[arg-type]
        assert ({"LoadBalancer": "app/x/1"}, True) == (count.dimensions, count.least > 18 * 60 / CHECK_S)


def test_users_whom_cloudfront_alone_serves_are_heard_of(committed: Callable[[str], Graph]) -> None:
    """Its count goes on when the load balancer is gone, refuses the key, or cannot be reached."""
    graph = committed("prod")
    behind = graph["primetrade-prod-silence-origin"].inputs
    assert ("RequestCount", CHECKS, "breaching") == tuple(
        behind[key] for key in ("metricName", "threshold", "treatMissingData")
    )
    assert {"LoadBalancer"} == {*dict(behind["dimensions"])}  # type: ignore[call-overload]
    failed = graph["primetrade-prod-edge-failed"].inputs
    assert ("AWS/CloudFront", "5xxErrorRate") == (failed["namespace"], failed["metricName"])
    assert graph["primetrade-prod-silence"].inputs["dimensions"] == failed["dimensions"]
    assert [["${primetrade-prod-on-call.arn}"]] * 2 == [each["alarmActions"] for each in (behind, failed)]


def test_every_instance_and_node_is_watched(stack: Graph) -> None:
    """By the names that AWS gives their metrics."""
    watched = {
        value
        for each in stack.of("cloudwatch/metricAlarm")
        if isinstance(found := each.inputs.get("dimensions"), dict)
        for value in found.values()
    }
    assert {each.inputs["identifier"] for each in stack.of("rds/instance")} <= watched
    (cache,) = stack.of("elasticache/replicationGroup")
    nodes = range(1, 1 + int(str(cache.inputs["numCacheClusters"])))
    assert {f"{cache.inputs['replicationGroupId']}-{number:03}" for number in nodes} <= watched


def test_the_topic_is_heard_and_spoken_on_by_few(stack: Graph) -> None:
    """Sealed by a key that those few may use."""
    topic = stack[f"primetrade-{stack.stack}-on-call"]
    assert f"${{primetrade-{stack.stack}-key-alerts.arn}}" == topic.inputs["kmsMasterKeyId"]
    assert [*read_stack(stack.stack).platform.watch.on_call] == [
        each.inputs["endpoint"] for each in stack.of("sns/topicSubscription") if each.parent == "oncall"
    ]
    services, events = json.loads(may_speak("TOPIC", "1"))["Statement"]
    key: dict[str, Any] = json.loads(str(stack[f"primetrade-{stack.stack}-key-alerts"].inputs["policy"]))
    principals = [each["Principal"] for each in key["Statement"]]
    assert [True, True] == [each["Principal"] in principals for each in (services, events)]
    assert {"StringEquals": {"aws:SourceAccount": "1"}} == services["Condition"]
    assert {"Service": "events.amazonaws.com"} == events["Principal"]


def test_the_budget_is_the_one_of_the_stack_file(stack: Graph) -> None:
    """The same that `infra cost` holds a plan against; it warns before it is spent."""
    (budget,) = stack.of("budgets/budget")
    assert str(read_stack(stack.stack).platform.cost.budget) == budget.inputs["limitAmount"]
    warnings: Any = budget.inputs["notifications"]
    assert ("ACTUAL", 80) in [(each["notificationType"], each["threshold"]) for each in warnings]
    assert f"user:environment${stack.stack}" in str(budget.inputs["costFilters"])


def test_without_a_load_balancer_no_target_is_watched(graph_of: Callable[..., Graph]) -> None:
    """There is nothing to count requests by; what is full is watched all the same."""
    calls = {each.name for each in graph_of().of("cloudwatch/compositeAlarm")}
    assert {"primetrade-dev-database-full", "primetrade-dev-cache-full"} == calls


def test_traces_are_kept_by_the_share_that_was_asked(graph_of: Callable[..., Graph]) -> None:
    """Off until an application sends any."""
    assert [] == graph_of().of("xray/samplingRule", "xray/group")
    graph = graph_of(watch={"trace_percent": 5})
    (rule,) = graph.of("xray/samplingRule")
    assert ("task-api", 0.05) == (rule.inputs["serviceName"], rule.inputs["fixedRate"])
    assert "responsetime > 0.1" in str(graph.of("xray/group")[0].inputs["filterExpression"])


def test_the_board_shows_every_alarm_and_metric_that_is_asked(committed: Callable[[str], Graph]) -> None:
    """In rows of two that do not overlap."""
    graph = committed("prod")
    (board,) = graph.of("cloudwatch/dashboard")
    state, *widgets = json.loads(str(board.inputs["dashboardBody"]))["widgets"]
    heard = {f"primetrade-prod-{name}" for name in (*ALARMS, *LOST, "database-full", "cache-full")}
    assert heard == {arn.rpartition(":")[2] for arn in state["properties"]["alarms"]}
    places = [(each["x"], each["y"]) for each in widgets]
    assert sorted(set(places)) == sorted(places)
    shown = {line[1] for each in widgets for line in each["properties"]["metrics"]}
    assert {"RequestCount", "TargetResponseTime", "DBLoadRelativeToNumVCPUs", "EngineCPUUtilization"} <= shown


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "on_call": st.sampled_from([[], ["a@example.org"], ["a@example.org", "b@example.org"]]),
            "trace_percent": st.integers(0, 100),
            "anomaly_usd": st.integers(0, 100_000),
        },
    ),
    st.sampled_from(["nodes", "serverless"]),
    st.booleans(),
)
def test_every_configuration_calls_on_one_topic(
    graph_of: Callable[..., Graph], changes: dict[str, Any], mode: str, reached: bool
) -> None:
    """Whatever was chosen, every call goes to whoever is on call."""
    graph = graph_of(watch=changes, cache={"mode": mode}, **({"edge": EDGE} if reached else {}))
    topic = graph["primetrade-dev-on-call"]
    calls = graph.of("cloudwatch/compositeAlarm")
    assert (len(calls) > 2) == reached
    assert [[f"${{{topic.name}.arn}}"]] * len(calls) == [each.inputs["alarmActions"] for each in calls]
    assert len(changes.get("on_call", ["one"])) == len(
        [each for each in graph.of("sns/topicSubscription") if each.parent == "oncall"]
    )
    assert bool(changes.get("anomaly_usd", True)) == bool(graph.of("costexplorer/anomalySubscription"))
