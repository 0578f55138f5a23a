"""Meters of what users and partners meet first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter
from infra.cost.usage import MILLION
from infra.plan.graph import Resource

FEATURES: Final = ("HTTPS", "HTTPS_STR_MATCH", "HTTP_STR_MATCH")  # types of health checks that cost extra


def _users(basis: Basis) -> float:
    """The share of requests that does not come by API Gateway, where there is one."""
    return 1 - basis.usage.partner_share if basis.graph.of("apigatewayv2/api") else 1.0


def distribution(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Every request of a user and every GB of an answer, hit or miss."""
    share = _users(basis)
    users = basis.usage.requests * share
    yield Charge("requests", "CloudFront", "HTTPS requests", users / 10_000, grows=True)
    answers = basis.usage.out_gb * share
    yield Charge("answers", "CloudFront", "data out, first 10 TB", answers, grows=True)
    yield Charge("the web page", "CloudFront", "data out, first 10 TB", basis.usage.web_gb)


def web_acl(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """The firewall, its rules, and every request it looks at."""
    rules = resource.inputs.get("rules")
    count = len(rules) if isinstance(rules, list) else 0
    yield Charge("firewall", "WAF", "web ACL", 1)
    yield Charge(f"{count} rules", "WAF", "rule", count)
    users = basis.usage.requests * _users(basis)
    yield Charge("requests looked at", "WAF", "requests (up to 1500 WCU)", users / MILLION, grows=True)


def zone(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """The zone; questions for names of CloudFront and load balancers are free."""
    yield Charge("zone", "Route 53", "hosted zone, first 25", 1)


def health_check(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A check of a load balancer, an endpoint of AWS; by TLS it costs more."""
    kind = resource.inputs.get("type")
    yield Charge(f"health check {kind}", "Route 53", "health check, AWS endpoint", 1)
    if kind in FEATURES:
        yield Charge("its TLS", "Route 53", "health check, each feature, AWS endpoint", 1)


def http_api(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Every request of a partner."""
    partners = basis.usage.requests * basis.usage.partner_share
    yield Charge("requests of partners", "API Gateway", "HTTP API first 300 million", partners / MILLION, grows=True)


METERS: Final[dict[str, Meter]] = {
    "cloudfront/distribution": distribution,
    "wafv2/webAcl": web_acl,
    "route53/zone": zone,
    "route53/healthCheck": health_check,
    "apigatewayv2/api": http_api,
}
