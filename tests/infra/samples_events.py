"""Samples of the rules of events, files and functions."""

from __future__ import annotations

from typing import Any

from tests.infra.samples import Samples, graph, one

FUNCTION, SCHEDULE = "lambda/function", "scheduler/schedule"
BOUND: dict[str, Any] = {
    "reservedConcurrentExecutions": 1,
    "deadLetterConfig": {"targetArn": "x"},
    "runtime": "python3.13",
}

EVENTS_SAMPLES: Samples = {
    "functions-inside": (
        [graph(one(FUNCTION, {"vpcConfig": {"subnetIds": ["x"]}}))],
        [(graph(one(FUNCTION, {})), "is in no VPC")],
    ),
    "functions-bounded": (
        [graph(one(FUNCTION, BOUND)), graph(one(FUNCTION, BOUND | {"packageType": "Image", "runtime": None}))],
        [
            (graph(one(FUNCTION, BOUND | {"reservedConcurrentExecutions": -1})), "reservedConcurrentExecutions is -1"),
            (graph(one(FUNCTION, BOUND | {"deadLetterConfig": None})), "deadLetterConfig is missing"),
            (graph(one(FUNCTION, BOUND | {"runtime": "python3.8"})), 'runtime is "python3.8"; one of'),
        ],
    ),
    "schedules-told": (
        [
            graph(one(SCHEDULE, {"target": {"deadLetterConfig": {"arn": "x"}}})),
            graph(one(SCHEDULE, {"target": {"arn": "x"}}), environment="dev"),
        ],
        [(graph(one(SCHEDULE, {"target": {"arn": "x"}})), "loses what it cannot start")],
    ),
}
