"""The section `network`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal

from msgspec import Meta

from infra.config.base import LogDays, Strict

ZoneId = Literal["az1", "az2", "az3", "az4", "az5", "az6"]
SubnetId = Annotated[str, Meta(pattern=r"^subnet-[0-9a-f]{8,17}$")]
Endpoint = Literal[
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "kms",
    "logs",
    "monitoring",
    "secretsmanager",
    "sqs",
    "ssm",
    "sts",
    "xray",
]
# What nodes, controllers and functions call, and reach in no other way without nat.
# https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html; ssm and sqs are Karpenter's.
ALONE: Final[tuple[Endpoint, ...]] = (
    *("ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "logs", "secretsmanager", "sqs", "ssm"),
    *("sts", "xray"),
)
PRIVATE: Final = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


class SubnetIds(Strict, frozen=True):
    """Subnets that exist already, one per zone."""

    public: Annotated[
        dict[ZoneId, SubnetId], Meta(max_length=3, description="Zone → subnet that faces the internet; may be empty.")
    ]
    private: Annotated[dict[ZoneId, SubnetId], Meta(max_length=3, description="Zone → subnet for workloads.")]
    isolated: Annotated[
        dict[ZoneId, SubnetId], Meta(max_length=3, description="Zone → subnet for data, without a way out.")
    ]


class ExistingVpc(Strict, frozen=True):
    """A VPC that somebody else made; nothing in it is changed."""

    id: Annotated[str, Meta(pattern=r"^vpc-[0-9a-f]{8,17}$", description="The VPC.")]
    subnets: Annotated[SubnetIds, Meta(description="Its subnets, keyed by zone.")]


class Network(Strict, frozen=True):
    """The VPC: three tiers of subnets over two or three zones."""

    cidr: Annotated[
        str,
        Meta(pattern=r"^[\d.]+/(16|17|18|19|20)$", description="Its addresses: a private /16 to /20."),
    ] = "10.20.0.0/16"
    zones: Annotated[
        tuple[ZoneId, ...],
        Meta(min_length=2, max_length=3, description="Zones, by ids that every account shares; only append."),
    ] = ("az1", "az2", "az4")
    nat: Annotated[
        Literal["regional", "per-zone", "single", "none"],
        Meta(
            description="How private subnets get out: a gateway over all zones, one each, one, or not. "
            "Without, images of others and Route 53 need a proxy."
        ),
    ] = "regional"
    flow_log_days: Annotated[Literal[0] | LogDays, Meta(description="How long flow logs are kept; 0 writes none.")] = 90
    endpoints: Annotated[
        tuple[Endpoint, ...],
        Meta(max_length=14, description="Services with an interface endpoint; S3 and DynamoDB have gateways."),
    ] = ("ecr.api", "ecr.dkr", "eks-auth", "logs", "secretsmanager", "sts")
    existing: Annotated[ExistingVpc | None, Meta(description="Use this VPC and make none.")] = None

    def __post_init__(self) -> None:
        try:
            block = ipaddress.IPv4Network(self.cidr)
        except ValueError as exc:
            raise ValueError(f"cidr: {exc}; give the first address of a block, such as 10.20.0.0/16") from exc
        if not any(block.subnet_of(private) for private in PRIVATE):
            raise ValueError(f"cidr: {self.cidr} is public; take one of {', '.join(map(str, PRIVATE))}")
        if twice := [zone for zone in self.zones if self.zones.count(zone) > 1]:
            raise ValueError(f"zones: {twice[0]} is there twice; name each zone once")
        if again := [each for each in self.endpoints if self.endpoints.count(each) > 1]:
            raise ValueError(f"endpoints: {again[0]} is there twice; name each service once")
        if self.nat == "none" and not self.existing and (missing := sorted({*ALONE} - {*self.endpoints})):
            raise ValueError(f"endpoints: without nat nothing reaches {', '.join(missing)}; name them")
        if self.existing:
            self._check(self.existing.subnets)

    def _check(self, subnets: SubnetIds) -> None:
        for tier in ("public", "private", "isolated"):
            given = getattr(subnets, tier)
            if (given or tier != "public") and set(given) != set(self.zones):
                found = ", ".join(given) or "none"
                raise ValueError(
                    f"existing.subnets.{tier}: has {found}; give a subnet for each of {', '.join(self.zones)}"
                )
