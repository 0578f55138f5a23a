"""The archive: a bucket whose files grow cold, and the function that fills it every night.

Its code is `infra/functions/archive`. The package lies in the bucket under its digest and is named in the stack file,
so `pulumi up` makes the bucket first and the function with the next one; docs/how-to/archive.md has the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.bucket import allow_on, bucket
from infra.components.database import NAME, PORT, Database
from infra.components.groups import group, let_out
from infra.components.iam import allow, assumed_by, policy
from infra.components.keys import Keys
from infra.components.network import ANYWHERE, Network
from infra.components.proxy import Proxy
from infra.components.roles import Granted, granted
from infra.components.site import Component, Site
from infra.config.archive import Archive as Config
from infra.functions.package import PYTHON

TASKS: Final = "tasks/"
TIMEOUT_S: Final = 900  # the longest that Lambda allows; the function ends its work before
MEMORY_MB: Final = 512
TRIES: Final = 2  # again, after the first
REGRET_D: Final = 30  # days that a deleted or overwritten file can be had again
# Lambda names no account when it takes a role.
LAMBDA: Final = policy({"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}})
KEPT_S: Final = 14 * 86_400  # of a failed run, the longest of SQS
DAY_S: Final = 86_400
VIA: Final = ("lambda", "s3", "secretsmanager")  # by whose hand the key is used
# The network cards of a function in a VPC; the calls know no resources.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
CARDS: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class Archive(Component):
    """`bucket` gets the package, under functions/, and the tasks."""

    def __init__(self, site: Site, keys: Keys, config: Config) -> None:
        super().__init__("Archive", site)
        self.keys, self.config = keys, config
        self.files = bucket(self, "archive", keys.data, self.kept())
        allow_on(self, "archive", self.files)
        self._grow_cold()
        self.bucket = self.files.name
        self.register_outputs({"bucket": self.bucket})

    def run_nightly(self, network: Network, database: Database, proxy: Proxy | None, topic: Input[str]) -> None:
        """Make the function and its schedule; `topic` hears of runs that failed or did not come."""
        assert database.secret is not None  # the configuration refuses an archive of what has none
        failed = self._failed(topic)
        name = self.site.name("archiver")
        logs = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/lambda/{name}",
            retention_in_days=self.site.platform.log_days,
            kms_key_id=self.keys.logs,
            opts=self.child(),
        )
        role = self._role(logs.arn, database.secret, failed.arn)
        function = aws.lambda_.Function(
            name,
            name=name,
            runtime=f"python{PYTHON}",
            architectures=["arm64"],
            handler="infra.functions.archive.handler.handle",
            s3_bucket=self.files.name,
            s3_key=f"functions/archive-{self.config.package}.zip",
            role=role.arn,
            timeout=TIMEOUT_S,
            memory_size=MEMORY_MB,
            reserved_concurrent_executions=1,  # two at once would write everything twice
            environment={
                "variables": {
                    "DATABASE_HOST": proxy.host if proxy else database.host,
                    "DATABASE_NAME": NAME,
                    "DATABASE_SECRET": database.secret,
                    "BUCKET": self.files.name,
                    "AFTER_DAYS": str(self.config.after_days),
                    "BATCH": str(self.config.batch),
                }
            },
            kms_key_arn=self.keys.data,
            vpc_config={
                "subnet_ids": list(network.subnets["private"].values()),
                "security_group_ids": self._groups(network, database, proxy),
            },
            dead_letter_config={"target_arn": failed.arn},
            logging_config={"log_format": "JSON", "log_group": logs.name},
            tags={"Name": name},
            opts=self.child(*role.rights),
        )
        self._schedule(function, failed.arn)
        self._alarm(
            "silent",
            topic,
            alarm_description="The archive did not run for a day",
            namespace="AWS/Lambda",
            metric_name="Invocations",
            dimensions={"FunctionName": name},
            statistic="Sum",
            period=DAY_S,
            comparison_operator="LessThanThreshold",
            threshold=1,
            treat_missing_data="breaching",
        )

    def _grow_cold(self) -> None:
        """Tasks to Glacier and at last away; old packages and half uploads sooner."""
        cold, years = self.config.cold_days, self.config.keep_years
        aws.s3.BucketLifecycleConfiguration(
            self.site.name("archive", "cold"),
            bucket=self.files.name,
            rules=[
                {
                    "id": "tasks",
                    "status": "Enabled",
                    "filter": {"prefix": TASKS},
                    "transitions": [{"days": cold, "storage_class": "GLACIER"}],
                    "expiration": {"days": years * 365},
                },
                {
                    "id": "regrets",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrent_version_expiration": {"noncurrent_days": REGRET_D},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                },
            ],
            opts=self.child(self.files.versions),
        )

    def _groups(self, network: Network, database: Database, proxy: Proxy | None) -> list[Input[str]]:
        """A client of the database that also reaches AWS's own endpoints, and is reached by nobody."""
        own = group(self, network, "archive", "The function that archives")
        let_out(self, own, database.group, PORT, "database")
        if proxy:
            let_out(self, own, proxy.group, PORT, "proxy")
        aws.vpc.SecurityGroupEgressRule(
            self.site.name("archive", "out", "aws"),
            security_group_id=own,
            cidr_ipv4=ANYWHERE,
            description="To S3, Secrets Manager and CloudWatch",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self.child(),
        )
        return [own, database.clients]

    def _role(self, logs: Input[str], secret: Input[str], failed: Input[str]) -> Granted:
        may = Output.all(self.files.arn, self.keys.data, logs, secret, failed, self.site.region)
        return granted(self, self.site.name("archive", "role"), LAMBDA, own=may.apply(may_archive))

    def _schedule(self, function: aws.lambda_.Function, failed: Input[str]) -> None:
        hour, minute = self.config.at.split(":")
        may = Output.all(function.arn, failed).apply(lambda each: may_start(*each))
        trust = assumed_by("scheduler.amazonaws.com", self.site.account)
        role = granted(self, self.site.name("archive", "scheduler"), trust, own=may)
        aws.scheduler.Schedule(
            self.site.name("archive", "nightly"),
            schedule_expression=f"cron({int(minute)} {int(hour)} * * ? *)",
            schedule_expression_timezone="UTC",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": function.arn,
                "role_arn": role.arn,
                "dead_letter_config": {"arn": failed},
                "retry_policy": {"maximum_retry_attempts": TRIES, "maximum_event_age_in_seconds": 3600},
            },
            opts=self.child(*role.rights),
        )

    def _failed(self, topic: Input[str]) -> aws.sqs.Queue:
        """Runs that failed, for whoever is on call; the next night does their work."""
        name = self.site.name("archive", "failed")
        queue = aws.sqs.Queue(
            name,
            name=name,
            sqs_managed_sse_enabled=True,
            message_retention_seconds=KEPT_S,
            tags={"Name": name},
            opts=self.child(),
        )
        self._alarm(
            "failed",
            topic,
            alarm_description="Runs of the archive failed",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": name},
            statistic="Maximum",
            period=300,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            treat_missing_data="notBreaching",
        )
        return queue

    def _alarm(self, part: str, topic: Input[str], **what: Any) -> None:
        aws.cloudwatch.MetricAlarm(
            self.site.name("archive", part, "alarm"),
            evaluation_periods=1,
            alarm_actions=[topic],
            ok_actions=[topic],
            opts=self.child(),
            **what,
        )


def may_archive(each: Sequence[str]) -> str:
    """What the function may: read and write tasks in the bucket, read its login, say what it did."""
    bucket, key, logs, secret, failed, region = each
    via = {"StringEquals": {"kms:ViaService": [f"{service}.{region}.amazonaws.com" for service in VIA]}}
    return policy(
        allow(["s3:GetObject", "s3:PutObject"], [f"{bucket}/{TASKS}*"]),
        {**allow(["kms:Decrypt", "kms:GenerateDataKey"], [key]), "Condition": via},
        allow(["secretsmanager:GetSecretValue"], [secret]),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{logs}:*"]),
        allow(["sqs:SendMessage"], [failed]),
        allow(CARDS, ["*"]),
    )


def may_start(function: str, failed: str) -> str:
    """What the schedule may: start one function, and put what it could not start into the queue."""
    return policy(allow(["lambda:InvokeFunction"], [function]), allow(["sqs:SendMessage"], [failed]))
