"""Events, audit and exports: off in every stack, and what a plan makes of them where they are on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cost.book import read_book
from infra.cost.charge import Basis, Terms
from infra.cost.estimate import estimate
from infra.cost.usage import read_file, usage_of
from infra.plan.graph import Graph
from infra.policy.rule import judge
from infra.policy.rules import RULES
from infra.stackfile import read_stack

ON: dict[str, dict[str, Any]] = {"events": {}, "audit": {}, "exports": {}}


@pytest.fixture(scope="module")
def graph(graph_of: Callable[..., Graph]) -> Graph:
    """Development with all three."""
    return graph_of(**ON)


def statements(graph: Graph, name: str, key: str = "policy") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(str(graph[name].inputs[key]))["Statement"]
    return found


def test_they_are_off_until_somebody_uses_them(stack: Graph) -> None:
    """No committed stack pays for what no service of the application reads."""
    assert [] == [each.name for each in stack.made if each.parent in ON]
    assert [None] * 3 == [getattr(read_stack(stack.stack).platform, key) for key in ON]


@pytest.fixture(scope="module")
def prod(graph_of: Callable[..., Graph]) -> Graph:
    """Production with all three."""
    return graph_of("prod", **ON)


def test_they_break_no_rule(graph: Graph, prod: Graph) -> None:
    """On the day they are turned on, in production too."""
    assert [] == judge(graph, RULES)
    assert [] == judge(prod, RULES)


def test_what_cannot_be_made_again_is_backed_up(prod: Graph) -> None:
    """The audit and the exports beside the database, and each of them is priced or named as not priced."""
    (selection,) = prod.of("backup/selection")
    parts = ("database", "audit", "exports")
    assert [f"${{primetrade-prod-{part}.arn}}" for part in parts] == selection.inputs["resources"]
    uses = read_file()
    basis = Basis(prod, usage_of("prod", uses), uses.logs, uses.buckets, Terms(), "us-east-1")
    found = estimate(basis, read_book())
    assert {"backups of the exports", "backups of the exports, copied"} <= {each.what for each in found.of("recovery")}
    assert ["38 backups of the audit", "38 backups of the audit, copied"] == [each.what for each in found.not_priced]


@settings(max_examples=10)  # each runs the whole program
@given(
    st.lists(st.from_regex(r"\A[a-z][a-z-]{1,10}\Z"), min_size=1, max_size=4, unique=True),
    st.integers(1, 1000),
    st.integers(1, 43_200),
)
def test_every_reader_hears_every_event_and_loses_none(
    graph_of: Callable[..., Graph], readers: list[str], tries: int, seconds: int
) -> None:
    """A queue each, that only the topic writes to, with another for what could not be read so many times."""
    graph = graph_of(events={"readers": readers, "tries": tries, "seconds": seconds})
    queues = {each.name: each.inputs for each in graph.of("sqs/queue") if each.parent == "events"}
    assert 2 * len(readers) == len(queues)
    for reader in readers:
        name = f"primetrade-dev-events-{reader}"
        aside = json.loads(str(queues[name]["redrivePolicy"]))
        assert {"deadLetterTargetArn": f"${{{name}-unread.arn}}", "maxReceiveCount": tries} == aside
        alarm = graph[f"{name}-unread-ApproximateNumberOfMessagesVisible"].inputs
        assert ({"QueueName": f"{name}-unread"}, 0) == (alarm["dimensions"], alarm["threshold"])
        assert f'ALARM("{alarm["name"]}")' in str(graph["primetrade-dev-events-unread"].inputs["alarmRule"])
        assert seconds == queues[name]["visibilityTimeoutSeconds"]
        (only,) = statements(graph, f"{name}-from-topic")
        assert {"ArnEquals": {"aws:SourceArn": graph.exports["events_topic"]}} == only["Condition"]
        assert f"${{{name}.arn}}" == graph[f"{name}-hears"].inputs["endpoint"]


def test_the_application_may_use_them_and_change_no_audit(graph: Graph) -> None:
    """Its own role speaks, listens and adds; it has no word for taking a line away."""
    role = graph.exports["app_role"]
    for part in ("events", "audit"):
        assert role == graph[f"primetrade-dev-{part}-may"].inputs["role"]
    actions = [each["Action"] for each in statements(graph, "primetrade-dev-audit-may")]
    assert [["dynamodb:PutItem", "dynamodb:Query"], ["kms:Decrypt", "kms:GenerateDataKey"]] == actions


def test_an_audit_is_read_by_what_it_is_about_in_order_of_time(graph: Graph) -> None:
    """And its lines end by themselves."""
    table = graph["primetrade-dev-audit"].inputs
    assert ("about", "at", {"attributeName": "expires_at", "enabled": True}) == (
        table["hashKey"],
        table["rangeKey"],
        table["ttl"],
    )


def test_exports_are_mounted_in_each_zone_as_the_charts_user(graph: Graph) -> None:
    """From the cluster's nodes only."""
    assert 2 == len(graph.of("efs/mountTarget"))
    assert {"uid": 10001, "gid": 10001} == graph["primetrade-dev-exports-point"].inputs["posixUser"]
    (rule,) = [each.inputs for each in graph.of("vpc/securityGroupIngressRule") if each.parent == "exports"]
    assert (2049, "${primetrade-dev-cluster.vpcConfig.clusterSecurityGroupId}") == (
        rule["fromPort"],
        rule["referencedSecurityGroupId"],
    )
