"""Meters of backups and of what goes to a second region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from infra.components.recovery import MONTH_DAYS
from infra.cost.charge import Basis, Charge, Meter
from infra.cost.meters.data import BETWEEN
from infra.cost.usage import DAYS
from infra.plan.graph import Resource


def kept_gib(basis: Basis, days: float) -> float:
    """A whole copy of the data and each day's changes."""
    return basis.usage.data_gib + basis.usage.changed_gib * days


def plan(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Backups of what is selected, as long as the longest rule keeps them, here and where they are copied to."""
    rules = resource.inputs.get("rules")
    found = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    days = max(map(_days, found), default=0.0)
    gib = kept_gib(basis, days)
    held = [(f"snapshots of {days:.0f} days", "RDS snapshot warm storage", gib)]
    if _selected("dynamodb/table", basis):
        # Each is a whole copy: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BackupRestore.html.
        copies = sum(_days(rule) / (MONTH_DAYS if rule.get("ruleName") == "monthly" else 1) for rule in found)
        held.append((f"{copies:.0f} backups of the audit", "DynamoDB warm storage", copies * basis.usage.audit_gb))
    if _selected("efs/fileSystem", basis):
        held.append(("backups of the exports", "EFS warm storage", basis.usage.export_gb))
    for what, sku, gb in held:
        yield Charge(what, "AWS Backup", sku, gb)
    for vault in basis.graph.of("backup/vault"):
        away = str(vault.inputs.get("region", basis.region))
        if away != basis.region:
            for what, sku, gb in held:
                yield Charge(f"{what}, copied", "AWS Backup", sku, gb, region=away)
            yield Charge("copies on their way", "Data transfer", BETWEEN, basis.usage.changed_gib * DAYS)


def _selected(kind: str, basis: Basis) -> bool:
    chosen = [each.inputs.get("resources") for each in basis.graph.of("backup/selection")]
    return any(f"${{{each.name}.arn}}" in str(chosen) for each in basis.graph.of(kind))


def _days(rule: Mapping[str, object]) -> float:
    lifecycle = rule.get("lifecycle")
    found = lifecycle.get("deleteAfter", 0) if isinstance(lifecycle, dict) else 0
    return float(found)


def backups_away(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """RDS's own backups in the second region, and the way there."""
    days = float(str(resource.inputs.get("retentionPeriod", 7)))
    gib = kept_gib(basis, days)
    yield Charge(f"backups of {days:.0f} days, away", "RDS", "backup storage beyond the free allowance", gib)
    yield Charge("on their way", "Data transfer", BETWEEN, basis.usage.changed_gib * DAYS, region=basis.region)


METERS: Final[dict[str, Meter]] = {
    "backup/plan": plan,
    "rds/instanceAutomatedBackupsReplication": backups_away,
}
