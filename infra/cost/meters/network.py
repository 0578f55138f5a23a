"""Meters of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter
from infra.cost.usage import HOURS
from infra.plan.graph import Resource


def nat(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A regional gateway costs what one in each zone does, and brings its own addresses.

    What would go through endpoints goes through it where there are none.
    """
    zones = private_zones(basis) if resource.inputs.get("availabilityMode") == "regional" else 1
    yield Charge(f"NAT in {zones} zones" if zones > 1 else "NAT", "VPC", "NAT gateway", zones * HOURS)
    if zones > 1:
        yield Charge(f"{zones} addresses of NAT", "VPC", "public IPv4 address in use", zones * HOURS)
    gb = basis.usage.nat_gb + (0 if interfaces(basis) else basis.usage.endpoint_gb)
    yield Charge("through NAT", "VPC", "NAT gateway data processed", gb / len(basis.graph.of("ec2/natGateway")))


def private_zones(basis: Basis) -> int:
    """Zones with a private subnet of this program; 1 where the VPC is somebody else's."""
    tags = [each.inputs.get("tags") for each in basis.graph.of("ec2/subnet")]
    private = [each for each in tags if isinstance(each, dict) and each.get("tier") == "private"]
    return max(1, len(private))


def address(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Each public address, used or not."""
    yield Charge("public address", "VPC", "public IPv4 address in use", HOURS)


def endpoint(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Interface endpoints by zone; gateway endpoints are free."""
    if resource.inputs.get("vpcEndpointType") != "Interface":
        return
    subnets = resource.inputs.get("subnetIds")
    zones = len(subnets) if isinstance(subnets, list) else 1
    yield Charge(f"endpoint in {zones} zones", "VPC", "interface endpoint per zone", zones * HOURS)
    share = basis.usage.endpoint_gb / len(interfaces(basis))
    yield Charge("through endpoint", "VPC", "interface endpoint data processed (first 1 PB)", share)


def interfaces(basis: Basis) -> list[Resource]:
    """Endpoints with addresses of their own."""
    return [each for each in basis.graph.of("ec2/vpcEndpoint") if each.inputs["vpcEndpointType"] == "Interface"]


METERS: Final[dict[str, Meter]] = {"ec2/natGateway": nat, "ec2/eip": address, "ec2/vpcEndpoint": endpoint}
