"""Roles with what they may do: by policies that AWS keeps, and by one of our own."""

from __future__ import annotations

from typing import Final, NamedTuple

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from infra.bootstrap.names import boundary_arn
from infra.components.iam import policy
from infra.components.site import Component

MANAGED: Final = "arn:aws:iam::aws:policy"
EC2: Final = policy({"Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}})


class Granted(NamedTuple):
    """A role, and its rights as resources: what acts by the role waits for them."""

    arn: Output[str]
    name: Output[str]
    rights: list[pulumi.Resource]


def granted(
    of: Component, name: str, trust: str, *managed: str, own: Input[str] | None = None, session_s: int | None = None
) -> Granted:
    """A new role, within the account's boundary, with AWS's policies of these names and one of our own.

    `session_s` is the longest that it is lent for, an hour if not said.
    """
    bound = boundary_arn(of.site.account, of.site.platform.name)
    role = aws.iam.Role(
        name,
        assume_role_policy=trust,
        permissions_boundary=bound,
        max_session_duration=session_s,
        opts=of.child(),
    )
    rights: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{each.rpartition('/')[2]}", role=role.name, policy_arn=f"{MANAGED}/{each}", opts=of.child()
        )
        for each in managed
    ]
    if own is not None:
        rights.append(aws.iam.RolePolicy(f"{name}-may", role=role.id, policy=own, opts=of.child()))
    return Granted(role.arn, role.name, rights)


def node_role(of: Component, part: str, join: str = "AmazonEKSWorkerNodePolicy") -> Granted:
    """A role for machines: to join and to pull images, nothing else; what pods may do comes by Pod Identity."""
    return granted(of, of.site.name(part, "role"), EC2, join, "AmazonEC2ContainerRegistryPullOnly")
