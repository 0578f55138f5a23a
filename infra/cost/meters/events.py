"""Meters of events, files, images and functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter, Unknown
from infra.cost.usage import MILLION, SECONDS
from infra.plan.graph import Resource

PER_MESSAGE: Final = 3  # requests to SQS: send, receive, delete
QUEUED: Final = "standard queue requests (after the free million)"
SENT: Final = "standard topic requests (after the free million)"
POLL_S: Final = 20.0  # the longest that an empty look at a queue takes
NOTES: Final = 1000.0  # messages a month of a topic that carries no events: alarms


def queue(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A look at it every 20 s, and three requests for each event that it gets."""
    yield Charge("looks at the queue", "SQS", QUEUED, SECONDS / POLL_S / MILLION)
    subscriptions = basis.graph.of("sns/topicSubscription")
    if any(each.inputs.get("endpoint") == f"${{{resource.name}.arn}}" for each in subscriptions):
        sent = basis.usage.writes * PER_MESSAGE / MILLION
        yield Charge("events", "SQS", QUEUED, sent, grows=True)


def topic(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """An event for each request that writes, where queues listen; alarms else. What SQS gets is free."""
    ours = [
        each
        for each in basis.graph.of("sns/topicSubscription")
        if each.inputs.get("topic") == f"${{{resource.name}.arn}}" and each.inputs.get("protocol") == "sqs"
    ]
    sent = basis.usage.writes if ours else NOTES
    yield Charge("messages", "SNS", SENT, sent / MILLION, grows=bool(ours))


def table(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A line of under 1 KB for each request that writes; hardly ever read."""
    yield Charge("lines written", "DynamoDB", "on-demand write request units", basis.usage.writes / MILLION, grows=True)
    yield Charge("lines kept", "DynamoDB", "standard table storage", basis.usage.audit_gb)
    if resource.inputs.get("pointInTimeRecovery"):
        yield Charge("restore to any second", "DynamoDB", "point-in-time recovery storage", basis.usage.audit_gb)


def files(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """What it holds, each written and read once a month."""
    held = basis.usage.export_gb
    yield Charge("exports", "EFS", "Standard storage", held)
    yield Charge("exports written", "EFS", "Elastic throughput write", held)
    yield Charge("exports read", "EFS", "Elastic throughput read", held)


def bucket(resource: Resource, basis: Basis) -> Iterator[Charge | Unknown]:
    """What it holds, and how that comes in."""
    name = str(resource.inputs.get("bucket", resource.name))
    found = next((each for each in basis.buckets if each.match in name), None)
    if found is None:
        yield Unknown(f"files in {name}", "matches no line of `buckets` in infra/cost/usage.yaml")
        return
    gb = basis.usage.archive_gb if found.archive else found.gb
    yield Charge(f"{gb:g} GB", "S3", "Standard storage first 50 TB", gb)
    yield Charge("what comes in", "S3", "Standard PUT, COPY, POST or LIST", found.puts / 1000)
    yield Charge("what is read", "S3", "Standard GET and other", found.gets / 1000)


def images(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """The images it keeps."""
    share = basis.usage.image_gb / len(basis.graph.of("ecr/repository"))
    yield Charge("images", "ECR", "private repository storage", share)


def function(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Its seconds by its memory."""
    memory = float(str(resource.inputs.get("memorySize", 128))) / 1024
    kind = "arm64" if resource.inputs.get("architectures") == ["arm64"] else "x86"
    seconds = basis.usage.function_s * memory
    yield Charge(f"{basis.usage.function_s:,.0f} s of {memory:g} GB", "Lambda", f"duration {kind} first tier", seconds)


METERS: Final[dict[str, Meter]] = {
    "sqs/queue": queue,
    "sns/topic": topic,
    "dynamodb/table": table,
    "efs/fileSystem": files,
    "s3/bucket": bucket,
    "ecr/repository": images,
    "lambda/function": function,
}
