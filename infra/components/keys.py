"""The keys that encrypt what is stored: for data, for logs and for what people are told, as not the same read each."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.iam import policy
from infra.components.site import Component, Site
from infra.config.base import Region

# Services of AWS that say something on the topic of whoever is on call.
SPEAKERS: Final = ("budgets", "cloudwatch", "costalerts", "events.rds")
# EventBridge speaks too, but for which account it does not say: a condition on that would let it say nothing.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
EVENTS: Final = "events.amazonaws.com"
WAIT_DAYS: Final = 30  # between the order to delete a key and its end, the longest that AWS offers


class Keys(Component):
    """`data`, `logs` and `alerts` are ARNs."""

    def __init__(self, site: Site) -> None:
        super().__init__("Keys", site)
        self.data = self._key("data", [])
        self.logs = self._key("logs", [_log_service(site)])
        self.alerts = self._key("alerts", [_speakers(site), _events()])
        self.register_outputs({"data": self.data, "logs": self.logs, "alerts": self.alerts})

    def _key(self, purpose: str, statements: list[dict[str, object]]) -> Output[str]:
        name = self.site.name("key", purpose)
        key = aws.kms.Key(
            name,
            description=f"{self.site.prefix}: {purpose}",
            enable_key_rotation=True,
            multi_region=purpose == "data" and self.site.platform.recovery.copy_to is not None,
            deletion_window_in_days=WAIT_DAYS,
            policy=policy(account_statement(self.site), *statements),
            tags={"Name": name},
            opts=self.kept(),
        )
        aws.kms.Alias(f"{name}-alias", name=f"alias/{name}", target_key_id=key.key_id, opts=self.child())
        return key.arn

    def replica(self, of: Component, region: Region) -> Output[str]:
        """The same key as `data` in another region, for what is copied there; a child of `of`."""
        name = self.site.name("key", "data", "replica")
        key = aws.kms.ReplicaKey(
            name,
            primary_key_arn=self.data,
            description=f"{self.site.prefix}: data, in {region}",
            deletion_window_in_days=WAIT_DAYS,
            policy=policy(account_statement(self.site)),
            region=region,
            tags={"Name": name},
            opts=of.kept(),
        )
        return key.arn


def account_statement(site: Site) -> dict[str, object]:
    """Leave it to IAM who of this account uses the key; a key whose policy names nobody can never be changed again."""
    return {"Principal": {"AWS": f"arn:aws:iam::{site.account}:root"}, "Action": "kms:*", "Resource": "*"}


def _log_service(site: Site) -> dict[str, object]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
    return {
        "Principal": {"Service": f"logs.{site.region}.amazonaws.com"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",  # of a key policy: this key
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": site.arn("logs", "*")}},
    }


def _events() -> dict[str, object]:
    """As `_speakers`, for rules of EventBridge."""
    return {"Principal": {"Service": EVENTS}, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*"}


def _speakers(site: Site) -> dict[str, object]:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: who publishes must be let to the key too."""
    return {
        "Principal": {"Service": [f"{each}.amazonaws.com" for each in SPEAKERS]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",  # of a key policy: this key
        "Condition": {"StringEquals": {"aws:SourceAccount": site.account}},
    }
