"""Events: one topic, and for each reader a queue with another for what it cannot read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.iam import allow, policy
from infra.components.keys import Keys
from infra.components.site import Component, Site
from infra.config.later import Events as Config

KEPT_S: Final = 14 * 86_400  # the longest of SQS
POLL_S: Final = 20  # the longest that an empty look waits: fewer looks are paid


class Events(Component):
    """`topic` is where the application speaks, `queues` where each reader listens; its role may do both."""

    def __init__(self, site: Site, keys: Keys, config: Config, app_role: Input[str]) -> None:
        super().__init__("Events", site)
        self.config = config
        name = site.name("events")
        self.topic = aws.sns.Topic(
            name, name=name, kms_master_key_id=keys.data, signature_version=2, tags={"Name": name}, opts=self.child()
        ).arn
        self.queues = {reader: self._queue(reader) for reader in config.readers}
        arns = Output.all(self.topic, keys.data, *self.queues.values())
        may = arns.apply(lambda each: may_speak(each[0], each[1], each[2:]))
        aws.iam.RolePolicy(
            f"{name}-may",
            role=app_role,
            policy=may,
            opts=self.child(),
        )
        self.register_outputs({"topic": self.topic})

    def _queue(self, reader: str) -> Output[str]:
        aside = self._plain(unread(self.site, reader))
        queue = self._plain(self.site.name("events", reader), redrive=aside.arn)
        aws.sqs.QueuePolicy(
            self.site.name("events", reader, "from-topic"),
            queue_url=queue.url,
            policy=Output.all(queue.arn, self.topic).apply(lambda each: from_topic(*each)),
            opts=self.child(),
        )
        aws.sns.TopicSubscription(
            self.site.name("events", reader, "hears"),
            topic=self.topic,
            protocol="sqs",
            endpoint=queue.arn,
            raw_message_delivery=True,
            opts=self.child(),
        )
        return queue.arn

    def _plain(self, name: str, redrive: Input[str] | None = None) -> aws.sqs.Queue:
        """Sealed by SQS's own key: the topic may write into it without a right to one of ours."""
        aside = Output.from_input(redrive).apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": self.config.tries})
        )
        return aws.sqs.Queue(
            name,
            name=name,
            sqs_managed_sse_enabled=True,
            message_retention_seconds=KEPT_S,
            receive_wait_time_seconds=POLL_S,
            visibility_timeout_seconds=self.config.seconds,
            redrive_policy=aside if redrive is not None else None,
            tags={"Name": name},
            opts=self.child(),
        )


def unread(site: Site, reader: str) -> str:
    """The queue of what a reader could not read, however often it tried."""
    return site.name("events", f"{reader}-unread")


def from_topic(queue: str, topic: str) -> str:
    """A policy that lets one topic write into a queue."""
    return policy(
        {
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
    )


def may_speak(topic: str, key: str, queues: Sequence[str]) -> str:
    """What the application may: speak on the topic, and read its queues."""
    reads = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
    return policy(
        allow(["sns:Publish"], [topic]),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], [key]),
        allow(reads, queues),
    )
