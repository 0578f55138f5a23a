"""Meters of backups and of what goes to a second region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter
from infra.cost.meters.data import BETWEEN
from infra.cost.usage import DAYS
from infra.plan.graph import Resource


def kept_gib(basis: Basis, days: float) -> float:
    """A whole copy of the data and each day's changes."""
    return basis.usage.data_gib + basis.usage.changed_gib * days


def plan(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Snapshots of the database for as long as the longest rule keeps them, here and where they are copied to."""
    rules = resource.inputs.get("rules")
    days = max((_days(rule) for rule in rules), default=0.0) if isinstance(rules, list) else 0.0
    gib = kept_gib(basis, days)
    yield Charge(f"snapshots of {days:.0f} days", "AWS Backup", "RDS snapshot warm storage", gib)
    for vault in basis.graph.of("backup/vault"):
        away = str(vault.inputs.get("region", basis.region))
        if away != basis.region:
            yield Charge("their copies", "AWS Backup", "RDS snapshot warm storage", gib, region=away)
            yield Charge("copies on their way", "Data transfer", BETWEEN, basis.usage.changed_gib * DAYS)


def _days(rule: object) -> float:
    lifecycle = rule.get("lifecycle") if isinstance(rule, dict) else None
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
