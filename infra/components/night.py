"""What stops at night: the database and the managed nodes, by EventBridge Scheduler, in the time of those who use them.

Weekends are free: it stops every day and starts on workdays. Nodes that Karpenter made run on, and are paid for:
Karpenter itself runs on the managed nodes, and who sleeps removes nothing. EKS's own nodes (Auto Mode) run on too.
"""

from __future__ import annotations

import json
from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.iam import allow, assumed_by, policy
from infra.components.roles import granted
from infra.components.site import Component, Site
from infra.config.night import Night as Config

CALL: Final = "arn:aws:scheduler:::aws-sdk"  # its targets: any call of AWS
TRIES: Final = 3
WORKDAYS: Final = 5
WEEK_HOURS: Final = 7 * 24


def hours_on(config: Config) -> float:
    """Hours of a week in which it runs: the workdays between start and stop, all of them without a stop."""
    if config.stop is None:
        return float(WEEK_HOURS)
    return WORKDAYS * (_minutes(config.stop) - _minutes(config.start)) / 60


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def cron(time: str, days: str) -> str:
    """A time of day on days ("*", "MON-FRI") as the scheduler writes it."""
    hours, minutes = time.split(":")
    days_of_month = "*" if days == "*" else "?"
    return f"cron({int(minutes)} {int(hours)} {days_of_month} * {'?' if days == '*' else days} *)"


class Night(Component):
    """Stops and starts an instance of RDS, and a managed group of nodes where there is one."""

    def __init__(self, site: Site, database: str, nodes: aws.eks.NodeGroup | None) -> None:
        super().__init__("Night", site)
        self.config = site.platform.night
        arns = [site.arn("rds", f"db:{database}"), *([nodes.arn] if nodes else [])]
        trust = assumed_by("scheduler.amazonaws.com", site.account)
        own = Output.all(*arns).apply(lambda found: may_stop(*found))
        self.role = granted(self, site.name("night", "role"), trust, own=own).arn
        # AWS starts a stopped instance after seven days by itself, which is longer than any weekend.
        self._schedule("database-stop", "rds:stopDBInstance", {"DbInstanceIdentifier": database})
        self._schedule("database-start", "rds:startDBInstance", {"DbInstanceIdentifier": database})
        if nodes:
            self._scale(nodes, "stop", 0)
            self._scale(nodes, "start", site.platform.cluster.system_nodes)

    def _scale(self, nodes: aws.eks.NodeGroup, action: str, number: int) -> None:
        scaling = {"MinSize": number, "DesiredSize": number, "MaxSize": number + 1}
        group = {"ClusterName": nodes.cluster_name, "NodegroupName": nodes.node_group_name}
        self._schedule(f"nodes-{action}", "eks:updateNodegroupConfig", {**group, "ScalingConfig": scaling})

    def _schedule(self, part: str, call: str, words: object) -> None:
        name, args = self.site.name("night", part), aws.scheduler
        stops = part.endswith("-stop")
        time = self.config.stop if stops else self.config.start
        assert time is not None  # the program makes no night without a stop
        args.Schedule(
            name,
            name=name,
            schedule_expression=cron(time, "*" if stops else "MON-FRI"),
            schedule_expression_timezone=self.config.time_zone,
            flexible_time_window=args.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=args.ScheduleTargetArgs(
                arn=f"{CALL}:{call}",
                role_arn=self.role,
                input=Output.from_input(words).apply(lambda found: json.dumps(found, sort_keys=True)),
                retry_policy=args.ScheduleTargetRetryPolicyArgs(
                    maximum_retry_attempts=TRIES, maximum_event_age_in_seconds=3600
                ),
            ),
            opts=self.child(),
        )


def may_stop(database: str, nodes: str | None = None) -> str:
    """A policy to stop and start an instance, and to scale a group of nodes, both by ARN."""
    scale = [allow(["eks:UpdateNodegroupConfig"], [nodes])] if nodes else []
    return policy(allow(["rds:StopDBInstance", "rds:StartDBInstance"], [database]), *scale)
