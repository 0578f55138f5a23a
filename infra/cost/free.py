"""Types that cost nothing, with the reason, and what is not priced, never left out in silence."""

from __future__ import annotations

from typing import Final

_PLAIN: Final = "AWS takes nothing for it"
FREE: Final[dict[str, str]] = {
    "cloudwatch/logResourcePolicy": _PLAIN,
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
    "eks/accessEntry": _PLAIN,
    "eks/accessPolicyAssociation": _PLAIN,
    "eks/addon": "runs on the nodes; those of AWS itself are free",
    "eks/podIdentityAssociation": _PLAIN,
    "elasticache/subnetGroup": _PLAIN,
    "elasticache/user": _PLAIN,
    "elasticache/userGroup": _PLAIN,
    "iam/policy": _PLAIN,
    "iam/role": _PLAIN,
    "iam/rolePolicy": _PLAIN,
    "iam/rolePolicyAttachment": _PLAIN,
    "kms/alias": _PLAIN,
    "rds/parameterGroup": _PLAIN,
    "rds/proxyDefaultTargetGroup": "the proxy pays",
    "rds/proxyTarget": "the proxy pays",
    "rds/subnetGroup": _PLAIN,
    "secretsmanager/secretVersion": "its secret pays",
    "vpc/securityGroupEgressRule": _PLAIN,
    "vpc/securityGroupIngressRule": _PLAIN,
}

# Types whose price the book lacks or whose use nobody knows yet: each estimate lists those that it has.
NOT_PRICED: Final[dict[str, str]] = {}

# What belongs to no resource and is in no total.
ASIDE: Final = (
    "taxes, support plans and free tiers",
    "ElastiCache's snapshots and RDS's Enhanced Monitoring (no price in the book)",
    "a second and third key generation of KMS keys that turned",
)
