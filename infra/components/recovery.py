"""Backups apart from what they are of: a locked vault, its copy in a second region, and who hears of failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.iam import assumed_by
from infra.components.keys import Keys
from infra.components.roles import granted
from infra.components.site import Component, Site
from infra.config.base import Region

DAILY: Final = "cron(0 5 * * ? *)"  # UTC, after RDS's own
MONTHLY: Final = "cron(0 5 1 * ? *)"
START_MINUTES, END_MINUTES = 60, 600
# That a lock holds. It is in governance mode: who may lift it can. To end what is in it the bootstrap program denies to
# the role that deploys and to all that it makes.
SHORTEST_DAYS: Final = 1
MONTH_DAYS: Final = 31
FAILED: Final = ("FAILED", "ABORTED", "EXPIRED")
# Kind of job → the word under which its event says how it ended. A vault's own notifications of failures are no longer
# sent: https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultNotifications.html.
JOBS: Final = {"Backup": "state", "Copy": "state", "Restore": "status"}
RIGHTS: Final = "service-role/AWSBackupServiceRolePolicyForBackup"


class Recovery(Component):
    """Backs up `stateful`, ARNs of all that cannot be made again; failures are said on `topic`.

    Of the database these are snapshots: were AWS Backup to keep it restorable to any second, it would take RDS's own
    backups over from the stack.
    """

    def __init__(self, site: Site, keys: Keys, topic: Input[str], stateful: Sequence[Input[str]]) -> None:
        super().__init__("Recovery", site)
        self.config = site.platform.recovery
        self.copy: Output[str] | None = None  # the vault in the second region
        self.copy_key: Output[str] | None = None
        vault = self._vault("vault", keys.data, site.region)
        if self.config.copy_to:
            self.copy_key = keys.replica(self, self.config.copy_to)
            self.copy = self._vault("vault-copy", self.copy_key, self.config.copy_to).arn
        self._say_failures(topic)
        self._selection(self._plan(vault.name), stateful)

    def replicate(self, instance: Input[str], days: int) -> None:
        """Let RDS copy the backups of an instance to the second region, to be restored there to any second."""
        assert self.config.copy_to is not None  # the caller asks
        aws.rds.InstanceAutomatedBackupsReplication(
            self.site.name("database", "backups-copy"),
            source_db_instance_arn=instance,
            kms_key_id=self.copy_key,
            retention_period=days,
            region=self.config.copy_to,
            opts=self.child(),
        )

    def _say_failures(self, topic: Input[str]) -> None:
        """Of this account and region: what another program backs up here is worth knowing too."""
        name = self.site.name("backups", "failed")
        rule = aws.cloudwatch.EventRule(
            name, name=name, event_pattern=failures(), tags={"Name": name}, opts=self.child()
        )
        aws.cloudwatch.EventTarget(f"{name}-to", rule=rule.name, arn=topic, opts=self.child())

    def _vault(self, part: str, key: Input[str], region: Region) -> aws.backup.Vault:
        name = self.site.name(part)
        vault = aws.backup.Vault(name, name=name, kms_key_arn=key, region=region, tags={"Name": name}, opts=self.kept())
        # Two would be one and the same: the old one's end would lift the new one.
        once = pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(delete_before_replace=True))
        aws.backup.VaultLockConfiguration(
            f"{name}-lock",
            backup_vault_name=vault.name,
            min_retention_days=SHORTEST_DAYS,
            max_retention_days=max(self.config.keep_days, self.config.keep_months * MONTH_DAYS),
            region=region,
            opts=once,
        )
        return vault

    def _plan(self, vault: Input[str]) -> Output[str]:
        rules = [self._rule("daily", DAILY, vault, self.config.keep_days)]
        if self.config.keep_months:
            rules.append(self._rule("monthly", MONTHLY, vault, self.config.keep_months * MONTH_DAYS))
        name = self.site.name("backups")
        return aws.backup.Plan(name, name=name, rules=rules, tags={"Name": name}, opts=self.child()).id

    def _rule(self, name: str, schedule: str, vault: Input[str], days: int) -> aws.backup.PlanRuleArgs:
        args = aws.backup
        copies = [
            args.PlanRuleCopyActionArgs(
                destination_vault_arn=each, lifecycle=args.PlanRuleCopyActionLifecycleArgs(delete_after=days)
            )
            for each in ([self.copy] if self.copy is not None else [])
        ]
        return args.PlanRuleArgs(
            rule_name=name,
            target_vault_name=vault,
            schedule=schedule,
            start_window=START_MINUTES,
            completion_window=END_MINUTES,
            lifecycle=args.PlanRuleLifecycleArgs(delete_after=days),
            copy_actions=copies,
        )

    def _selection(self, plan: Input[str], stateful: Sequence[Input[str]]) -> None:
        name = self.site.name("backups", "role")
        role = granted(self, name, assumed_by("backup.amazonaws.com", self.site.account), RIGHTS)
        aws.backup.Selection(
            self.site.name("backups", "of"),
            plan_id=plan,
            iam_role_arn=role.arn,
            resources=list(stateful),
            opts=self.child(*role.rights),
        )


def failures() -> str:
    """The pattern of the events of jobs that did not do what they should.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html
    """
    ends = [{"detail-type": [f"{job} Job State Change"], "detail": {word: list(FAILED)}} for job, word in JOBS.items()]
    return json.dumps({"source": ["aws.backup"], "$or": ends}, sort_keys=True)
