"""S3 buckets that nobody reads by mistake: not public, encrypted, with versions, by TLS only."""

from __future__ import annotations

from typing import NamedTuple

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.iam import policy
from infra.components.site import Component


class Made(NamedTuple):
    """A bucket and what is said of it."""

    bucket: aws.s3.Bucket
    name: Output[str]
    arn: Output[str]
    versions: aws.s3.BucketVersioning  # first, for what speaks of versions


def bucket(of: Component, part: str, key: Input[str] | None, opts: pulumi.ResourceOptions) -> Made:
    """A new bucket; encrypted by `key`, or by S3's own where whoever reads it has no key of ours."""
    name, args = of.site.name(part), aws.s3
    made = args.Bucket(name, tags={"Name": name}, opts=opts)
    args.BucketPublicAccessBlock(
        f"{name}-closed",
        bucket=made.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=of.child(),
    )
    by = args.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms" if key else "AES256", kms_master_key_id=key
    )
    args.BucketServerSideEncryptionConfiguration(
        f"{name}-sealed",
        bucket=made.id,
        rules=[
            args.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=by,
                bucket_key_enabled=key is not None,  # one call of KMS for many objects
            )
        ],
        opts=of.child(),
    )
    versions = args.BucketVersioning(
        f"{name}-versions",
        bucket=made.id,
        versioning_configuration=args.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=of.child(),
    )
    return Made(made, made.id, made.arn, versions)


def allow_on(of: Component, part: str, made: Made, *statements: Input[dict[str, object]]) -> aws.s3.BucketPolicy:
    """The bucket's policy: these statements, and nothing without TLS."""
    whole = Output.all(made.arn, *statements)
    return aws.s3.BucketPolicy(
        of.site.name(part, "policy"),
        bucket=made.name,
        policy=whole.apply(lambda each: policy(only_tls(each[0]), *each[1:])),
        opts=of.child(),
    )


def only_tls(arn: str) -> dict[str, object]:
    """Deny everybody who comes in clear."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
