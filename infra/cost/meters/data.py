"""Meters of what holds data: PostgreSQL, Valkey, keys and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from infra.components.storage import FREE_PERCENT
from infra.cost.charge import Basis, Charge, Meter
from infra.cost.usage import DAYS, HOURS, MILLION
from infra.plan.graph import Graph, Resource

COMMANDS: Final = 3  # of Valkey per request: a read, a write or an invalidation, a limit
LEAST_GB: Final = 0.1  # that serverless Valkey charges for
BETWEEN: Final = "to other regions"
READS: Final = 2 * HOURS  # of each secret: both slots look every hour
VCPUS: Final = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}


def database(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """The instance by the hour while it runs; storage as it has grown, and backups beyond what is free, always."""
    zones = "multi-AZ" if resource.inputs.get("multiAz") else "single-AZ"
    kind = resource.inputs["instanceClass"]
    reserved = basis.terms.reserved
    yield Charge(
        f"{kind} {zones}",
        "RDS",
        f"PostgreSQL {kind} {zones}",
        HOURS * basis.awake,
        less="" if reserved == "none" else f"Reserved Instance {reserved} no upfront",
        committed=HOURS,
    )
    if resource.inputs.get("manageMasterUserPassword"):
        yield Charge("secret that RDS keeps", "Secrets Manager", "secret", 1)
    if resource.inputs.get("databaseInsightsMode") == "advanced":
        yield Charge("Database Insights", "RDS", "Database Insights advanced per vCPU", vcpus(str(kind)) * HOURS)
    size = storage_gib(resource, basis)
    yield Charge(f"{size:,.0f} GB, {zones}", "RDS", f"gp3 storage {zones}", size)
    source = str(resource.inputs.get("replicateSourceDb", ""))
    if ":" in source:  # an ARN: the primary is in another region
        changed = basis.usage.changed_gib * DAYS
        yield Charge(
            "changes on their way here", "Data transfer", "to other regions", changed, region=source.split(":")[3]
        )
    days = _number(resource, "backupRetentionPeriod")
    if days and not source:
        # A full copy and each day's changes; as much as the storage is free.
        kept = basis.usage.data_gib + basis.usage.changed_gib * days
        over = max(0.0, kept - size)
        yield Charge(f"backups of {days:.0f} days", "RDS", "backup storage beyond the free allowance", over)


def storage_gib(resource: Resource, basis: Basis) -> float:
    """GiB once the data is in: RDS keeps a tenth free and stops at the limit. A replica has its source's size."""
    source = _source(resource, basis.graph)
    start = _number(source, "allocatedStorage")
    grown = basis.usage.data_gib * 100 / (100 - FREE_PERCENT)
    return min(max(start, grown), max(start, _number(source, "maxAllocatedStorage")))


def _source(resource: Resource, graph: Graph) -> Resource:
    of = resource.inputs.get("replicateSourceDb")
    return next((each for each in graph.of("rds/instance") if of and each.inputs.get("identifier") == of), resource)


def _number(resource: Resource, key: str) -> float:
    found = resource.inputs.get(key, 0)
    return float(found) if isinstance(found, int | float) else 0.0


def proxy(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """By the vCPUs of the instances behind it, asleep or not: nothing that AWS says takes the hours of a night off."""
    behind = [each.inputs.get("dbInstanceIdentifier") for each in basis.graph.of("rds/proxyTarget")]
    found = [each for each in basis.graph.of("rds/instance") if each.inputs.get("identifier") in behind]
    total = sum(vcpus(str(each.inputs["instanceClass"])) for each in found)
    yield Charge(f"proxy of {total} vCPUs", "RDS", "RDS Proxy", total * HOURS)


def vcpus(kind: str) -> int:
    """Of an instance type: `m7g.large` has 2, `db.r7g.4xlarge` 16."""
    size = kind.rpartition(".")[2]
    many = re.fullmatch(r"(\d+)xlarge", size)
    return 4 * int(many[1]) if many else VCPUS[size]


def cache(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Nodes by the hour; ElastiCache cannot stop them."""
    kind, count = resource.inputs["nodeType"], _number(resource, "numCacheClusters")
    yield Charge(f"{count:.0f} {kind}", "ElastiCache", f"Valkey node {kind}", count * HOURS)


def serverless_cache(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """By what it holds and does."""
    held = max(LEAST_GB, basis.usage.cache_gb)
    yield Charge(f"{held:g} GB", "ElastiCache", "Valkey serverless data stored", held * HOURS)
    units = basis.usage.requests * COMMANDS / MILLION
    yield Charge("commands", "ElastiCache", "Valkey serverless requests", units, grows=True)


def key(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A key, and its use."""
    yield Charge("key", "KMS", "customer managed key", 1)
    yield Charge("use of the key", "KMS", "symmetric requests", basis.usage.key_requests / 10_000)


def secret(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """A secret, and looks at it."""
    yield Charge("secret", "Secrets Manager", "secret", 1)
    yield Charge("looks at the secret", "Secrets Manager", "API calls", READS / 10_000)


METERS: Final[dict[str, Meter]] = {
    "rds/instance": database,
    "rds/proxy": proxy,
    "elasticache/replicationGroup": cache,
    "elasticache/serverlessCache": serverless_cache,
    "kms/key": key,
    "kms/replicaKey": key,
    "secretsmanager/secret": secret,
}
