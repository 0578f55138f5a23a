"""The exercise of a disaster: is what we would fall back on there, how old is it, and how long does it take to use it?

It restores a copy of the database beside the real ones and deletes it again; nothing that serves is touched. On the
second region's stack that is the copy of the primary's backups that RDS replicates there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from infra.config.platform import Platform
from infra.errors import OpsError
from infra.ops.account import Account
from infra.ops.patience import Patience, Tell

if TYPE_CHECKING:  # the types are for development only
    from types_boto3_rds.type_defs import DBInstanceTypeDef

LAG: Final = timedelta(minutes=15)  # over which the worst lag of a replica counts


class Look(msgspec.Struct, frozen=True):
    """What there is to fall back on. Ages in seconds; None where there is none."""

    instance: str
    status: str
    follows: str  # the primary's ARN; "" for a primary
    lag_s: float | None  # of a replica: the worst of the last minutes
    backups: str  # ARN of the automated backups that would be restored
    backups_s: float | None  # how old the newest restorable second is
    left: str = ""  # what an earlier drill left, and how it goes; "" for nothing


class Step(msgspec.Struct, frozen=True):
    """One step that was taken."""

    name: str
    seconds: float


class Drill(msgspec.Struct, frozen=True):
    """Goals and what was seen, in seconds; `rto_s` is None for a dry run."""

    stack: str
    look: Look
    steps: tuple[Step, ...]
    rpo_goal_s: float
    rto_goal_s: float
    rto_s: float | None

    @property
    def missed(self) -> list[str]:
        """Which goals were missed, and what could not be judged."""
        found = []
        for what, age in (("the copy", self.look.backups_s), ("the replica", self.look.lag_s)):
            if age is None and (what == "the copy" or self.look.follows):
                found.append(f"RPO: nothing says how old {what} is")
            elif age is not None and age > self.rpo_goal_s:
                found.append(f"RPO: {what} is {age:.0f} s old, {self.rpo_goal_s:.0f} s are allowed")
        if self.rto_s is not None and self.rto_s > self.rto_goal_s:
            found.append(f"RTO: the data was back after {self.rto_s:.0f} s, {self.rto_goal_s:.0f} s are allowed")
        return found


def utc() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class Exercise:
    """One drill of a stack; `now` is the clock of ages."""

    def __init__(self, platform: Platform, account: Account, now: Callable[[], datetime] = utc) -> None:
        self.platform, self.account, self.now = platform, account, now
        self.name = f"{platform.name}-{platform.profile}-database"
        self.copy = f"{self.name}-drill"

    def look(self) -> Look:
        """What there is; nothing is changed. Raises OpsError where there is no such database."""
        instance = self._instance()
        follows = self.platform.database.replica_of or ""
        backups, newest = self._backups(follows or instance["DBInstanceArn"])
        return Look(
            instance=self.name,
            status=instance["DBInstanceStatus"],
            follows=follows,
            lag_s=self._lag() if follows else None,
            backups=backups,
            backups_s=(self.now() - newest).total_seconds() if newest else None,
            left=self._left(),
        )

    def run(self, look: Look, patience: Patience, tell: Tell) -> tuple[Step, ...]:
        """Restore a copy, wait until it can be used, delete it. Raises OpsError where there is nothing to restore."""
        if not look.backups:
            raise OpsError(f"{self.name}: no backups to restore in {self.account.region}; set recovery.copy_to")
        if look.left:
            raise OpsError(look.left)
        copy, began = self.copy, patience.clock()
        instance = self._instance()
        tell(f"restoring {copy} from {look.backups}")
        self.account.rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceAutomatedBackupsArn=look.backups,
            TargetDBInstanceIdentifier=copy,
            UseLatestRestorableTime=True,
            DBInstanceClass=instance["DBInstanceClass"],
            DBSubnetGroupName=instance["DBSubnetGroup"]["DBSubnetGroupName"],
            VpcSecurityGroupIds=[each["VpcSecurityGroupId"] for each in instance["VpcSecurityGroups"]],
            MultiAZ=False,
            PubliclyAccessible=False,
            DeletionProtection=False,
            Tags=[{"Key": key, "Value": value} for key, value in self._tags().items()],
        )
        asked = patience.clock() - began
        try:
            restored = patience.until(lambda: self._unready(copy), tell)
        finally:
            kept = self._delete(tell)  # told, and no more: it must not hide why the restore failed
        if kept:
            raise OpsError(kept)
        return Step("ask for the restore", asked), Step("restore until it takes connections", restored)

    def report(self, stack: str, look: Look, steps: tuple[Step, ...]) -> Drill:
        """What it comes to."""
        goals = self.platform.recovery
        return Drill(
            stack=stack,
            look=look,
            steps=steps,
            rpo_goal_s=goals.rpo_minutes * 60,
            rto_goal_s=goals.rto_minutes * 60,
            rto_s=sum(each.seconds for each in steps) if steps else None,
        )

    def _instance(self) -> DBInstanceTypeDef:
        return self.account.rds.describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"][0]

    def _tags(self) -> dict[str, str]:
        """As on everything of the environment, so that `drift`, `teardown` and the bill see what is left over."""
        platform = self.platform
        whose = {"project": platform.name, "environment": platform.profile, "owner": platform.owner}
        return {**whose, "managed-by": "drill", "purpose": "drill"}

    def _left(self) -> str:
        chosen = [{"Name": "db-instance-id", "Values": [self.copy]}]
        found = self.account.rds.describe_db_instances(Filters=chosen)["DBInstances"]  # type: ignore[arg-type]
        return self._stays(f"of an earlier drill is {found[0]['DBInstanceStatus']}") if found else ""

    def _delete(self, tell: Tell) -> str:
        """Why the copy is still there; "" where it goes."""
        tell(f"deleting {self.copy}")
        try:
            self.account.rds.delete_db_instance(
                DBInstanceIdentifier=self.copy, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )
        except (BotoCoreError, ClientError) as exc:
            words = self._stays(f"was not deleted ({exc})")
            tell(words)
            return words
        return ""

    def _stays(self, how: str) -> str:
        return (
            f"{self.copy} {how} and costs money; aws rds delete-db-instance --region {self.account.region} "
            f"--db-instance-identifier {self.copy} --skip-final-snapshot --delete-automated-backups"
        )

    def _unready(self, copy: str) -> str:
        (found,) = self.account.rds.describe_db_instances(DBInstanceIdentifier=copy)["DBInstances"]
        return "" if found["DBInstanceStatus"] == "available" else f"{copy}, which is {found['DBInstanceStatus']}"

    def _backups(self, source: str) -> tuple[str, datetime | None]:
        """ARN and newest restorable second of the backups of an instance, wherever it is."""
        pages = self.account.rds.get_paginator("describe_db_instance_automated_backups").paginate()
        for each in (each for page in pages for each in page["DBInstanceAutomatedBackups"]):
            if each.get("DBInstanceArn") == source and "DBInstanceAutomatedBackupsArn" in each:
                return each["DBInstanceAutomatedBackupsArn"], each.get("RestoreWindow", {}).get("LatestTime")
        return "", None

    def _lag(self) -> float | None:
        end = self.now()
        points = self.account.cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="ReplicaLag",
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": self.name}],
            StartTime=end - LAG,
            EndTime=end,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max((each["Maximum"] for each in points), default=None)
