"""The section `cluster`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Strict

Block = Annotated[str, Meta(pattern=r"^[\d.]+/\d{1,2}$")]
RoleArn = Annotated[str, Meta(pattern=r"^arn:aws:iam::\d{12}:role/[\w+=,.@/-]{1,512}$")]
AddonName = Literal[
    "vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "aws-ebs-csi-driver", "metrics-server"
]
WIDEST: Final = 8  # a block that reaches the API is no wider than /8; everybody is no choice


class Nodes(Strict, frozen=True):
    """The nodes that come and go with the pods."""

    spot_percent: Annotated[
        Literal[0, 25, 50, 75, 100],
        Meta(description="Share of the application's pods on spot; the rest is on demand."),
    ] = 50
    architectures: Annotated[
        tuple[Literal["arm64", "amd64"], ...], Meta(min_length=1, max_length=2, description="Graviton, x86 or both.")
    ] = ("arm64", "amd64")
    max_cpu: Annotated[int, Meta(ge=4, le=2000, description="vCPUs of all of them together.")] = 128
    days: Annotated[int, Meta(ge=1, le=90, description="Age at which a node is replaced, for a fresh system.")] = 14


class Cluster(Strict, frozen=True):
    """Kubernetes on EKS."""

    mode: Annotated[
        Literal["karpenter", "auto"],
        Meta(description="Who makes nodes: Karpenter beside a managed group, or EKS itself (Auto Mode, dearer)."),
    ] = "karpenter"
    version: Annotated[
        Literal["1.33", "1.34", "1.35"], Meta(description="Of Kubernetes; raise it by one minor version at a time.")
    ] = "1.34"
    public_from: Annotated[
        tuple[Block, ...],
        Meta(max_length=40, description="Public networks that reach the API; none: it has no public address."),
    ] = ()
    private_from: Annotated[
        tuple[Block, ...],
        Meta(
            max_length=10,
            description="Private networks (VPN, runners) that reach the API, and Prometheus, which asks for no login.",
        ),
    ] = ()
    admins: Annotated[
        tuple[RoleArn, ...],
        Meta(max_length=10, description="Roles that administer it, besides the break-glass and deploy roles."),
    ] = ()
    system_instance: Annotated[
        str, Meta(pattern=r"^(t4g|m7g|m8g|c7g|c8g)\.(medium|large|xlarge)$", description="Of the managed group.")
    ] = "m7g.large"
    system_nodes: Annotated[int, Meta(ge=2, le=9, description="Nodes of the managed group.")] = 3
    nodes: Annotated[Nodes, Meta(description="The other nodes.")] = Nodes()
    addons: Annotated[
        dict[
            Literal[
                "vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "aws-ebs-csi-driver", "metrics-server"
            ],
            Annotated[str, Meta(pattern=r"^v\d+\.\d+\.\d+-eksbuild\.\d+$")],
        ],
        Meta(max_length=6, description="EKS add-on → version; one not named keeps the version it was made with."),
    ] = msgspec.field(default_factory=dict)
    dns_zones: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^Z[A-Z0-9]{1,31}$")], ...],
        Meta(max_length=5, description="Hosted zones that ExternalDNS and cert-manager write; none: no such rights."),
    ] = ()
    deletion_protection: Annotated[bool, Meta(description="EKS refuses to delete it until this is off.")] = True

    def __post_init__(self) -> None:
        for key in ("public_from", "private_from"):
            for block in getattr(self, key):
                _check(key, block)
        if self.mode == "auto" and self.addons:
            raise ValueError(f"addons: Auto Mode has its own {next(iter(self.addons))}; name no versions")


def _check(key: str, block: str) -> None:
    try:
        found = ipaddress.IPv4Network(block)
    except ValueError as exc:
        raise ValueError(f"{key}: {exc}; give the first address of a block, such as 203.0.113.0/24") from exc
    if found.prefixlen < WIDEST:
        raise ValueError(f"{key}: {block} is too wide; /{WIDEST} is the widest")
