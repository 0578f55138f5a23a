"""Karpenter's side on AWS: the role of its nodes, what it may do, and the queue that warns it before a node goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.cluster import Cluster
from infra.components.controllers import Statement, may
from infra.components.iam import policy
from infra.components.identity import lend
from infra.components.roles import node_role
from infra.components.site import Component, Site

# https://karpenter.sh/docs/concepts/disruption/#interruption
WARNINGS: Final = {
    "health": ("aws.health", "AWS Health Event"),
    "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state": ("aws.ec2", "EC2 Instance State-change Notification"),
}
KEPT_S: Final = 300  # a spot node has two minutes


class Karpenter(Component):
    """`profile` is what its nodes are started with, `queue` the name of the queue; its NodePools are in the addons."""

    def __init__(self, site: Site, cluster: Cluster) -> None:
        super().__init__("Karpenter", site)
        role = node_role(self, "karpenter-nodes")
        self.profile = aws.iam.InstanceProfile(
            site.name("karpenter-nodes"), role=role.name, opts=self.child(*role.rights)
        ).name
        name = site.name("access", "karpenter-nodes")
        aws.eks.AccessEntry(
            name,
            cluster_name=cluster.control.name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            tags={"Name": name},
            opts=self.child(),
        )
        queue = self._queue()
        self.queue = queue.name
        rights = Output.all(queue.arn, role.arn).apply(
            lambda both: policy(*controller(cluster.name, site.region, site.account, *both))
        )
        lend(self, cluster, "kube-system", "karpenter", rights)
        self.register_outputs({"queue": self.queue})

    def _queue(self) -> aws.sqs.Queue:
        name = self.site.name("interruptions")
        queue = aws.sqs.Queue(
            name,
            name=name,
            message_retention_seconds=KEPT_S,
            sqs_managed_sse_enabled=True,
            tags={"Name": name},
            opts=self.child(),
        )
        rules = [self._rule(part, source, kind, queue) for part, (source, kind) in WARNINGS.items()]
        text = Output.all(queue.arn, *rules).apply(lambda all_: may_send(all_[0], all_[1:]))
        aws.sqs.QueuePolicy(f"{name}-policy", queue_url=queue.id, policy=text, opts=self.child())
        return queue

    def _rule(self, part: str, source: str, kind: str, queue: aws.sqs.Queue) -> Output[str]:
        name = self.site.name("interruptions", part)
        rule = aws.cloudwatch.EventRule(
            name,
            event_pattern=json.dumps({"source": [source], "detail-type": [kind]}),
            tags={"Name": name},
            opts=self.child(),
        )
        aws.cloudwatch.EventTarget(f"{name}-target", rule=rule.name, arn=queue.arn, opts=self.child())
        return rule.arn


def may_send(queue: str, rules: Sequence[str]) -> str:
    """A queue's policy: these rules send, and nobody without TLS."""
    return policy(
        {
            **may(["sqs:SendMessage"], queue, ArnEquals={"aws:SourceArn": list(rules)}),
            "Principal": {"Service": "events.amazonaws.com"},
        },
        {
            **may(["sqs:SendMessage", "sqs:ReceiveMessage"], queue, Bool={"aws:SecureTransport": "false"}),
            "Effect": "Deny",
            "Principal": "*",
        },
    )


def controller(cluster: str, region: str, account: str, queue: str, nodes: str) -> list[Statement]:
    """It makes and ends machines with this cluster's tags only, and hands them no role but their own."""
    at, kinds = f"arn:aws:ec2:{region}", ("fleet", "instance", "volume", "network-interface", "launch-template")
    made = [f"{at}:{account}:{kind}/*" for kind in (*kinds, "spot-instances-request")]
    from_ = [f"{at}::image/*", f"{at}::snapshot/*"]
    from_ += [f"{at}:{account}:{kind}/*" for kind in ("security-group", "subnet", "capacity-reservation")]
    owned = {f"kubernetes.io/cluster/{cluster}": "owned"}
    asked = {f"aws:RequestTag/{key}": value for key, value in owned.items()}
    ours = {f"aws:ResourceTag/{key}": value for key, value in owned.items()}
    pool = "karpenter.sh/nodepool"
    looks = "CapacityReservations Images Instances InstanceStatus InstanceTypeOfferings InstanceTypes LaunchTemplates "
    looks += "SecurityGroups SpotPriceHistory Subnets AvailabilityZones"
    return [
        may(["ec2:RunInstances", "ec2:CreateFleet"], from_),
        may(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            f"{at}:{account}:launch-template/*",
            StringEquals=ours,
            StringLike={f"aws:ResourceTag/{pool}": "*"},
        ),
        may(
            ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
            made,
            StringEquals=asked,
            StringLike={f"aws:RequestTag/{pool}": "*"},
        ),
        may(
            ["ec2:CreateTags"],
            made,
            StringEquals={**asked, "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]},
        ),
        may(
            ["ec2:CreateTags"],
            f"{at}:{account}:instance/*",
            StringEquals=ours,
            **{
                "ForAllValues:StringEquals": {"aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]}
            },
        ),
        may(
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            [f"{at}:{account}:instance/*", f"{at}:{account}:launch-template/*"],
            StringEquals=ours,
        ),
        may([f"ec2:Describe{each}" for each in looks.split()], StringEquals={"aws:RequestedRegion": region}),
        may(["ssm:GetParameter"], f"arn:aws:ssm:{region}::parameter/aws/service/*"),
        may(["pricing:GetProducts"]),
        may(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], queue),
        may(["iam:PassRole"], nodes, StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}),
        may(["iam:GetInstanceProfile"], f"arn:aws:iam::{account}:instance-profile/*"),
        may(["iam:ListInstanceProfiles"]),
        may(["eks:DescribeCluster"], f"arn:aws:eks:{region}:{account}:cluster/{cluster}"),
    ]
