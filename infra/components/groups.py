"""Security groups that open to other groups, never to addresses: who belongs to one may come, wherever it runs."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.network import Network
from infra.components.site import Component


def group(of: Component, network: Network, part: str, description: str) -> Output[str]:
    """The id of a new security group without rules."""
    name = of.site.name(part, "group")
    return aws.ec2.SecurityGroup(
        name, vpc_id=network.vpc, description=description, tags={"Name": name}, opts=of.child()
    ).id


def let_in(of: Component, into: Input[str], source: Input[str], port: int, part: str = "clients") -> None:
    """Let members of `source` come to `port` of members of `into`."""
    aws.vpc.SecurityGroupIngressRule(
        of.site.name(of.kind, "in", part),
        security_group_id=into,
        referenced_security_group_id=source,
        description=f"From {part}",
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=of.child(),
    )


def let_out(of: Component, source: Input[str], into: Input[str], port: int, part: str) -> None:
    """Let members of `source` go to `port` of members of `into`."""
    aws.vpc.SecurityGroupEgressRule(
        of.site.name(of.kind, "out", part),
        security_group_id=source,
        referenced_security_group_id=into,
        description=f"To {part}",
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=of.child(),
    )
