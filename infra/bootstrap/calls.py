"""What Pulumi's provider calls and AWS's own handlers of the same type do not, by type and the file that calls it.

The provider is Terraform's: the files are those of its repository, hashicorp/terraform-provider-aws, under
internal/service. What touches data is not here: policies.py allows it on our own resources only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Calls(NamedTuple):
    """`actions` as IAM names them, and who says so."""

    source: str
    actions: tuple[str, ...]


# Interfaces that a function leaves behind hold groups and subnets back; the provider takes them away.
_LINGERING: Final = Calls("ec2/vpc_network_interface.go", ("ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface"))
_RULE: Final = Calls("ec2/vpc_security_group_ingress_rule.go", ("ec2:ModifySecurityGroupRules",))

PROVIDER: Final[dict[str, Calls]] = {
    # Not by the provider: CloudWatch Logs asks the log's source, so whoever sets delivery up must be let to it.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-vended-logs-permissions-V2.html
    "cloudwatch/logDelivery": Calls("logs/delivery.go", ("cloudfront:AllowVendedLogDeliveryForResource",)),
    "costexplorer/anomalyMonitor": Calls("ce/tags_gen.go", ("ce:UntagResource",)),
    "ec2/internetGateway": Calls(
        "ec2/vpc_internet_gateway.go", ("ec2:AttachInternetGateway", "ec2:DetachInternetGateway")
    ),
    "ec2/launchTemplate": Calls("ec2/ec2_launch_template.go", ("ec2:ModifyLaunchTemplate",)),
    "ec2/securityGroup": _LINGERING,
    "ec2/subnet": _LINGERING,
    "iam/instanceProfile": Calls("iam/tags.go", ("iam:UntagInstanceProfile",)),
    "s3/bucketObjectv2": Calls("s3/delete.go", ("s3:ListBucketVersions",)),
    "s3/bucketPolicy": Calls("s3/bucket_policy.go", ("s3:DeleteBucketPolicy",)),
    "secretsmanager/secret": Calls("secretsmanager/secret_policy.go", ("secretsmanager:GetResourcePolicy",)),
    "secretsmanager/secretVersion": Calls(
        "secretsmanager/secret_version.go",
        ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
    ),
    "vpc/securityGroupEgressRule": _RULE,
    "vpc/securityGroupIngressRule": _RULE,
}
# What the verbs of infra/ops ask by themselves and only look.
VERBS: Final = ("elasticloadbalancing:Describe*", "tag:GetResources")


def called(kinds: Iterable[str]) -> set[str]:
    """What the provider calls besides for these types."""
    return {action for kind in kinds if kind in PROVIDER for action in PROVIDER[kind].actions}
