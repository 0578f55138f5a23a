"""Samples of the rules of events, files and functions."""

from __future__ import annotations

from typing import Any

from tests.infra.samples import Samples, allows, graph, one
from tests.infra.samples_edge import DENIED, of_sample

FUNCTION, SCHEDULE = "lambda/function", "scheduler/schedule"
TABLE, FILES, POINT = "dynamodb/table", "efs/fileSystem", "efs/accessPoint"
RESTORABLE: dict[str, Any] = {"pointInTimeRecovery": {"enabled": True}, "deletionProtectionEnabled": True}
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
    "tables-restorable": (
        [
            graph(one(TABLE, RESTORABLE)),
            graph(one(TABLE, {"pointInTimeRecovery": {"enabled": True}}), environment="dev"),
        ],
        [
            (graph(one(TABLE, RESTORABLE | {"pointInTimeRecovery": {"enabled": False}})), "pointInTimeRecovery is off"),
            (
                graph(one(TABLE, RESTORABLE | {"deletionProtectionEnabled": False})),
                "deletionProtectionEnabled is false",
            ),
        ],
    ),
    "files-sealed": ([graph(one(FILES, {"encrypted": True}))], [(graph(one(FILES, {})), "encrypted is missing")]),
    "files-by-tls": (
        [graph(one(FILES, {}), of_sample("efs/fileSystemPolicy", "fileSystemId", **allows(**DENIED)))],
        [
            (graph(one(FILES, {})), "is mounted in clear"),
            (
                graph(one(FILES, {}), of_sample("efs/fileSystemPolicy", "fileSystemId", **allows(Action="x"))),
                "is mounted in clear",
            ),
        ],
    ),
    "files-by-users": (
        [graph(one(POINT, {"posixUser": {"uid": 1}, "rootDirectory": {"path": "/x"}}))],
        [(graph(one(POINT, {"posixUser": {"uid": 1}})), "rootDirectory is missing")],
    ),
}
