"""The topic of whoever is on call: sealed, and spoken on only by AWS's own services of this account."""

from __future__ import annotations

import pulumi_aws as aws

from infra.components.iam import policy
from infra.components.keys import EVENTS, SPEAKERS, Keys
from infra.components.site import Component, Site


class OnCall(Component):
    """`topic` is its ARN; each address of `watch.on_call` confirms once, by a mail that AWS sends it.

    Who is given `topic` waits for the right to speak on it: RDS and Cost Explorer try it when they are told of it.
    """

    def __init__(self, site: Site, keys: Keys) -> None:
        super().__init__("OnCall", site)
        name = site.name("on-call")
        topic = aws.sns.Topic(
            name, name=name, kms_master_key_id=keys.alerts, signature_version=2, tags={"Name": name}, opts=self.child()
        )
        may = topic.arn.apply(lambda arn: may_speak(arn, site.account))
        speakers = aws.sns.TopicPolicy(f"{name}-speakers", arn=topic.arn, policy=may, opts=self.child())
        for number, address in enumerate(site.platform.watch.on_call, 1):
            aws.sns.TopicSubscription(
                f"{name}-{number}", topic=topic.arn, protocol="email", endpoint=address, opts=self.child()
            )
        self.topic = speakers.arn
        self.register_outputs({"topic": self.topic})


def may_speak(topic: str, account: str) -> str:
    """A policy that lets AWS's own services of this account publish on a topic."""
    speak: dict[str, object] = {"Action": "sns:Publish", "Resource": topic}
    services = {"Service": [f"{each}.amazonaws.com" for each in SPEAKERS]}
    return policy(
        {**speak, "Principal": services, "Condition": {"StringEquals": {"aws:SourceAccount": account}}},
        {**speak, "Principal": {"Service": EVENTS}},
    )
