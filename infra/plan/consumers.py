"""Who uses what a plan makes: another resource of it, a reader of its exports, or one that is named here.

A setting is part of the one thing that it changes, and using it means nothing: a bucket with a policy may still be
read by nobody. A link joins what it names, and so uses it. An export is a use only if somebody reads it: READERS names
the file and the words in it. What neither another resource nor such an export needs stands in ENDS with what uses it,
and the file that shows so.
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
    *(
        "rds/eventSubscription",
        "secretsmanager/secretVersion",
        "sns/topicPolicy",
        "sqs/queuePolicy",
        "vpc/securityGroupEgressRule",
    ),
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
    *("eks/accessPolicyAssociation", "eks/addon", "eks/podIdentityAssociation"),
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
# Export → the file that reads it, and the words by which it does.
APPLICATION, CHARTS, VARIABLES = (
    "infra/addons/application.py",
    "infra/addons/program.py",
    ".github/workflows/release.yml",
)
EDGE: Final = "docs/how-to/edge.md"
READERS: Final[dict[str, tuple[str, str]]] = {
    "vpc": (CHARTS, "vpc=said.vpc"),
    "private_subnets": (CHARTS, "said.private_subnets"),
    "database_host": (APPLICATION, "said.database_host"),
    "database_secret": (APPLICATION, "said.database_secret"),
    "database_app_secret": (APPLICATION, "said.database_app_secret"),
    "database_arn": ("infra/config/database.py", "replica_of:"),
    "cache_host": (APPLICATION, "said.cache_host"),
    "cache_secret": (APPLICATION, "said.cache_secret"),
    "cluster_name": (CHARTS, "said.cluster_name"),
    "cluster_endpoint": (CHARTS, "said.cluster_endpoint"),
    "cluster_ca": (CHARTS, "said.cluster_ca"),
    "node_groups": (CHARTS, "said.node_groups"),
    "node_profile": (CHARTS, "said.node_profile"),
    "node_role": (CHARTS, "said.node_role"),
    "interruptions": (CHARTS, "queue=said.interruptions"),
    "app_secret": (APPLICATION, "said.app_secret"),
    "archive_bucket": ("docs/how-to/archive.md", "pulumi stack output archive_bucket"),
    "zone": ("infra/config/edge.py", "zone_id:"),
    "ingress": ("docs/how-to/first-deployment-aws.md", "pulumi stack output ingress"),
    "static_bucket": (EDGE, "`static_bucket`"),
    "distribution": (EDGE, "`distribution`"),
    "image_repository": (VARIABLES, "vars.IMAGE_REPOSITORY"),
    "push_role": (VARIABLES, "vars.AWS_PUSH_ROLE"),
    "release_role": (VARIABLES, "vars.AWS_DEPLOY_ROLE"),
}
# Export → why nobody reads it; what it names is used by something else, or stands behind a switch that is off.
UNREAD: Final[dict[str, str]] = {
    "region": "stands in the stack file too",
    "database_clients": "the nodes have the group from the program itself",
    "cache_clients": "as above",
    "app_role": "the program itself gives it rights",
    "database_readers": "the application has no setting for reads that may lag",
    "events_topic": "the application speaks of no events",
    "audit_table": "the application keeps no audit",
    "exports_point": "the application writes no exports",
    "partners_url": "no partner has tokens",
}


def unused(graph: Graph) -> list[Resource]:
    """What nobody uses, as far as the graph and these tables tell."""
    needed = {name for each in graph.made if not _is(each, SETTINGS) for name in each.depends_on}
    exported = json.dumps({name: value for name, value in graph.exports.items() if name in READERS})
    return [
        each
        for each in graph.made
        if each.name not in needed and f"${{{each.name}." not in exported and not _is(each, (*SETTINGS, *LINKS, *ENDS))
    ]


def _is(resource: Resource, kinds: tuple[str, ...]) -> bool:
    return any(f":{kind}:" in f":{resource.type}:" for kind in kinds)
