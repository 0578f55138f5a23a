"""Samples of the rules about who hears what."""

from __future__ import annotations

from infra.plan.graph import Resource
from tests.infra.samples import Samples, graph, one

ALARM, CALL = "cloudwatch/metricAlarm", "cloudwatch/compositeAlarm"


def call(**inputs: object) -> Resource:
    return Resource(name="call", type=f"aws:{CALL}:X", provider="account", inputs={"alarmRule": "FALSE", **inputs})


SPOKEN = call(alarmActions=["${sample.arn}"])
READER = Resource(name="reader", type="aws:sns/topicSubscription:X", inputs={"topic": "${sample.arn}"})

WATCHING_SAMPLES: Samples = {
    "alarms-heard": (
        [
            graph(one(ALARM, {"name": "a", "alarmActions": ["topic"]})),
            graph(one(ALARM, {"name": "a"}), call(alarmRule='ALARM("a") AND ALARM("b")')),
            graph(one(ALARM, {"name": "a"}), call(actionsSuppressor={"alarm": "a"})),
        ],
        [
            (graph(one(ALARM, {"name": "a"})), "has no action"),
            (graph(one(ALARM, {"name": "a"}), call(alarmRule='ALARM("aa")')), "has no action"),
            (graph(one(ALARM, {"alarmActions": ["topic"], "actionsEnabled": False})), "actionsEnabled is false"),
        ],
    ),
    "calls-heard": (
        [graph(one(CALL, {"alarmActions": ["topic"]}))],
        [(graph(one(CALL, {})), "alarmActions is missing")],
    ),
    "topics-sealed": (
        [graph(one("sns/topic", {"kmsMasterKeyId": "x"}))],
        [(graph(one("sns/topic", {})), "kmsMasterKeyId is missing")],
    ),
    "topics-read": (
        [
            graph(one("sns/topic", {}), SPOKEN, READER),
            graph(one("sns/topic", {})),
            graph(one("sns/topic", {}), SPOKEN, environment="dev"),
        ],
        [(graph(one("sns/topic", {}), SPOKEN), "has no subscription")],
    ),
    "budgets-warn": (
        [graph(one("budgets/budget", {"notifications": [{}]}))],
        [(graph(one("budgets/budget", {})), "notifications is missing")],
    ),
}
