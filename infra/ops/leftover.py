"""What a cluster leaves in its network: load balancers, their target groups, and interfaces nobody is attached to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from infra.ops.account import Account

CLUSTER_TAG: Final = "elbv2.k8s.aws/cluster"  # of the AWS Load Balancer Controller
BATCH: Final = 20  # ARNs that describe_tags takes


def balancers(account: Account, cluster: str) -> list[str]:
    """Load balancers and target groups that the controller of a cluster made."""
    made = [
        each["LoadBalancerArn"]
        for page in account.balancing.get_paginator("describe_load_balancers").paginate()
        for each in page["LoadBalancers"]
    ]
    groups = [
        each["TargetGroupArn"]
        for page in account.balancing.get_paginator("describe_target_groups").paginate()
        for each in page["TargetGroups"]
    ]
    return list(_of(account, [*made, *groups], cluster))


def _of(account: Account, arns: Sequence[str], cluster: str) -> Iterator[str]:
    left = iter(arns)
    while batch := list(islice(left, BATCH)):
        for each in account.balancing.describe_tags(ResourceArns=batch)["TagDescriptions"]:
            if {"Key": CLUSTER_TAG, "Value": cluster} in each["Tags"]:
                yield each["ResourceArn"]


def interfaces(account: Account, vpc: str) -> list[str]:
    """Network interfaces of a VPC that are attached to nothing: they hold subnets and security groups back."""
    pages = account.ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "status", "Values": ["available"]}]
    )
    return [each["NetworkInterfaceId"] for page in pages for each in page["NetworkInterfaces"]]


def delete_interfaces(account: Account, vpc: str) -> None:
    """Delete those."""
    for interface in interfaces(account, vpc):
        account.ec2.delete_network_interface(NetworkInterfaceId=interface)
