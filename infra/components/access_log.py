"""Who asked CloudFront for what: into a bucket, where delivery costs nothing, and gone after the services' own logs."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.bucket import allow_on, bucket
from infra.components.site import Component
from infra.components.zone import GLOBAL

NOTHING_LEFT_D = 7  # days that an overwritten or deleted file can be had again


def access_log(of: Component, distribution: Input[str]) -> None:
    """Write the requests of a distribution down; all of it is in us-east-1, as CloudFront wants."""
    name, args, part = of.site.name("edge", "log"), aws.cloudwatch, "edge-logs"
    files = bucket(of, part, None, of.child())
    aws.s3.BucketLifecycleConfiguration(
        f"{of.site.name(part)}-end",
        bucket=files.name,
        rules=[
            {
                "id": "end",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": of.site.platform.log_days},
                "noncurrent_version_expiration": {"noncurrent_days": NOTHING_LEFT_D},
            }
        ],
        opts=of.child(files.versions),
    )
    source = args.LogDeliverySource(
        f"{name}-source",
        name=f"{name}-source",
        log_type="ACCESS_LOGS",
        resource_arn=distribution,
        region=GLOBAL,
        opts=of.child(),
    )
    whole = Output.all(files.arn, source.arn, of.site.account).apply(lambda each: may_write(*each))
    may = allow_on(of, part, files, whole)
    destination = args.LogDeliveryDestination(
        f"{name}-to",
        name=f"{name}-to",
        output_format="json",
        delivery_destination_configuration={"destination_resource_arn": files.arn},
        region=GLOBAL,
        opts=of.child(),
    )
    args.LogDelivery(
        name,
        delivery_source_name=source.name,
        delivery_destination_arn=destination.arn,
        region=GLOBAL,
        opts=of.child(may),  # else AWS writes a policy of its own, which ours then overwrites
    )


def may_write(bucket: str, source: str, account: str) -> dict[str, object]:
    """A statement that lets AWS's delivery put what comes of one source."""
    return {
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": f"{bucket}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": source}},
    }
