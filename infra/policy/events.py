"""Rules of what events, files and functions leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Resource
from infra.policy.rule import Rule, has, said, wants, where_kept

RUNTIMES: Final = (
    "python3.12",
    "python3.13",
)  # that AWS mends: docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html


def function_bounded(resource: Resource, graph: Graph) -> Iterator[str]:
    """It can neither take all of the account's concurrency nor lose an event, and its runtime is mended."""
    concurrency = resource.inputs.get("reservedConcurrentExecutions")
    if not isinstance(concurrency, int) or concurrency < 1:
        yield f"reservedConcurrentExecutions is {said(concurrency)}; 1 or more are expected"
    yield from has("deadLetterConfig")(resource, graph)
    if resource.inputs.get("packageType") != "Image" and resource.inputs.get("runtime") not in RUNTIMES:
        yield f"runtime is {said(resource.inputs.get('runtime'))}; one of {', '.join(RUNTIMES)} is expected"


def function_inside(resource: Resource, graph: Graph) -> Iterator[str]:
    """It reaches the database by the network of the VPC."""
    config = resource.inputs.get("vpcConfig")
    if not isinstance(config, dict) or not config.get("subnetIds"):
        yield "is in no VPC; give it vpcConfig"


def schedule_told(resource: Resource, graph: Graph) -> Iterator[str]:
    """What it could not start is kept for somebody."""
    target = resource.inputs.get("target")
    if not isinstance(target, dict) or not target.get("deadLetterConfig"):
        yield "loses what it cannot start; give its target a deadLetterConfig"


def restorable(resource: Resource, graph: Graph) -> Iterator[str]:
    """To any second, and not deleted by a slip."""
    recovery = resource.inputs.get("pointInTimeRecovery")
    if not isinstance(recovery, dict) or recovery.get("enabled") is not True:
        yield "pointInTimeRecovery is off; turn it on"
    yield from where_kept(wants(deletionProtectionEnabled=True))(resource, graph)


def mounted_by_tls(resource: Resource, graph: Graph) -> Iterator[str]:
    """Its policy denies what comes in clear."""
    texts = [
        str(each.inputs.get("policy"))
        for each in graph.of("efs/fileSystemPolicy")
        if str(each.inputs.get("fileSystemId")).startswith(f"${{{resource.name}.")
    ]
    statements = [statement for text in texts for statement in json.loads(text)["Statement"]]
    if not any(
        each.get("Effect") == "Deny" and each.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for each in statements
    ):
        yield "is mounted in clear; deny it where aws:SecureTransport is false"


FUNCTION: Final = ("lambda/function",)
EVENTS_RULES: Final = (
    Rule("functions-inside", FUNCTION, "Nobody outside needs the database", "Lambda.3", function_inside),
    Rule("functions-bounded", FUNCTION, "One that runs wild starves the others", "Lambda.2", function_bounded),
    Rule("schedules-told", ("scheduler/schedule",), "A night that fails is silent", "", where_kept(schedule_told)),
    Rule("tables-restorable", ("dynamodb/table",), "Hands slip", "DynamoDB.2, DynamoDB.6", restorable),
    Rule("files-sealed", ("efs/fileSystem",), "Disks are copied", "CIS 2.4.1, EFS.1", wants(encrypted=True)),
    Rule("files-by-tls", ("efs/fileSystem",), "Exports would cross in clear", "", mounted_by_tls),
    Rule(
        "files-by-users",
        ("efs/accessPoint",),
        "Root would read everybody's",
        "EFS.3, EFS.4",
        has("posixUser", "rootDirectory"),
    ),
)
