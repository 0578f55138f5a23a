"""Partners: off in every stack, and what a plan makes of it where it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.plan.consumers import unused
from infra.plan.graph import HIDDEN, Graph
from infra.policy.rule import judge
from infra.policy.rules import RULES
from tests.infra.test_edge import BALANCER, EDGE


@settings(max_examples=4, deadline=None)  # each runs the whole program
@given(rate=st.integers(1, 5000), audience=st.from_regex(r"\A[a-z]{1,20}\Z"))
def test_partners_come_with_a_token_by_the_link_and_are_limited(
    graph_of: Callable[..., Graph], rate: int, audience: str
) -> None:
    """Every route asks for the token; each request is written down; no rule is broken, and nothing is unused."""
    partners = {"issuer": "https://login.example", "rate": rate, "audience": audience}
    graph = graph_of(edge=EDGE | {"load_balancer": BALANCER}, partners=partners)
    (route,) = graph.of("apigatewayv2/route")
    (stage,) = graph.of("apigatewayv2/stage")
    (to,) = graph.of("apigatewayv2/integration")
    assert ("JWT", "$default") == (route.inputs["authorizationType"], route.inputs["routeKey"])
    limits: Any = stage.inputs["defaultRouteSettings"]
    (checks,) = graph.of("apigatewayv2/authorizer")
    asked: Any = checks.inputs["jwtConfiguration"]
    assert [audience] == asked["audiences"]
    assert (rate, 2 * rate) == (limits["throttlingRateLimit"], limits["throttlingBurstLimit"])
    assert stage.inputs["accessLogSettings"]
    assert ("VPC_LINK", BALANCER["listener"]) == (to.inputs["connectionType"], to.inputs["integrationUri"])
    assert {"overwrite:header.x-origin-key": HIDDEN} == to.inputs["requestParameters"]
    assert {"serverNameToVerify": "origin.dev.primetrade.example"} == to.inputs["tlsConfig"]
    assert ([], []) == (judge(graph, RULES), unused(graph))


def test_no_stack_has_them_yet(stack: Graph) -> None:
    """Nobody gives partners tokens."""
    assert [] == stack.of("apigatewayv2/api")
