"""What the roles of an account may do, as pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from infra.bootstrap.derive import DATA, Permissions
from infra.bootstrap.names import boundary_arn
from infra.components.controllers import Statement, may
from infra.components.iam import policy

LIMIT: Final = 6144  # characters of a managed policy, without white space
ROLES: Final = ("break-glass", "deploy", "plan")
BOUNDARY: Final = "boundary"
# Services that a role of ours is handed to.
TAKERS: Final = tuple(
    f"{each}.amazonaws.com"
    for each in (
        *("apigateway", "backup", "ec2", "eks", "events", "lambda", "monitoring.rds", "pods.eks", "rds", "scheduler"),
        "vpc-flow-logs",
    )
)
NEVER: Final = ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "organizations:LeaveOrganization")
# Pulumi's provider looks at more of a bucket than AWS's own handlers do.
BUCKET_LOOKS: Final = ("s3:GetBucket*", "s3:Get*Configuration")
SERVICES_OF_DATA: Final = ("dynamodb", "kms", "s3", "secretsmanager", "sqs")  # their Get* gives data


AUTO_MODE: Final = [
    f"iam:{verb}InstanceProfile" for verb in ("AddRoleTo", "Create", "Delete", "Get", "RemoveRoleFrom", "Tag")
]


def ours(kind: str, account: str, name: str) -> str:
    """ARN of all that begins with our name and IAM keeps."""
    return f"arn:aws:iam::{account}:{kind}/{name}-*"


def reads(found: Permissions) -> Iterator[Statement]:
    """Look at everything of the services that are used, but not into what they keep."""
    services = sorted({each.partition(":")[0] for each in (*found.read, *found.write)})
    looks = [f"{service}:{verb}*" for service in services for verb in ("Describe", "List")]
    looks += [f"{service}:Get*" for service in services if service not in SERVICES_OF_DATA]
    certain = [each for each in found.read if each.partition(":")[0] in SERVICES_OF_DATA and ":Get" in each]
    yield may([*looks, *certain, *BUCKET_LOOKS])
    yield {"Effect": "Deny", **may(sorted(DATA - {"kms:Decrypt", "s3:GetObject", "s3:GetObjectVersion"}))}


def writes(found: Permissions, regions: Sequence[str], account: str, name: str) -> Iterator[Statement]:
    """Make, change and delete what the graphs have, where it belongs; of IAM only what bears our name."""
    own = [ours(kind, account, name) for kind in ("role", "policy", "instance-profile")]
    iam = [each for each in found.write if each.startswith("iam:")]
    rest = [each for each in found.write if not each.startswith("iam:")]
    where = sorted({*regions, "us-east-1"})  # what has no region is made there
    yield may(rest, StringEquals={"aws:RequestedRegion": where})
    yield may([each for each in iam if each not in BOUND and each not in ASIDE], own)
    bounded = {"iam:PermissionsBoundary": boundary_arn(account, name)}
    yield may(BOUND, own[:1], StringEquals=bounded)
    yield may(["iam:PassRole"], own[:1], StringEquals={"iam:PassedToService": list(TAKERS)})
    yield may(["iam:CreateServiceLinkedRole"], f"arn:aws:iam::{account}:role/aws-service-role/*")
    via = {"kms:ViaService": [f"{service}.{region}.amazonaws.com" for service in SEALED for region in regions]}
    yield may(["kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"], StringEquals=via)


BOUND: Final = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
ASIDE: Final = ("iam:PassRole", "iam:CreateServiceLinkedRole", "iam:DeleteRolePermissionsBoundary")
SEALED: Final = ("secretsmanager", "rds", "elasticache", "ecr", "sqs", "sns", "dynamodb", "s3", "logs", "eks", "backup")


def keeps(bucket: str, key: str) -> Iterator[Statement]:
    """Read and write the state, and open the secrets in it."""
    yield may(["s3:ListBucket"], bucket)
    yield may(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{bucket}/*")
    yield may(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], key)


def looks_at_state(bucket: str, key: str) -> Iterator[Statement]:
    """Read the state; a preview opens the secrets in it."""
    yield may(["s3:ListBucket"], bucket)
    yield may(["s3:GetObject"], f"{bucket}/*")
    yield may(["kms:Decrypt"], key)


def not_itself(account: str, name: str, bucket: str, key: str) -> Iterator[Statement]:
    """No program changes who may run it, nor ends what remembers what it made."""
    roles = [f"arn:aws:iam::{account}:role/{name}-{role}" for role in ROLES]
    fixed = [
        *roles,
        f"arn:aws:iam::{account}:policy/{name}-{BOUNDARY}",
        f"arn:aws:iam::{account}:policy/{name}-deploy-*",
    ]
    yield {"Effect": "Deny", **may(["iam:*"], fixed)}
    yield {"Effect": "Deny", **may(["s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"], bucket)}
    yield {"Effect": "Deny", **may(["s3:DeleteObjectVersion"], f"{bucket}/*")}
    yield {"Effect": "Deny", **may(["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy"], key)}
    yield {"Effect": "Deny", **may(NEVER)}


def boundary(account: str, name: str, regions: Sequence[str]) -> str:
    """The most that any role which a program makes can do, whatever policy it has.

    Nothing about identities but to hand on our own roles, nothing about the account, nothing elsewhere.
    """
    beyond = ["account:*", "aws-portal:*", "iam:*", "organizations:*", "sts:AssumeRole"]
    own = ours("role", account, name)
    return policy(
        {"NotAction": beyond, "Resource": "*"},
        may(["iam:PassRole"], own),
        may(["iam:GetInstanceProfile"], ours("instance-profile", account, name)),
        may(AUTO_MODE, f"arn:aws:iam::{account}:instance-profile/eks*"),
        may(["iam:ListInstanceProfiles", "iam:ListServerCertificates"]),
        may(["iam:CreateServiceLinkedRole"], f"arn:aws:iam::{account}:role/aws-service-role/*"),
        {
            "Effect": "Deny",
            "NotAction": ["cloudfront:*", "route53:*", "wafv2:*", "iam:*", "sts:*", "pricing:*", "s3:*"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": sorted({*regions, "us-east-1"})}},
        },
    )


def packed(statements: Sequence[Statement]) -> list[str]:
    """Policies of these statements, each short enough; a statement that is not is cut between its actions."""
    pieces = [piece for statement in statements for piece in _cut(statement)]
    whole: list[list[Statement]] = [[]]
    for piece in pieces:
        if whole[-1] and _length([*whole[-1], piece]) > LIMIT:
            whole.append([])
        whole[-1].append(piece)
    return [policy(*each) for each in whole]


def _cut(statement: Statement) -> list[Statement]:
    if _length([statement]) <= LIMIT:
        return [statement]
    actions = statement["Action"]
    assert isinstance(actions, list)
    half = len(actions) // 2
    return [*_cut({**statement, "Action": actions[:half]}), *_cut({**statement, "Action": actions[half:]})]


def _length(statements: Sequence[Statement]) -> int:
    return len("".join(json.dumps(json.loads(policy(*statements)), separators=(",", ":")).split()))
