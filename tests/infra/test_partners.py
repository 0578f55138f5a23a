"""Partners: off in every stack, and what a plan makes of it where it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.plan.consumers import unused
from infra.plan.graph import Graph
from infra.policy.rule import judge
from infra.policy.rules import RULES
from tests.infra.test_edge import BALANCER, EDGE


def test_partners_come_with_a_token_by_the_link_and_are_limited(graph_of: Callable[..., Graph]) -> None:
    """Every route asks for the token; each request is written down; no rule is broken, and nothing is unused."""
    graph = graph_of(edge=EDGE | {"load_balancer": BALANCER}, partners={"issuer": "https://login.example", "rate": 7})
    (route,) = graph.of("apigatewayv2/route")
    (stage,) = graph.of("apigatewayv2/stage")
    (to,) = graph.of("apigatewayv2/integration")
    assert ("JWT", "$default") == (route.inputs["authorizationType"], route.inputs["routeKey"])
    limits: Any = stage.inputs["defaultRouteSettings"]
    assert (7, 14) == (limits["throttlingRateLimit"], limits["throttlingBurstLimit"])
    assert stage.inputs["accessLogSettings"]
    assert ("VPC_LINK", BALANCER["listener"]) == (to.inputs["connectionType"], to.inputs["integrationUri"])
    assert {"serverNameToVerify": "origin.dev.primetrade.example"} == to.inputs["tlsConfig"]
    assert ([], []) == (judge(graph, RULES), unused(graph))


def test_no_stack_has_them_yet(stack: Graph) -> None:
    """Nobody gives partners tokens."""
    assert [] == stack.of("apigatewayv2/api")
