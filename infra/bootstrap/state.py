"""Where every program keeps its state: a bucket with all its versions, and the key that seals the secrets in it."""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Output

from infra.components.bucket import allow_on, bucket
from infra.components.iam import policy
from infra.components.keys import WAIT_DAYS, account_statement
from infra.components.site import Component, Site

ALIAS: Final = "state"


class State(Component):
    """`url` is what `pulumi login` takes, `secrets` what `pulumi stack init --secrets-provider` takes."""

    def __init__(self, site: Site, name: str, days: int) -> None:
        super().__init__("State", site)
        kept = pulumi.ResourceOptions(parent=self, protect=True)  # of every environment's
        title = site.name("state")
        key = aws.kms.Key(
            f"{title}-key",
            description=f"{name}: Pulumi's state and its secrets",
            enable_key_rotation=True,
            deletion_window_in_days=WAIT_DAYS,
            policy=policy(account_statement(site)),
            tags={"Name": f"{title}-key"},
            opts=kept,
        )
        alias = aws.kms.Alias(f"{title}-alias", name=f"alias/{name}-{ALIAS}", target_key_id=key.key_id, opts=kept)
        made = bucket(self, "state", key.arn, kept)
        allow_on(self, "state", made)
        aws.s3.BucketLifecycleConfiguration(
            f"{title}-life",
            bucket=made.name,
            rules=[_forget(days)],
            opts=self.child(made.versions),
        )
        self.key, self.bucket = key.arn, made.arn
        self.url = Output.concat("s3://", made.name, f"?region={site.region}")
        self.secrets = Output.concat("awskms://", alias.name, f"?region={site.region}")
        self.register_outputs({"url": self.url})


def _forget(days: int) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    """Old versions go after `days`; the newest stays, whatever its age."""
    args = aws.s3
    return args.BucketLifecycleConfigurationRuleArgs(
        id="old-versions",
        status="Enabled",
        filter=args.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        noncurrent_version_expiration=args.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=days
        ),
    )
