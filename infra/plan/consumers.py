"""Who uses what a plan makes: another resource of it, a reader of its exports, or one that is named here.

A setting is part of the one thing that it changes, and using it means nothing: a bucket with a policy may still be
read by nobody. A link joins what it names, and so uses it. What neither another resource nor an export needs stands in
ENDS with what uses it, and the file that shows so.
"""

from __future__ import annotations

import json
from typing import Final

from infra.plan.graph import Graph, Resource

SETTINGS: Final = (
    *("backup/vaultLockConfiguration", "cloudwatch/logResourcePolicy"),
    *("ecr/lifecyclePolicy", "ecr/replicationConfiguration", "ecr/repositoryPolicy", "efs/fileSystemPolicy"),
    *("iam/rolePolicy", "iam/rolePolicyAttachment", "kms/alias", "s3/bucketLifecycleConfiguration", "s3/bucketPolicy"),
    *("s3/bucketPublicAccessBlock", "s3/bucketServerSideEncryptionConfiguration", "s3/bucketVersioning"),
    *("secretsmanager/secretVersion", "sns/topicPolicy", "sqs/queuePolicy", "vpc/securityGroupEgressRule"),
    *("vpc/securityGroupIngressRule",),
)
LINKS: Final = (
    *(
        "apigatewayv2/route",
        "apigatewayv2/stage",
        "acm/certificateValidation",
        "backup/plan",
        "backup/selection",
        "cloudwatch/eventRule",
        "cloudwatch/eventTarget",
    ),
    *("cloudwatch/logDelivery", "costexplorer/anomalySubscription", "ec2/defaultSecurityGroup", "ec2/flowLog"),
    *("ec2/route", "ec2/routeTableAssociation", "ec2/vpcEndpoint", "efs/mountTarget", "eks/accessEntry"),
    *("eks/accessPolicyAssociation", "eks/addon", "eks/podIdentityAssociation", "rds/eventSubscription"),
    *("rds/instanceAutomatedBackupsReplication", "rds/proxyDefaultTargetGroup", "rds/proxyTarget"),
    *("scheduler/schedule", "sns/topicSubscription", "wafv2/webAclLoggingConfiguration"),
)
# Kind → who uses it, and the file that shows so.
ENDS: Final[dict[str, tuple[str, str]]] = {
    "budgets/budget": ("whoever is on call, by mail", "infra/components/spending.py"),
    "cloudwatch/compositeAlarm": ("whoever is on call", "infra/components/oncall.py"),
    "cloudwatch/dashboard": ("whoever is on call", "infra/components/dashboard.py"),
    "cloudwatch/metricAlarm": ("whoever is on call", "infra/components/oncall.py"),
    "eks/nodeGroup": ("the system's pods", "infra/components/nodes.py"),
    "route53/record": ("users, CloudFront and ACM, by name", "docs/how-to/edge.md"),
    "s3/bucketObjectv2": ("CloudFront, when no region answers", "infra/edge/unavailable.json"),
}


def unused(graph: Graph) -> list[Resource]:
    """What nobody uses, as far as the graph and these tables tell."""
    needed = {name for each in graph.made if not _is(each, SETTINGS) for name in each.depends_on}
    exported = json.dumps(graph.exports)
    return [
        each
        for each in graph.made
        if each.name not in needed and f"${{{each.name}." not in exported and not _is(each, (*SETTINGS, *LINKS, *ENDS))
    ]


def _is(resource: Resource, kinds: tuple[str, ...]) -> bool:
    return any(f":{kind}:" in f":{resource.type}:" for kind in kinds)
