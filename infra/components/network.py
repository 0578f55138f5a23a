"""The VPC: subnets in three tiers keyed by zone, ways out, flow logs and endpoints; or a VPC that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components import addresses
from infra.components.addresses import TIERS, Tier
from infra.components.iam import allow, assumed_by, policy
from infra.components.keys import Keys
from infra.components.roles import granted
from infra.components.site import Component, Site
from infra.config.base import ZONE_IDS

ANYWHERE: Final = "0.0.0.0/0"
GATEWAYS: Final = ("dynamodb", "s3")  # endpoints that cost nothing
TAGS: Final[dict[Tier, dict[str, str]]] = {
    # The AWS Load Balancer Controller looks for these.
    "public": {"kubernetes.io/role/elb": "1"},
    "private": {"kubernetes.io/role/internal-elb": "1"},
    "isolated": {},
}


class Network(Component):
    """`vpc` is its id, `subnets` the subnets' ids by tier and zone."""

    def __init__(self, site: Site, keys: Keys) -> None:
        super().__init__("Network", site)
        self.config = site.platform.network
        self.vpc: Input[str]
        self.subnets: dict[Tier, Mapping[str, Input[str]]]
        if existing := self.config.existing:
            self.vpc = existing.id
            self.subnets = {tier: getattr(existing.subnets, tier) for tier in TIERS}
        else:
            self.vpc = self._vpc()
            self.subnets = self._subnets()
            self._routes()
            self._flow_logs(keys)
        self.register_outputs({"vpc": self.vpc, "subnets": self.subnets})

    def _vpc(self) -> Output[str]:
        name = self.site.name("vpc")
        vpc = aws.ec2.Vpc(
            name,
            cidr_block=self.config.cidr,
            enable_dns_hostnames=True,  # interface endpoints answer to AWS's own names
            enable_dns_support=True,
            tags={"Name": name},
            opts=self.child(),
        )
        # Taken into hand to have no rules: what names no group of its own can then talk to nobody.
        closed = self.site.name("closed")
        aws.ec2.DefaultSecurityGroup(closed, vpc_id=vpc.id, tags={"Name": closed}, opts=self.child())
        return vpc.id

    def _subnets(self) -> dict[Tier, Mapping[str, Input[str]]]:
        made: dict[Tier, dict[str, Input[str]]] = {tier: {} for tier in TIERS}
        for each in addresses.subnets(self.config.cidr, self.config.zones):
            name = self.site.name(each.tier, each.zone)
            made[each.tier][each.zone] = aws.ec2.Subnet(
                name,
                vpc_id=self.vpc,
                cidr_block=each.cidr,
                availability_zone_id=f"{ZONE_IDS[self.site.region]}-{each.zone}",
                map_public_ip_on_launch=False,
                tags={"Name": name, "tier": each.tier, **TAGS[each.tier]},
                opts=self.child(),
            ).id
        return dict(made.items())

    def _routes(self) -> None:
        tables = {name: self._table(*name) for name in self._tables()}
        self._internet(tables["public", ""])
        self._nat(tables)
        routing = [table.id for table in tables.values()]
        for service in GATEWAYS:
            aws.ec2.VpcEndpoint(
                self.site.name("endpoint", service),
                vpc_id=self.vpc,
                service_name=f"com.amazonaws.{self.site.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=routing,
                tags={"Name": self.site.name(service)},
                opts=self.child(),
            )
        if self.config.endpoints:
            self._interface_endpoints()

    def _tables(self) -> list[tuple[Tier, str]]:
        return [("public", ""), *(("private", zone) for zone in self.config.zones), ("isolated", "")]

    def _table(self, tier: Tier, zone: str) -> aws.ec2.RouteTable:
        name = self.site.name("routes", tier, *([zone] if zone else []))
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc, tags={"Name": name}, opts=self.child())
        for each in [zone] if zone else self.config.zones:
            aws.ec2.RouteTableAssociation(
                self.site.name("routes", tier, each, "of"),
                route_table_id=table.id,
                subnet_id=self.subnets[tier][each],
                opts=self.child(),
            )
        return table

    def _internet(self, table: aws.ec2.RouteTable) -> None:
        name = self.site.name("internet")
        gateway = aws.ec2.InternetGateway(name, vpc_id=self.vpc, tags={"Name": name}, opts=self.child())
        self._out(name, table, gateway_id=gateway.id)
        self.internet = gateway

    def _nat(self, tables: Mapping[tuple[Tier, str], aws.ec2.RouteTable]) -> None:
        if self.config.nat == "regional":
            name = self.site.name("nat")
            whole = aws.ec2.NatGateway(
                name, vpc_id=self.vpc, availability_mode="regional", tags={"Name": name}, opts=self.child(self.internet)
            )
            gateways = dict.fromkeys(self.config.zones, whole)
        else:
            own = {zone: self._zonal_nat(zone) for zone in addresses.nat_zones(self.config.nat, self.config.zones)}
            gateways = {zone: own.get(zone, next(iter(own.values()))) for zone in self.config.zones} if own else {}
        for zone, gateway in gateways.items():
            self._out(self.site.name("nat", zone), tables["private", zone], nat_gateway_id=gateway.id)

    def _zonal_nat(self, zone: str) -> aws.ec2.NatGateway:
        name = self.site.name("nat", zone)
        address = aws.ec2.Eip(f"{name}-address", domain="vpc", tags={"Name": name}, opts=self.child(self.internet))
        return aws.ec2.NatGateway(
            name,
            allocation_id=address.id,
            subnet_id=self.subnets["public"][zone],
            tags={"Name": name},
            opts=self.child(self.internet),
        )

    def _out(self, name: str, table: aws.ec2.RouteTable, **gateway: Input[str]) -> None:
        aws.ec2.Route(
            f"{name}-route",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            opts=self.child(),
            **gateway,
        )

    def _interface_endpoints(self) -> None:
        name = self.site.name("endpoints")
        group = aws.ec2.SecurityGroup(
            name, vpc_id=self.vpc, description="Interface endpoints of AWS", tags={"Name": name}, opts=self.child()
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-in",
            security_group_id=group.id,
            description="HTTPS from this VPC",
            cidr_ipv4=self.config.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self.child(),
        )
        for service in self.config.endpoints:
            aws.ec2.VpcEndpoint(
                self.site.name("endpoint", service.replace(".", "-")),
                vpc_id=self.vpc,
                service_name=f"com.amazonaws.{self.site.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=list(self.subnets["private"].values()),
                security_group_ids=[group.id],
                tags={"Name": self.site.name(service)},
                opts=self.child(),
            )

    def _flow_logs(self, keys: Keys) -> None:
        if not self.config.flow_log_days:
            return
        name = self.site.name("flow-logs")
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=self.config.flow_log_days, kms_key_id=keys.logs, opts=self.child()
        )
        trust = assumed_by("vpc-flow-logs.amazonaws.com", self.site.account)
        role = granted(self, f"{name}-role", trust, own=logs.arn.apply(may_write))
        aws.ec2.FlowLog(
            f"{name}-writer",
            vpc_id=self.vpc,
            traffic_type="ALL",
            log_destination=logs.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
            tags={"Name": name},
            opts=self.child(*role.rights),
        )


def may_write(group: str) -> str:
    """A policy that lets flow logs into the log group of this ARN."""
    write = ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams")
    return policy(allow(write, [f"{group}:*"]), allow(["logs:DescribeLogGroups"], ["*"]))
