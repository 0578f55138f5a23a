"""Every resource is there for somebody: another resource, a reader of the outputs, or who stands in a table here."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from infra.cost.estimate import kind_of
from infra.plan.graph import Graph, Resource

# Types that only shape or guard what they belong to: they give it no consumer.
SETTINGS: Final = {
    "ecr/lifecyclePolicy",
    "ecr/replicationConfiguration",
    "ecr/repositoryPolicy",
    "kms/alias",
    "s3/bucketLifecycleConfiguration",
    "s3/bucketPolicy",
    "s3/bucketPublicAccessBlock",
    "s3/bucketServerSideEncryptionConfiguration",
    "s3/bucketVersioning",
    "sns/topicPolicy",
    "sqs/queuePolicy",
}
# Types at the end of a chain, and who uses them.
ENDS: Final = {
    "acm/certificateValidation": "the load balancer's listener, by its certificate",
    "backup/selection": "the backup plan",
    "backup/vaultLockConfiguration": "the vault",
    "backup/vaultNotifications": "on-call",
    "budgets/budget": "on-call, by mail",
    "cloudwatch/compositeAlarm": "on-call",
    "cloudwatch/dashboard": "people",
    "cloudwatch/eventTarget": "Karpenter, by its queue",
    "cloudwatch/logDelivery": "people who look for a request",
    "cloudwatch/metricAlarm": "on-call",
    "costexplorer/anomalySubscription": "on-call, by mail",
    "ec2/defaultSecurityGroup": "nobody: it is taken into hand to be empty",
    "ec2/flowLog": "people who look for a connection",
    "ec2/route": "its subnets",
    "ec2/routeTableAssociation": "its subnet",
    "ec2/vpcEndpoint": "pods that call AWS",
    "eks/accessEntry": "the role that it names",
    "eks/accessPolicyAssociation": "the role that it names",
    "eks/addon": "pods",
    "eks/podIdentityAssociation": "the service account that it names",
    "iam/rolePolicy": "its role",
    "iam/rolePolicyAttachment": "its role",
    "rds/eventSubscription": "on-call",
    "rds/instanceAutomatedBackupsReplication": "the second region's drill",
    "rds/proxyTarget": "the proxy",
    "route53/record": "users, by the name",
    "s3/bucketObjectv2": "CloudFront, when nothing else answers",
    "scheduler/schedule": "what it calls",
    "secretsmanager/secretVersion": "external-secrets and the proxy",
    "sns/topicSubscription": "the address that it names",
    "vpc/securityGroupEgressRule": "its group",
    "vpc/securityGroupIngressRule": "its group",
    "wafv2/webAclLoggingConfiguration": "people who look for what was blocked",
    "xray/group": "people who look for slow requests",
    "xray/samplingRule": "the collector of traces",
}


def consumed(graph: Graph) -> set[str]:
    """What another resource, that is more than its setting, or an output takes."""
    real = [each for each in graph.made if kind_of(each) not in SETTINGS]
    exported = re.findall(r"\$\{([^.}]+)\.", json.dumps(graph.exports))
    return {name for each in real for name in each.depends_on} | set(exported)


def idle(graph: Graph) -> list[str]:
    taken = consumed(graph)
    known = ENDS.keys() | SETTINGS
    return [each.name for each in graph.made if each.name not in taken and kind_of(each) not in known]


def test_every_resource_has_a_consumer(stack: Graph) -> None:
    """One without is a bill without a use: wire it, put it behind a switch that is off, or name who uses it here."""
    assert [] == idle(stack)


@pytest.mark.parametrize("kind", ["aws:sqs/queue:Queue", "aws:dynamodb/table:Table", "aws:efs/fileSystem:FileSystem"])
def test_one_without_is_found_whatever_settings_it_has(stack: Graph, kind: str) -> None:
    """A policy of its own gives a queue no reader."""
    lonely = Resource(name="lonely", type=kind)
    policy = Resource(name="lonely-policy", type="aws:sqs/queuePolicy:QueuePolicy", depends_on=("lonely",))
    graph = Graph(stack.project, stack.stack, (*stack.resources, lonely, policy), stack.exports, ())
    assert ["lonely"] == idle(graph)
