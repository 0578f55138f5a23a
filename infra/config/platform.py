"""The whole configuration of an environment, and the rules between its sections.

A stack file, `infra/platform/Pulumi.STACK.yaml`, names its profile and region and then only where it departs from these
defaults. `infra/platform/schema.json` says the same to editors. `infra/stackfile.py` reads the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from infra.config.archive import Archive
from infra.config.base import ZONES, LogDays, Name, Region, Strict
from infra.config.cache import Cache
from infra.config.cluster import Cluster
from infra.config.cost import Cost
from infra.config.database import Database
from infra.config.edge import Edge
from infra.config.later import Audit, Events, Exports
from infra.config.network import Network
from infra.config.night import Night
from infra.config.partners import Partners
from infra.config.recovery import Recovery
from infra.config.registry import Registry
from infra.config.watch import Watch


class Profile(StrEnum):
    """What an environment is for; it decides what the other keys may be."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"
    DR = "dr"


class Platform(Strict, frozen=True):
    """One environment."""

    profile: Annotated[Profile, Meta(description="What it is for.")]
    region: Annotated[Region, Meta(description="Where it is.")]
    account: Annotated[str, Meta(pattern=r"^\d{12}$", description="The only account it may touch.")]
    owner: Annotated[str, Meta(pattern=r"^[\w.@-]{1,64}$", description="Who answers for it; a tag on everything.")]
    name: Name = "primetrade"
    github: Annotated[
        Annotated[str, Meta(pattern=r"^[\w.-]{1,39}/[\w.-]{1,100}$")] | None,
        Meta(description="OWNER/REPOSITORY whose workflows push images and release here; none: none does."),
    ] = None
    app_secret_version: Annotated[
        int, Meta(ge=1, le=10_000, description="Raise it to write the application's own secret anew.")
    ] = 1
    log_days: Annotated[LogDays, Meta(description="How long the services' own logs are kept.")] = 90
    apply_now: Annotated[
        bool, Meta(description="Changes of database and cache at once, not in their windows: they cut connections.")
    ] = False
    network: Annotated[Network, Meta(description="The VPC.")] = Network()
    database: Annotated[Database, Meta(description="PostgreSQL.")] = Database()
    cache: Annotated[Cache, Meta(description="Valkey.")] = Cache()
    archive: Annotated[Archive | None, Meta(description="Old done tasks, moved to S3.")] = None
    events: Annotated[Events | None, Meta(description="SNS and SQS; no service speaks or listens yet.")] = None
    audit: Annotated[Audit | None, Meta(description="DynamoDB; the application writes no audit yet.")] = None
    exports: Annotated[Exports | None, Meta(description="EFS; the application writes no exports yet.")] = None
    partners: Annotated[Partners | None, Meta(description="API Gateway; no partner has tokens yet.")] = None
    edge: Annotated[Edge | None, Meta(description="Names, CloudFront and its firewall.")] = None
    cost: Annotated[Cost, Meta(description="What it may cost.")] = Cost()
    cluster: Annotated[Cluster, Meta(description="Kubernetes.")] = Cluster()
    watch: Annotated[Watch, Meta(description="Alarms, boards and traces.")] = Watch()
    registry: Annotated[Registry | None, Meta(description="Images; none: they come from another stack's.")] = None
    recovery: Annotated[Recovery, Meta(description="Backups and disasters.")] = Recovery()
    night: Annotated[Night, Meta(description="What stops at night.")] = Night()

    @property
    def keeps_data(self) -> bool:
        """Whether what it holds cannot be made again: such resources are protected."""
        return self.profile in (Profile.PROD, Profile.DR)

    def __post_init__(self) -> None:
        self._check_place()
        if self.database.replica_of and f":{self.region}:" in self.database.replica_of:
            raise ValueError(f"database.replica_of: is in {self.region} too; name a primary in another region")
        if self.archive and self.database.replica_of:
            raise ValueError("archive: deletes what it moved, and a replica cannot; leave it out until it is promoted")
        if self.partners and not (self.edge and self.edge.load_balancer):
            raise ValueError("partners: come by edge.load_balancer; name it first")
        if self.edge:
            self._check_edge(self.edge)
        if self.recovery.copy_to == self.region:
            raise ValueError(f"recovery.copy_to: {self.region} is where it is; name another region")
        if self.night.stop and (self.database.replicas or self.database.replica_of):
            raise ValueError(
                "night.stop: RDS stops no database with replicas, and no replica; take 0 database.replicas"
            )
        if self.keeps_data:
            for key, found, allowed in self._below_production():
                raise ValueError(f"{key}: {found} is not for {self.profile}; {allowed}")

    def _check_place(self) -> None:
        home = {Profile.PROD: "us-east-1", Profile.DR: "eu-west-1"}.get(self.profile)
        if home and self.region != home:
            raise ValueError(f"region: {self.profile} is not in {self.region}; it has its home in {home}")
        zones = ZONES[self.region]
        if wrong := [zone for zone in self.network.zones if zone not in zones]:
            raise ValueError(f"network.zones: {wrong[0]} of {self.region} has no EKS; take of {', '.join(zones)}")

    def _check_edge(self, edge: Edge) -> None:
        second = self.profile is Profile.DR
        if second and not edge.zone_id:
            raise ValueError(
                "edge.zone_id: dr answers for production's names; give what `pulumi stack output` of it says"
            )
        if not second and self.region != "us-east-1":
            raise ValueError(f"edge: {self.region} does not hold the logs of CloudFront; make it in us-east-1")
        listener = edge.load_balancer.listener if edge.load_balancer else ""
        if listener and f":{self.region}:{self.account}:" not in listener:
            raise ValueError(f"edge.load_balancer.listener: is not in {self.region} of {self.account}; name our own")

    def _below_production(self) -> Iterator[tuple[str, object, str]]:
        """Key, what was found and what is allowed, of everything that production may not do without."""
        network, database, cache, recovery = self.network, self.database, self.cache, self.recovery
        nat, copied = network.nat, self.profile is not Profile.PROD or recovery.copy_to
        days = recovery.keep_days
        yes, flows = "true is expected", network.flow_log_days or network.existing
        table = (
            (nat != "single", "network.nat", nat, "one zone would take the others with it: regional, per-zone or none"),
            (len(network.zones) > 2, "network.zones", ", ".join(network.zones), "name three zones"),
            (flows, "network.flow_log_days", 0, "keep them for 30 days or more"),
            (database.multi_az, "database.multi_az", "false", yes),
            (database.deletion_protection, "database.deletion_protection", "false", yes),
            (database.backup_days >= 7, "database.backup_days", database.backup_days, "7 or more are expected"),
            (cache.mode != "nodes" or cache.replicas, "cache.replicas", 0, "1 or more are expected"),
            (self.cluster.deletion_protection, "cluster.deletion_protection", "false", yes),
            (self.watch.on_call, "watch.on_call", "nobody", "name an address that somebody reads at night"),
            (not self.night.stop, "night.stop", self.night.stop, "production does not sleep; leave it out"),
            (days >= 14 or database.replica_of, "recovery.keep_days", days, "14 or more are expected"),
            (copied, "recovery.copy_to", "nowhere", "name the second region"),
        )
        yield from ((key, found, allowed) for good, key, found, allowed in table if not good)
