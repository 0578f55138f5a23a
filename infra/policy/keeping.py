"""Rules about what outlives a disaster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Resource
from infra.policy.rule import Rule, environment, has, protected, said, where_kept

STATEFUL: Final = ("rds/instance", "dynamodb/table", "efs/fileSystem")  # that AWS Backup backs up


def covered(resource: Resource, graph: Graph) -> Iterator[str]:
    """A backup plan selects it by its ARN; what follows another is backed up as that one."""
    chosen = [each.inputs.get("resources") for each in graph.of("backup/selection")]
    if "replicateSourceDb" in resource.inputs or any(f"${{{resource.name}.arn}}" in _list(found) for found in chosen):
        return
    yield "is in no backup plan; hand its ARN to Recovery"


def locked(resource: Resource, graph: Graph) -> Iterator[str]:
    """A lock holds its recovery points for some days, against everybody who may not lift it."""
    locks = [each.inputs for each in graph.of("backup/vaultLockConfiguration")]
    ours = [each for each in locks if each.get("backupVaultName") == resource.inputs.get("name")]
    if not ours:
        yield "has no lock; make a VaultLockConfiguration"
    yield from (
        f"minRetentionDays is {said(each.get('minRetentionDays'))}; 1 or more are expected"
        for each in ours
        if not each.get("minRetentionDays")
    )


def copied(resource: Resource, graph: Graph) -> Iterator[str]:
    """Every rule of a plan copies to another vault, and keeps what it makes for a while."""
    for rule in _list(resource.inputs.get("rules")):
        if isinstance(rule, dict):
            if not rule.get("copyActions"):
                yield f"rule {rule.get('ruleName')} copies nowhere; set recovery.copy_to"
            if not rule.get("lifecycle"):
                yield f"rule {rule.get('ruleName')} keeps for ever; give it a lifecycle"


def in_production(resource: Resource, graph: Graph) -> Iterator[str]:
    """As `copied`, where the data is; the second region holds the copies."""
    if environment(graph) == "prod":
        yield from copied(resource, graph)


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


KEEPING: Final = (
    Rule("backups-cover", STATEFUL, "What is in no plan is lost once", "Backup.1", where_kept(covered)),
    Rule("backups-sealed", ("backup/vault",), "A backup is the data again", "Backup.1", has("kmsKeyArn")),
    Rule("backups-locked", ("backup/vault",), "Who takes the data takes the backups too", "", locked),
    Rule("backups-stay", ("backup/vault",), "Hands slip", "", where_kept(protected)),
    Rule("backups-travel", ("backup/plan",), "A region can be lost", "", in_production),
    Rule("copied-keys-stay", ("kms/replicaKey",), "Without it the copies are gone", "KMS.3", where_kept(protected)),
)
