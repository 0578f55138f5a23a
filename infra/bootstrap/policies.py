"""What the roles of an account may do, as pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from infra.bootstrap.calls import VERBS
from infra.bootstrap.derive import DATA, SERVICES_OF_DATA, Permissions
from infra.bootstrap.names import boundary_arn
from infra.components.controllers import Statement, may
from infra.components.iam import policy
from infra.components.release import LOOKS
from infra.components.watch import DEPLOYS

LIMIT: Final = 6144  # characters of a managed policy, without white space
ROLES: Final = ("break-glass", "deploy", "plan", "review")
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
VALUES: Final = ("secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue")
OPENED: Final = {"kms:Decrypt", "s3:GetObject", "s3:GetObjectVersion", "secretsmanager:GetSecretValue"}  # some of it
# What ends a backup before its time, or the key that opens it. A vault's lock in governance mode does not hold who may
# lift it, as whoever changes `recovery.keep_days` must.
FORGETS: Final = (
    "backup:DeleteRecoveryPoint",
    "backup:DisassociateRecoveryPoint",
    "backup:UpdateRecoveryPointLifecycle",
    "kms:ScheduleKeyDeletion",
)
EMPTIES: Final = ("ecr:BatchDeleteImage", "backup:DeleteRecoveryPoint")

AUTO_MODE: Final = [
    f"iam:{verb}InstanceProfile" for verb in ("AddRoleTo", "Create", "Delete", "Get", "RemoveRoleFrom", "Tag")
]


def ours(kind: str, account: str, name: str) -> str:
    """ARN of all that begins with our name and IAM keeps."""
    return f"arn:aws:iam::{account}:{kind}/{name}-*"


def reads(found: Permissions, account: str, name: str) -> Iterator[Statement]:
    """Look at everything of the services that are used, but not into what they keep, except what a program wrote there.

    The provider reads a secret's value back whenever it makes, compares or deletes one, and the head of a file. Both
    are in the stack's own file too, for whoever may open the state.
    """
    certain = [each for each in found.read if each.partition(":")[0] in SERVICES_OF_DATA and ":Get" in each]
    yield may([*found.looks, *certain, *BUCKET_LOOKS, *VERBS])
    own = f"arn:aws:secretsmanager:*:{account}:secret:{name}-*"
    yield may(["secretsmanager:GetSecretValue"], own)
    yield {"Effect": "Deny", "Action": list(VALUES), "NotResource": [own]}
    yield may(["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"], program_files(name))
    via = {"kms:ViaService": [f"{each}.*.amazonaws.com" for each in ("s3", "secretsmanager")]}
    yield may(["kms:Decrypt"], StringLike=via)
    yield {"Effect": "Deny", **may(sorted(DATA - OPENED))}


def reviews(account: str, name: str) -> Iterator[Statement]:
    """What `release plan` asks for a pull request, whose code nobody has read: no state, no Secret, no file.

    The load balancer's rules say which keys they ask for, CloudFront's and the preview's. The rest it asks the cluster,
    where infra/addons/application.py lets it look at the application.
    """
    yield may(["eks:DescribeCluster"], f"arn:aws:eks:*:{account}:cluster/{name}-*")
    yield may([f"elasticloadbalancing:Describe{each}" for each in LOOKS])


def program_files(name: str) -> list[str]:
    """What programs themselves put into buckets or take from there, as ARNs: the rest belongs to users."""
    return [f"arn:aws:s3:::{name}-*-{part}" for part in ("static-*/static/*", "archive-*/functions/*")]


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
    yield may(["s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObjectVersion"], program_files(name))
    yield may(["cloudwatch:PutMetricData"], StringEquals={"cloudwatch:namespace": DEPLOYS[0]})


def empties(name: str) -> Iterator[Statement]:
    """Empty and unlock what a teardown ends: only where no environment keeps its data."""
    yield may(["s3:DeleteObjectVersion"], f"arn:aws:s3:::{name}-*")
    yield may(EMPTIES)
    own = [f"arn:aws:dynamodb:*:*:table/{name}-*", f"arn:aws:rds:*:*:db:{name}-*"]
    yield may(["dynamodb:DescribeTable", "dynamodb:UpdateTable", "rds:StartDBInstance"], own)


def forgets_nothing() -> Statement:
    """No backup ends before its time by this role, nor by any that it makes."""
    return {"Effect": "Deny", **may(FORGETS)}


BOUND: Final = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
ASIDE: Final = ("iam:PassRole", "iam:CreateServiceLinkedRole", "iam:DeleteRolePermissionsBoundary")
SEALED: Final = (
    *("secretsmanager", "rds", "elasticache", "ecr", "sqs", "sns", "dynamodb", "s3", "logs", "eks", "backup", "lambda"),
)


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


def boundary(account: str, name: str, regions: Sequence[str], *, keeps_data: bool) -> str:
    """The most that any role which a program makes can do, whatever policy it has.

    Nothing about identities but to hand on our own roles, nothing about the account, nothing elsewhere, and no end of
    a backup where data is kept.
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
        *([forgets_nothing()] if keeps_data else []),
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
