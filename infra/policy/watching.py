"""Rules about who hears what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Resource
from infra.policy.rule import Rule, has, where_kept

COMPOSITE: Final = "cloudwatch/compositeAlarm"


def heard(resource: Resource, graph: Graph) -> Iterator[str]:
    """It calls somebody, or an alarm that does so asks for its state."""
    if resource.inputs.get("actionsEnabled") is False:
        yield "actionsEnabled is false; nobody is called"
    if resource.inputs.get("alarmActions"):
        return
    name = str(resource.inputs.get("name", ""))
    askers = [each.inputs for each in graph.of(COMPOSITE)]
    rules = [str(each.get("alarmRule", "")) for each in askers]
    suppressors = [found.get("alarm") for each in askers if isinstance(found := each.get("actionsSuppressor"), dict)]
    if not any(f'"{name}"' in rule for rule in rules) and name not in suppressors:
        yield "has no action, and no composite alarm asks for it; give it alarmActions"


def subscribed(resource: Resource, graph: Graph) -> Iterator[str]:
    """Somebody hears the topic that alarms speak on; others have queues and are their readers' business."""
    topic = f"${{{resource.name}.arn}}"
    spoken = any(topic in _list(each.inputs.get("alarmActions")) for each in graph.of(COMPOSITE))
    if spoken and not any(each.inputs.get("topic") == topic for each in graph.of("sns/topicSubscription")):
        yield "has no subscription; set watch.on_call"


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


WATCHING: Final = (
    Rule("alarms-heard", ("cloudwatch/metricAlarm",), "An alarm that calls nobody is a log", "CloudWatch.15", heard),
    Rule("calls-heard", (COMPOSITE,), "It is made to call somebody", "CloudWatch.15", has("alarmActions")),
    Rule("topics-sealed", ("sns/topic",), "Messages say what is weak", "SNS.1", has("kmsMasterKeyId")),
    Rule("topics-read", ("sns/topic",), "Production fails at night", "", where_kept(subscribed)),
    Rule("budgets-warn", ("budgets/budget",), "A budget that is silent is a wish", "", has("notifications")),
)
