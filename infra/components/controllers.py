"""What the controllers in the cluster may do on AWS: pure functions to policy statements, in their makers' words.

From the policies that each publishes, cut to what is used here: no Cognito, no Shield, no WAF classic, no outposts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Statement = dict[str, object]
CLUSTER_TAGS: Final = ("aws:ResourceTag/elbv2.k8s.aws/cluster", "aws:RequestTag/elbv2.k8s.aws/cluster")
LOOKS_OF_BALANCING: Final = (
    "LoadBalancers LoadBalancerAttributes Listeners ListenerAttributes ListenerCertificates SSLPolicies Rules "
    "TargetGroups TargetGroupAttributes TargetHealth Tags TrustStores CapacityReservation"
)
LOOKS_OF_EC2: Final = (
    "AccountAttributes Addresses AvailabilityZones InternetGateways Vpcs VpcPeeringConnections Subnets SecurityGroups "
    "Instances NetworkInterfaces Tags RouteTables"
)
CHANGES_OF_BALANCERS: Final = (
    "ModifyLoadBalancerAttributes SetIpAddressType SetSecurityGroups SetSubnets DeleteLoadBalancer ModifyTargetGroup "
    "ModifyTargetGroupAttributes DeleteTargetGroup RegisterTargets DeregisterTargets ModifyListenerAttributes"
)
CHANGES_OF_LISTENERS: Final = (
    "CreateListener DeleteListener CreateRule DeleteRule ModifyListener AddListenerCertificates "
    "RemoveListenerCertificates ModifyRule SetRulePriorities SetWebAcl"
)


def may(actions: Iterable[str], resources: str | Sequence[str] = "*", **condition: object) -> Statement:
    """A statement that allows `actions` on `resources` where `condition` holds."""
    found: Statement = {
        "Action": list(actions),
        "Resource": [resources] if isinstance(resources, str) else list(resources),
    }
    return {**found, "Condition": condition} if condition else found


def of(service: str, verb: str, names: str) -> list[str]:
    """`ec2:DescribeVpcs` of "ec2", "Describe" and the word "Vpcs"."""
    return [f"{service}:{verb}{name}" for name in names.split()]


def load_balancer(cluster: str, region: str, account: str) -> list[Statement]:
    """AWS Load Balancer Controller: it changes only what bears this cluster's tag, and makes nothing without it."""
    ours = {CLUSTER_TAGS[0]: cluster}
    making = {CLUSTER_TAGS[1]: cluster}
    at = f"arn:aws:elasticloadbalancing:{region}:{account}"
    balancing, groups = (
        [f"{at}:loadbalancer/*", f"{at}:targetgroup/*"],
        f"arn:aws:ec2:{region}:{account}:security-group/*",
    )
    return [
        may(
            ["iam:CreateServiceLinkedRole"],
            StringEquals={"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"},
        ),
        may(
            [
                *of("ec2", "Describe", LOOKS_OF_EC2),
                "ec2:GetSecurityGroupsForVpc",
                *of("elasticloadbalancing", "Describe", LOOKS_OF_BALANCING),
                *("acm:ListCertificates", "acm:DescribeCertificate"),
                *("wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"),
            ]
        ),
        may(["ec2:CreateSecurityGroup"], [groups, f"arn:aws:ec2:{region}:{account}:vpc/*"]),
        may(["ec2:CreateTags"], groups, StringEquals={"ec2:CreateAction": "CreateSecurityGroup", **making}),
        may(["ec2:CreateTags", "ec2:DeleteTags"], groups, StringEquals=ours),
        # Rules of the nodes' group too, which has no such tag: the balancer must reach the pods.
        may(["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"], groups),
        may(["ec2:DeleteSecurityGroup"], groups, StringEquals=ours),
        may(of("elasticloadbalancing", "Create", "LoadBalancer TargetGroup"), StringEquals=making),
        may(["elasticloadbalancing:AddTags"], balancing, StringEquals=making),
        may(["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], balancing, StringEquals=ours),
        may(
            ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            [f"{at}:listener/*", f"{at}:listener-rule/*"],
        ),
        may(of("elasticloadbalancing", "", CHANGES_OF_BALANCERS), StringEquals=ours),
        may(of("elasticloadbalancing", "", CHANGES_OF_LISTENERS)),
    ]


def external_dns(zones: Sequence[str]) -> list[Statement]:
    """ExternalDNS: the records of these hosted zones."""
    return [
        may(["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"], [_zone(zone) for zone in zones]),
        may(["route53:ListHostedZones", "route53:ListTagsForResources"]),
    ]


def cert_manager(zones: Sequence[str]) -> list[Statement]:
    """cert-manager: the TXT records of these zones that prove to a certificate authority that they are ours."""
    texts = {"ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]}}
    each = [_zone(zone) for zone in zones]
    return [
        may(["route53:GetChange"], "arn:aws:route53:::change/*"),
        may(["route53:ChangeResourceRecordSets"], each, **texts),
        may(["route53:ListResourceRecordSets"], each),
        may(["route53:ListHostedZonesByName"]),
    ]


def _zone(zone: str) -> str:
    return f"arn:aws:route53:::hostedzone/{zone}"


def external_secrets(key: str, secrets: Sequence[str], region: str) -> list[Statement]:
    """External Secrets: these secrets, and their key by way of Secrets Manager only."""
    via = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}
    return [
        may(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], secrets),
        may(["kms:Decrypt"], key, StringEquals=via),
    ]


def tracing() -> list[Statement]:
    """ADOT: X-Ray has no resources to name but the sampling rules, which are read."""
    words = "PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets GetSamplingStatisticSummaries"
    return [may(of("xray", "", words))]
