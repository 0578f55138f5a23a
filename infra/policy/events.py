"""Rules of what events, files and functions leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Resource
from infra.policy.rule import Rule, has, said, where_kept

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


FUNCTION: Final = ("lambda/function",)
EVENTS_RULES: Final = (
    Rule("functions-inside", FUNCTION, "Nobody outside needs the database", "Lambda.3", function_inside),
    Rule("functions-bounded", FUNCTION, "One that runs wild starves the others", "Lambda.2", function_bounded),
    Rule("schedules-told", ("scheduler/schedule",), "A night that fails is silent", "", where_kept(schedule_told)),
)
