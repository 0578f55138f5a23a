"""Types that cost nothing, with the reason, and what is not priced, never left out in silence."""

from __future__ import annotations

from typing import Final

_PLAIN: Final = "AWS takes nothing for it"
FREE: Final[dict[str, str]] = {
    "acm/certificate": "public certificates are free",
    "acm/certificateValidation": "waits, and makes nothing",
    "apigatewayv2/apiMapping": _PLAIN,
    "apigatewayv2/authorizer": _PLAIN,
    "apigatewayv2/domainName": _PLAIN,
    "apigatewayv2/integration": _PLAIN,
    "apigatewayv2/route": _PLAIN,
    "apigatewayv2/stage": _PLAIN,
    "apigatewayv2/vpcLink": _PLAIN,
    "backup/selection": _PLAIN,
    "backup/vault": _PLAIN,
    "backup/vaultLockConfiguration": _PLAIN,
    "backup/vaultNotifications": "its topic pays",
    "backup/vaultPolicy": _PLAIN,
    "budgets/budget": "free as long as it does nothing but warn",
    "cloudfront/cachePolicy": _PLAIN,
    "cloudfront/originAccessControl": _PLAIN,
    "cloudfront/originRequestPolicy": _PLAIN,
    "cloudfront/responseHeadersPolicy": _PLAIN,
    "cloudwatch/eventRule": _PLAIN,
    "cloudwatch/eventTarget": _PLAIN,
    "cloudwatch/logDelivery": "into a bucket, which pays",
    "cloudwatch/logDeliveryDestination": _PLAIN,
    "cloudwatch/logDeliverySource": _PLAIN,
    "cloudwatch/logResourcePolicy": _PLAIN,
    "costexplorer/anomalyMonitor": _PLAIN,
    "costexplorer/anomalySubscription": _PLAIN,
    "ec2/defaultSecurityGroup": _PLAIN,
    "ec2/flowLog": "its log group pays",
    "ec2/internetGateway": _PLAIN,
    "ec2/launchTemplate": "its machines pay",
    "ec2/route": _PLAIN,
    "ec2/routeTable": _PLAIN,
    "ec2/routeTableAssociation": _PLAIN,
    "ec2/securityGroup": _PLAIN,
    "ec2/subnet": _PLAIN,
    "ec2/vpc": _PLAIN,
    "ecr/lifecyclePolicy": _PLAIN,
    "ecr/replicationConfiguration": "what it copies is counted with the images",
    "ecr/repositoryPolicy": _PLAIN,
    "efs/accessPoint": _PLAIN,
    "efs/backupPolicy": _PLAIN,
    "efs/fileSystemPolicy": _PLAIN,
    "efs/mountTarget": _PLAIN,
    "eks/accessEntry": _PLAIN,
    "eks/accessPolicyAssociation": _PLAIN,
    "eks/addon": "runs on the nodes; those of AWS itself are free",
    "eks/podIdentityAssociation": _PLAIN,
    "elasticache/subnetGroup": _PLAIN,
    "elasticache/user": _PLAIN,
    "elasticache/userGroup": _PLAIN,
    "iam/instanceProfile": _PLAIN,
    "iam/openIdConnectProvider": _PLAIN,
    "iam/policy": _PLAIN,
    "iam/role": _PLAIN,
    "iam/rolePolicy": _PLAIN,
    "iam/rolePolicyAttachment": _PLAIN,
    "kms/alias": _PLAIN,
    "lambda/functionEventInvokeConfig": _PLAIN,
    "lambda/permission": _PLAIN,
    "rds/eventSubscription": "its topic pays",
    "rds/parameterGroup": _PLAIN,
    "rds/proxyDefaultTargetGroup": "the proxy pays",
    "rds/proxyTarget": "the proxy pays",
    "rds/subnetGroup": _PLAIN,
    "route53/record": _PLAIN,
    "s3/bucketLifecycleConfiguration": _PLAIN,
    "s3/bucketObjectv2": "its bucket pays",
    "s3/bucketOwnershipControls": _PLAIN,
    "s3/bucketPolicy": _PLAIN,
    "s3/bucketPublicAccessBlock": _PLAIN,
    "s3/bucketServerSideEncryptionConfiguration": _PLAIN,
    "s3/bucketVersioning": _PLAIN,
    "scheduler/schedule": "some calls a day, under a cent a month",
    "secretsmanager/secretVersion": "its secret pays",
    "sns/topicPolicy": _PLAIN,
    "sns/topicSubscription": "its topic pays; e-mail and SQS add nothing",
    "sqs/queuePolicy": _PLAIN,
    "sqs/redriveAllowPolicy": _PLAIN,
    "sqs/redrivePolicy": _PLAIN,
    "vpc/securityGroupEgressRule": _PLAIN,
    "vpc/securityGroupIngressRule": _PLAIN,
    "wafv2/webAclAssociation": _PLAIN,
    "wafv2/webAclLoggingConfiguration": "its log group pays",
    "xray/group": "a view of traces that are paid for",
}

IN_THE_CLUSTER: Final = "kubernetes:"  # begins types that run on nodes, which are priced


def is_free(kind: str) -> bool:
    """Whether a type costs nothing of its own."""
    return kind in FREE or kind.startswith(IN_THE_CLUSTER)


# Types whose price the book lacks or whose use nobody knows yet: each estimate lists those that it has.
NOT_PRICED: Final[dict[str, str]] = {}

# What belongs to no resource and is in no total.
ASIDE: Final = (
    "taxes, support plans and free tiers",
    "ElastiCache's snapshots and RDS's Enhanced Monitoring (no price in the book)",
    "a second and third key generation of KMS keys that turned",
    "Prometheus' internal load balancer where `cluster.private_from` names networks: about 17 dollars for each stack",
)
