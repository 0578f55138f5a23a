"""What stops a deploy: the end or the replacement of anything that keeps state, unless a person named it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from infra.ops.engine import Step

# What is lost with each. A replacement is a delete too, only later.
STATEFUL: Final = {
    "backup/vault": "recovery points",
    "cloudwatch/logGroup": "its lines",
    "dynamodb/table": "its items",
    "ec2/vpc": "everything in it",
    "ecr/repository": "images",
    "efs/fileSystem": "its files",
    "eks/cluster": "every workload and volume",
    "elasticache/replicationGroup": "what is cached, at once for everybody",
    "elasticache/serverlessCache": "what is cached, at once for everybody",
    "kms/key": "all that it encrypted",
    "kms/replicaKey": "all that it encrypted",
    "rds/instance": "its data",
    "route53/zone": "its name servers, and so every name until the registrar has the new ones",
    "s3/bucket": "its objects",
    "secretsmanager/secret": "its value",
}
ENDS: Final = ("delete", "replace", "create-replacement", "delete-replaced", "discard-replaced")


def lost(step: Step) -> str:
    """What a step would lose; "" for nothing."""
    kind = step.type.partition(":")[2].partition(":")[0]
    return STATEFUL.get(kind, "") if step.op in ENDS else ""


def refusals(steps: Sequence[Step], allowed: Collection[str]) -> Iterator[str]:
    """Why a person must be asked: a line for each resource, but those that were named in `allowed`."""
    seen: dict[str, Step] = {}
    for step in steps:
        if lost(step) and step.name not in allowed:
            seen.setdefault(step.name, step)
    for step in seen.values():
        keys = f" because of {', '.join(step.keys)}" if step.keys else ""
        yield f"{step.name}: {step.op}{keys} would lose {lost(step)}"
