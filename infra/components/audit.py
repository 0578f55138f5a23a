"""The audit archive: lines that are added and read, never changed, by what they are about and when."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.iam import allow, policy
from infra.components.keys import Keys
from infra.components.site import Component, Site

ABOUT: Final = "about"  # "task#7", "user#3": all that happened to one thing is one read, in order
AT: Final = "at"  # RFC 3339 with microseconds and the request's id, so that no two are the same
EXPIRES: Final = "expires_at"  # Unix seconds, as DynamoDB's TTL wants


class Audit(Component):
    """`table` is its name, `arn` for backups; the application may add and read, and neither change nor delete."""

    def __init__(self, site: Site, keys: Keys, app_role: Input[str]) -> None:
        super().__init__("Audit", site)
        name = site.name("audit")
        table = aws.dynamodb.Table(
            name,
            name=name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=ABOUT,
            range_key=AT,
            attributes=[{"name": ABOUT, "type": "S"}, {"name": AT, "type": "S"}],
            ttl={"attribute_name": EXPIRES, "enabled": True},
            point_in_time_recovery={"enabled": True},
            server_side_encryption={"enabled": True, "kms_key_arn": keys.data},
            deletion_protection_enabled=site.platform.keeps_data,
            tags={"Name": name},
            opts=self.kept(),
        )
        may = Output.all(table.arn, keys.data).apply(lambda each: may_add(*each))
        aws.iam.RolePolicy(f"{name}-may", role=app_role, policy=may, opts=self.child())
        self.table, self.arn = table.name, table.arn
        self.register_outputs({"table": self.table})


def may_add(table: str, key: str) -> str:
    """What the application may."""
    return policy(
        allow(["dynamodb:PutItem", "dynamodb:Query"], [table]), allow(["kms:Decrypt", "kms:GenerateDataKey"], [key])
    )
