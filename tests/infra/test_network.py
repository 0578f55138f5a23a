"""The network: addresses as arithmetic, and what a plan makes of each choice."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.addresses import TIERS, nat_zones, subnets
from infra.config import base
from infra.config.network import Network
from infra.plan.graph import Graph, Resource
from tests.infra.samples import sound

ZONES = ("az1", "az2", "az4")
ENDPOINTS = ["ecr.api", "ecr.dkr", "sts", "logs"]
# By hand, who calls it from a private subnet; not from the configuration's own list.
CALLERS = {
    "ec2": "the CNI, Karpenter, the load balancer controller",
    "ecr.api": "nodes",
    "ecr.dkr": "nodes",
    "eks": "nodes that join, Karpenter",
    "eks-auth": "Pod Identity",
    "elasticloadbalancing": "the load balancer controller",
    "logs": "functions",
    "secretsmanager": "external-secrets, functions",
    "sqs": "Karpenter's interruptions",
    "ssm": "Karpenter's machine images",
    "sts": "whoever takes a role",
    "xray": "ADOT",
}


@st.composite
def blocks(draw: st.DrawFn) -> ipaddress.IPv4Network:
    """A private block of /16 to /20."""
    prefix = draw(st.integers(16, 20))
    return draw(st.sampled_from(list(ipaddress.IPv4Network("10.64.0.0/12").subnets(new_prefix=prefix))))


@given(blocks(), st.integers(2, 3))
def test_subnets_lie_in_the_vpc_and_do_not_overlap(block: ipaddress.IPv4Network, zones: int) -> None:
    """Whatever its size; AWS makes none smaller than /28."""
    made = [ipaddress.IPv4Network(each.cidr) for each in subnets(str(block), ZONES[:zones])]
    assert len(TIERS) * zones == len(made)
    assert all(each.subnet_of(block) and each.prefixlen <= 28 for each in made)
    assert [] == [pair for pair in combinations(made, 2) if pair[0].overlaps(pair[1])]


@given(blocks())
def test_a_zone_that_is_appended_moves_no_other(block: ipaddress.IPv4Network) -> None:
    """Renumbering would replace every subnet and all that is in it."""
    assert set(subnets(str(block), ZONES[:2])) <= set(subnets(str(block), ZONES))


@given(blocks())
def test_workloads_have_most_of_the_addresses(block: ipaddress.IPv4Network) -> None:
    """Every pod takes one: three quarters are theirs."""
    private = [each for each in subnets(str(block), ZONES) if each.tier == "private"]
    assert block.num_addresses * 3 // 4 == sum(ipaddress.IPv4Network(each.cidr).num_addresses for each in private)


@pytest.mark.parametrize(
    ("nat", "zones"), [("regional", []), ("per-zone", list(ZONES)), ("single", ["az1"]), ("none", [])]
)
def test_the_choice_of_nat_says_which_zones_have_a_gateway(nat: str, zones: list[str]) -> None:
    """A regional one is in none of them."""
    assert zones == nat_zones(nat, ZONES)


@settings(max_examples=5)  # each runs the whole program
@given(
    blocks(),
    st.lists(st.sampled_from(base.ZONES["us-east-1"]), min_size=2, max_size=3, unique=True),
    st.sampled_from(["regional", "per-zone", "single", "none"]),
    st.sets(st.sampled_from(ENDPOINTS)),
)
def test_every_network_is_sound_and_in_its_zones(
    graph_of: Callable[..., Graph], block: ipaddress.IPv4Network, zones: list[str], nat: str, services: set[str]
) -> None:
    """Subnets of three tiers in each zone and no other, apart from each other; each private one has a way to AWS."""
    endpoints = sorted(CALLERS) if nat == "none" else sorted(services)
    graph = graph_of(network={"cidr": str(block), "zones": zones, "nat": nat, "endpoints": endpoints})
    sound(graph)
    subnets = [each.inputs for each in graph.of("ec2/subnet")]
    assert dict.fromkeys([f"use1-{zone}" for zone in zones], len(TIERS)) == Counter(
        str(each["availabilityZoneId"]) for each in subnets
    )
    made = [ipaddress.IPv4Network(str(each["cidrBlock"])) for each in subnets]
    assert [] == [pair for pair in combinations(made, 2) if pair[0].overlaps(pair[1])]
    assert all(each.subnet_of(block) for each in made)
    ways = [name for name in default_routes(graph) if "-private-" in name]
    assert (0 if nat == "none" else len(zones)) == len(ways)


def default_routes(graph: Graph) -> dict[str, dict[str, Any]]:
    """Where each route table sends what is for anywhere, by the table's name."""
    return {str(each.inputs["routeTableId"])[2:-4]: each.inputs for each in graph.of("ec2/route")}


@pytest.mark.parametrize(
    ("nat", "gateways", "addresses"),
    [
        ("regional", {"az1": "nat", "az2": "nat", "az4": "nat"}, 0),
        ("per-zone", {"az1": "nat-az1", "az2": "nat-az2", "az4": "nat-az4"}, 3),
        ("single", {"az1": "nat-az1", "az2": "nat-az1", "az4": "nat-az1"}, 1),
        ("none", {}, 0),
    ],
)
def test_private_subnets_leave_by_the_gateway_that_was_chosen(
    graph_of: Callable[..., Graph], nat: str, gateways: dict[str, str], addresses: int
) -> None:
    """One route a zone; isolated subnets have no way out whatever was chosen."""
    graph = graph_of(network={"nat": nat, "zones": ZONES, "endpoints": [*CALLERS]})
    routes = default_routes(graph)
    public = routes.pop("primetrade-dev-routes-public")
    assert "${primetrade-dev-internet.id}" == public["gatewayId"]
    assert {f"primetrade-dev-routes-private-{z}": f"${{primetrade-dev-{g}.id}}" for z, g in gateways.items()} == {
        table: inputs["natGatewayId"] for table, inputs in routes.items()
    }
    assert addresses == len(graph.of("ec2/eip"))


@pytest.mark.parametrize("service", sorted(CALLERS))
def test_a_cluster_without_nat_has_every_endpoint_that_it_calls(service: str) -> None:
    """Else it would be deployed and never work."""
    msgspec.convert({"nat": "none", "endpoints": [*CALLERS]}, Network)
    with pytest.raises(msgspec.ValidationError, match=f"without nat nothing reaches {re.escape(service)}; name them"):
        msgspec.convert({"nat": "none", "endpoints": sorted(CALLERS.keys() - {service})}, Network)


def test_an_endpoint_of_each_service_can_be_made(graph_of: Callable[..., Graph]) -> None:
    """Under the name that AWS gives it."""
    made = endpoints(graph_of(network={"nat": "none", "endpoints": [*CALLERS]}), "Interface")
    assert {f"com.amazonaws.us-east-1.{service}" for service in CALLERS} == {
        str(each.inputs["serviceName"]) for each in made
    }


def test_a_regional_gateway_is_in_no_subnet(graph_of: Callable[..., Graph]) -> None:
    """It spans the VPC by itself and brings its own addresses."""
    (gateway,) = graph_of(network={"nat": "regional"}).of("ec2/natGateway")
    assert ("regional", "${primetrade-dev-vpc.id}") == (gateway.inputs["availabilityMode"], gateway.inputs["vpcId"])
    assert not {"subnetId", "allocationId"} & gateway.inputs.keys()


def test_every_subnet_has_one_route_table(stack: Graph) -> None:
    """Else it falls to the VPC's main table, which nobody looks at."""
    wanted = sorted(f"${{{each.name}.id}}" for each in stack.of("ec2/subnet"))
    assert wanted == sorted(str(each.inputs["subnetId"]) for each in stack.of("ec2/routeTableAssociation"))


def test_subnets_are_keyed_by_zone_ids(stack: Graph) -> None:
    """Zone names mean something else in every account; ids do not."""
    region = stack.of("pulumi:providers")[0].inputs["region"]
    prefix = {"us-east-1": "use1-az", "eu-west-1": "euw1-az"}[str(region)]
    zones = [str(each.inputs["availabilityZoneId"]) for each in stack.of("ec2/subnet")]
    assert zones
    assert [] == [zone for zone in zones if not zone.startswith(prefix)]
    assert [] == [each.name for each in stack.of("ec2/subnet") if "availabilityZone" in each.inputs]


def test_no_subnet_gives_public_addresses_by_itself(stack: Graph) -> None:
    """What faces the internet says so."""
    assert [] == [each.name for each in stack.of("ec2/subnet") if each.inputs["mapPublicIpOnLaunch"]]


def endpoints(graph: Graph, kind: str) -> list[Resource]:
    return [each for each in graph.of("ec2/vpcEndpoint") if each.inputs["vpcEndpointType"] == kind]


def test_gateway_endpoints_serve_every_route_table(stack: Graph) -> None:
    """S3 and DynamoDB cost nothing on that way; the others cost by the hour and are chosen."""
    tables = sorted(f"${{{each.name}.id}}" for each in stack.of("ec2/routeTable"))
    gateways = endpoints(stack, "Gateway")
    assert ["dynamodb", "s3"] == sorted(str(each.inputs["serviceName"]).rpartition(".")[2] for each in gateways)
    assert [] == [each.name for each in gateways if sorted(each.inputs["routeTableIds"]) != tables]  # type: ignore[call-overload]


def test_interface_endpoints_answer_the_vpc_only(graph_of: Callable[..., Graph]) -> None:
    """Under AWS's own names, in every zone, on 443."""
    graph = graph_of(network={"endpoints": ENDPOINTS, "cidr": "10.77.0.0/16"})
    made = endpoints(graph, "Interface")
    assert sorted(f"com.amazonaws.us-east-1.{each}" for each in ENDPOINTS) == sorted(
        str(each.inputs["serviceName"]) for each in made
    )
    assert [{"zones": 2, "dns": True}] * 4 == [
        {"zones": len(each.inputs["subnetIds"]), "dns": each.inputs["privateDnsEnabled"]}  # type: ignore[arg-type]
        for each in made
    ]
    (rule,) = [each for each in graph.of("vpc/securityGroupIngressRule") if "endpoints" in each.name]
    assert ("10.77.0.0/16", 443, 443) == tuple(rule.inputs[key] for key in ("cidrIpv4", "fromPort", "toPort"))


def test_flow_logs_are_encrypted_and_kept(graph_of: Callable[..., Graph]) -> None:
    """Both sides of every connection, for the days that were chosen."""
    graph = graph_of(network={"flow_log_days": 14})
    group = graph["primetrade-dev-flow-logs"]
    assert (14, "${primetrade-dev-key-logs.arn}") == (group.inputs["retentionInDays"], group.inputs["kmsKeyId"])
    (log,) = graph.of("ec2/flowLog")
    assert ("ALL", "${primetrade-dev-flow-logs.arn}") == (log.inputs["trafficType"], log.inputs["logDestination"])


def test_flow_logs_can_be_left_out(graph_of: Callable[..., Graph]) -> None:
    """With the role that writes them."""
    graph = graph_of(network={"flow_log_days": 0})
    assert [] == graph.of("ec2/flowLog")
    assert [] == [each.name for each in graph.made if "flow" in each.name]


def test_the_default_security_group_has_no_rules(stack: Graph) -> None:
    """Whatever names no group of its own talks to nobody."""
    (group,) = stack.of("ec2/defaultSecurityGroup")
    assert not {"ingress", "egress"} & group.inputs.keys()


def test_a_vpc_that_exists_is_used_and_not_changed(graph_of: Callable[..., Graph]) -> None:
    """Nothing of the network is made."""
    ids = {zone: f"subnet-{zone.removeprefix('az'):0>8}" for zone in ("az1", "az2")}
    existing = {"id": "vpc-0123456789abcdef0", "subnets": dict.fromkeys(TIERS, ids)}
    graph = graph_of(network={"existing": existing})
    assert [] == graph.below("network")
