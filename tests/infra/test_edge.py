"""The edge: what a plan makes of it, and that it fits what the application sends."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.factory import SERVICES
from app.health import service as health
from app.problems import ProblemDetails
from app.security import HEADERS
from infra.components import edge, origin, zone
from infra.config.edge import ORIGIN
from infra.errors import ConfigError
from infra.plan.graph import HIDDEN, Graph
from infra.stackfile import read_stack
from scripts.release.kubernetes import gateway
from scripts.release.kubernetes.ingress import KEY
from tests.app.world import environment
from tests.infra.samples import sound

EDGE = {"zone": "dev.primetrade.example", "checkers": "pl-0123456789abcdef0"}
BALANCER = {
    "host": "k8s-x-1.us-east-1.elb.amazonaws.com",
    "listener": "arn:aws:elasticloadbalancing:us-east-1:222222222222:listener/app/x/0123456789abcdef/0123456789abcdef",
}


def distribution(graph: Graph) -> dict[str, Any]:
    (found,) = graph.of("cloudfront/distribution")
    return found.inputs


def records(graph: Graph) -> dict[str, dict[str, Any]]:
    return {each.name: each.inputs for each in graph.of("route53/record")}


def test_what_is_cached_is_what_the_application_lets_everybody_keep() -> None:
    """The same paths, public reads, for no longer than the edge keeps anything."""
    operations = [operation for each in (health, *SERVICES.values()) for operation in each.operations]
    shared = {operation.path: operation for operation in operations if operation.shared_s}
    assert {*edge.PUBLIC} == shared.keys()
    assert {("GET", "public")} == {(each.method, each.access) for each in shared.values()}
    assert all(each.shared_s <= edge.PUBLIC_S for each in shared.values())


def test_no_token_reaches_what_is_cached(committed: Callable[[str], Graph]) -> None:
    """The origin of a kept answer gets what tells copies apart, a preview's slot too; other paths get all."""
    graph = committed("prod")
    found = distribution(graph)
    kept = {each["pathPattern"]: each for each in found["orderedCacheBehaviors"]}
    assert {*edge.PUBLIC, edge.STATIC} == kept.keys()
    assert [] == [path for path, each in kept.items() if "originRequestPolicyId" in each]
    (policy,) = graph.of("cloudfront/cachePolicy")
    parameters: Any = policy.inputs["parametersInCacheKeyAndForwardedToOrigin"]
    assert ["Origin", gateway.KEY, gateway.SLOT] == parameters["headersConfig"]["headers"]["items"]
    assert ("none", "none") == (
        parameters["cookiesConfig"]["cookieBehavior"],
        parameters["queryStringsConfig"]["queryStringBehavior"],
    )
    live = found["defaultCacheBehavior"]
    assert (edge.NO_CACHE, edge.WHOLE_REQUEST) == (live["cachePolicyId"], live["originRequestPolicyId"])


def test_the_edge_says_the_security_headers_of_the_application(committed: Callable[[str], Graph]) -> None:
    """On what it answers by itself; each but Cache-Control, which each answer has of its own."""
    (policy,) = committed("prod").of("cloudfront/responseHeadersPolicy")
    found: Any = policy.inputs["securityHeadersConfig"]
    hsts = found["strictTransportSecurity"]
    assert {name: value for name, value in HEADERS if name != "Cache-Control"} == {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": found["frameOptions"]["frameOption"],
        "Referrer-Policy": found["referrerPolicy"]["referrerPolicy"],
        "Content-Security-Policy": found["contentSecurityPolicy"]["contentSecurityPolicy"],
        "Strict-Transport-Security": f"max-age={hsts['accessControlMaxAgeSec']}; includeSubDomains",
    }
    assert "contentTypeOptions" in found


def test_when_no_region_answers_users_get_a_problem(committed: Callable[[str], Graph]) -> None:
    """From the bucket, as the application would write it."""
    graph = committed("prod")
    (page,) = graph.of("s3/bucketObjectv2")
    problem = msgspec.json.decode(str(page.inputs["content"]), type=ProblemDetails)
    (error,) = distribution(graph)["customErrorResponses"]
    assert (502, 503, f"/{page.inputs['key']}") == (
        error["errorCode"],
        error["responseCode"],
        error["responsePagePath"],
    )
    assert (503, "application/problem+json") == (problem.status, page.inputs["contentType"])


def test_the_edge_waits_longer_than_the_application_and_keeps_connections_shorter(
    committed: Callable[[str], Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each inner limit ends first: request 10 s < edge 60 s; idle connections: edge 30 < load balancer 60 < 75 s."""
    for name, value in environment(DATABASE_URL="postgresql://db/x", REDIS_URL="redis://cache/0").items():
        monkeypatch.setenv(name, value)
    server = runpy.run_module("app.gunicorn_conf")
    api = next(each for each in distribution(committed("prod"))["origins"] if each["originId"] == "api")
    custom = api["customOriginConfig"]
    idle = int(origin.ATTRIBUTES["idle_timeout.timeout_seconds"])
    assert custom["originKeepaliveTimeout"] < idle < server["keepalive"]
    assert server["timeout"] < custom["originReadTimeout"]


def test_only_cloudfront_and_health_checks_come_to_the_load_balancer(committed: Callable[[str], Graph]) -> None:
    """By AWS's own lists of their addresses, to 443, in groups of their own since the lists are long."""
    for name, cloudfront in (("prod", "pl-3b927c52"), ("dr", "pl-4fa04526")):
        rules = [each.inputs for each in committed(name).of("vpc/securityGroupIngressRule") if each.parent == "origin"]
        assert {cloudfront, "pl-0123456789abcdef0"} == {each["prefixListId"] for each in rules}
        assert {(443, 443)} == {(each["fromPort"], each["toPort"]) for each in rules}
        assert 2 == len({each["securityGroupId"] for each in rules})


def test_the_load_balancer_is_told_whose_distribution_asks(committed: Callable[[str], Graph]) -> None:
    """By a secret, in the header that the router's chart asks for, and for the paths of the application alone."""
    for name in ("prod", "staging"):
        graph = committed(name)
        (found,) = graph.of("cloudfront/distribution")
        api, static = distribution(graph)["origins"]
        assert [{"name": KEY, "value": HIDDEN}] == api["customHeaders"]
        assert ("origins[0].customHeaders[0].value",) == found.secrets
        assert "customHeaders" not in static


@pytest.mark.parametrize("found", ["k" * 31, "k" * 129, "ключ" * 8, "k" * 32 + "\n"])
def test_a_key_that_a_rule_cannot_ask_for_is_refused(found: str) -> None:
    """And not said."""
    with pytest.raises(ConfigError, match=r"originKey has [0-9]+ characters or odd ones") as refused:
        origin.usable(found)
    assert found not in str(refused.value)
    assert "k" * 32 == origin.usable("k" * 32)


def test_no_edge_is_made_with_such_a_key(graph_of: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    """The program ends before AWS is asked."""
    monkeypatch.setattr("infra.plan.run.STAND_IN", "short")
    with pytest.raises(ConfigError, match="originKey has 5 characters"):
        graph_of(edge=EDGE)


def test_a_stack_wants_the_key_where_it_makes_the_edge(stack: Graph) -> None:
    """Not development, which has none, nor the second region, which has production's."""
    wanted = "primetrade:originKey" in read_stack(stack.stack).wanted_secrets
    assert bool(stack.of("cloudfront/distribution")) == wanted


def test_the_ingress_gets_its_groups_certificate_and_the_clients_address(committed: Callable[[str], Graph]) -> None:
    """As annotations of the controller; with X-Forwarded-For as CloudFront wrote it, the last address is the client."""
    said: Any = committed("dr").exports["ingress"]
    short = {key.removeprefix("alb.ingress.kubernetes.io/"): value for key, value in said.items()}
    assert "${primetrade-dr-edge-group.id}, ${primetrade-dr-checkers-group.id}" == short["security-groups"]
    assert "${primetrade-dr-certificate-origin.arn}" == short["certificate-arn"]
    assert [{"HTTPS": 443}] == json.loads(short["listen-ports"])
    assert "routing.http.xff_header_processing.mode=preserve" in short["load-balancer-attributes"].split(",")


def test_both_regions_answer_for_one_name_as_long_as_they_are_well(committed: Callable[[str], Graph]) -> None:
    """Production first; each is checked by its own name, and CloudFront asks for the common one."""
    graphs = {name: committed(name) for name in ("prod", "dr")}
    names = {name: records(graph)[f"primetrade-{name}-origin-name"] for name, graph in graphs.items()}
    assert {"prod": "PRIMARY", "dr": "SECONDARY"} == {
        name: each["failoverRoutingPolicies"][0]["type"] for name, each in names.items()
    }
    assert {distribution(graphs["prod"])["origins"][0]["domainName"]} == {each["name"] for each in names.values()}
    for name, graph in graphs.items():
        (check,) = graph.of("route53/healthCheck")
        here = records(graph)[f"primetrade-{name}-origin-here"]
        assert f"${{primetrade-{name}-origin-here.fqdn}}" == check.inputs["fqdn"]
        assert "failoverRoutingPolicies" not in here
        assert f"${{{check.name}.id}}" == names[name]["healthCheckId"]
        assert names[name]["name"] != here["name"]


def test_the_path_that_is_checked_needs_no_token() -> None:
    """And counts against no limit."""
    (checked,) = [each for each in health.operations if each.path == origin.CHECKED]
    assert ("public", False) == (checked.access, checked.limited)


def test_the_firewall_and_cloudfronts_certificate_are_in_us_east_1_always(stack: Graph) -> None:
    """By their own word, whatever the provider's region is; the load balancer's certificate is beside it."""
    region = read_stack(stack.stack).platform.region
    found = {each.name: each.inputs["region"] for each in stack.of("wafv2/webAcl", "acm/certificate")}
    assert {name: region if name.endswith("-origin") else zone.GLOBAL for name in found} == found


def test_the_second_region_makes_no_second_edge(committed: Callable[[str], Graph]) -> None:
    """It answers for production's names: no zone, no distribution, and no proof of what production proves."""
    graph = committed("dr")
    assert [] == graph.of("cloudfront/distribution", "wafv2/webAcl", "route53/zone")
    assert [] == [name for name in records(graph) if name.endswith("-proof")]
    assert {"Z0123456789EXAMPLE"} == {each["zoneId"] for each in records(graph).values()}


def test_without_a_load_balancer_the_names_wait(committed: Callable[[str], Graph]) -> None:
    """Its Ingress needs the groups and the certificate, which are there before."""
    graph = committed("staging")
    assert [] == [each for each in records(graph).values() if "elb" in json.dumps(each)]
    assert graph.exports["ingress"]
    assert [] == graph.of("route53/healthCheck")


def test_development_has_no_edge(committed: Callable[[str], Graph]) -> None:
    """It costs more than the rest of it."""
    graph = committed("dev")
    assert [] == graph.of("cloudfront/distribution", "route53/zone", "acm/certificate")
    assert "ingress" not in graph.exports


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "zone_id": st.just("Z0123456789EXAMPLE"),
            "host": st.from_regex(r"\A[a-z]([a-z0-9-]{0,10}[a-z0-9])?\Z"),
            "load_balancer": st.just(BALANCER),
            "requests": st.integers(100, 2_000_000_000),
            "price_class": st.sampled_from(["PriceClass_100", "PriceClass_200", "PriceClass_All"]),
        },
    )
)
def test_every_configuration_has_one_guarded_front(graph_of: Callable[..., Graph], changes: dict[str, Any]) -> None:
    """One zone at most, certificates of exactly the names that are asked for, the firewall with its limit."""
    graph = graph_of(edge=EDGE | changes)
    found = distribution(graph)
    name = f"{changes.get('host', 'api')}.dev.primetrade.example"
    assert [name] == found["aliases"]
    certificates = {each.inputs["domainName"] for each in graph.of("acm/certificate")}
    assert {name, found["origins"][0]["domainName"]} == certificates
    assert ("zone_id" in changes) == (not graph.of("route53/zone"))
    (acl,) = graph.of("wafv2/webAcl")
    rules: Any = acl.inputs["rules"]
    assert changes.get("requests", 10_000) == rules[0]["statement"]["rateBasedStatement"]["limit"]
    assert f"${{{acl.name}.arn}}" == found["webAclId"]
    assert ("load_balancer" in changes) == bool(graph.of("route53/healthCheck"))


AWAY = {key: value.replace("us-east-1", "eu-west-1").replace("2" * 12, "1" * 12) for key, value in BALANCER.items()}


@settings(max_examples=4)  # each runs the whole program
@given(
    st.from_regex(r"\A[a-z0-9]{1,20}\.(example|test)\Z"),
    st.from_regex(r"\AZ[A-Z0-9]{5,31}\Z"),
    st.from_regex(r"\A[a-z]{1,20}\Z").filter(lambda host: host != ORIGIN),
    st.sampled_from([None, AWAY]),
)
def test_every_second_region_answers_for_the_firsts_names_and_makes_none(
    graph_of: Callable[..., Graph], domain: str, zone_id: str, host: str, balancer: dict[str, str] | None
) -> None:
    """A certificate for the origin where it is, and records in the zone that was named, for a load balancer."""
    edge = {"zone": domain, "zone_id": zone_id, "host": host, "load_balancer": balancer}
    graph = graph_of("dr", edge=edge)
    sound(graph)
    assert [] == graph.of("route53/zone", "cloudfront/distribution", "wafv2/webAcl")
    (certificate,) = graph.of("acm/certificate")
    assert (f"origin.{domain}", "eu-west-1") == (certificate.inputs["domainName"], certificate.inputs["region"])
    found = records(graph)
    assert ({zone_id} if balancer else set()) == {each["zoneId"] for each in found.values()}
    roles = [part["type"] for each in found.values() for part in each.get("failoverRoutingPolicies", [])]
    assert (["SECONDARY"] if balancer else []) == roles
    assert zone_id == graph.exports["zone"]
