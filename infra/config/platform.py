"""The whole configuration of an environment, and the rules between its sections.

A stack file, `infra/platform/Pulumi.STACK.yaml`, names its profile and region and then only where it departs from these
defaults. `infra/platform/schema.json` says the same to editors. `infra/stackfile.py` reads the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from infra.config.base import LogDays, Region, Strict
from infra.config.cache import Cache
from infra.config.cluster import Cluster
from infra.config.cost import Cost
from infra.config.database import Database
from infra.config.edge import Edge
from infra.config.network import Network
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
    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,15}$", description="Begins every name.")] = "primetrade"
    github: Annotated[
        Annotated[str, Meta(pattern=r"^[\w.-]{1,39}/[\w.-]{1,100}$")] | None,
        Meta(description="OWNER/REPOSITORY whose workflows push images and release here; none: none does."),
    ] = None
    log_days: Annotated[LogDays, Meta(description="How long the services' own logs are kept.")] = 90
    network: Annotated[Network, Meta(description="The VPC.")] = Network()
    database: Annotated[Database, Meta(description="PostgreSQL.")] = Database()
    cache: Annotated[Cache, Meta(description="Valkey.")] = Cache()
    edge: Annotated[Edge | None, Meta(description="Names, CloudFront and its firewall.")] = None
    cost: Annotated[Cost, Meta(description="What it may cost.")] = Cost()
    cluster: Annotated[Cluster, Meta(description="Kubernetes.")] = Cluster()
    watch: Annotated[Watch, Meta(description="Alarms, boards and traces.")] = Watch()
    registry: Annotated[Registry | None, Meta(description="Images; none: they come from another stack's.")] = None

    @property
    def keeps_data(self) -> bool:
        """Whether what it holds cannot be made again: such resources are protected."""
        return self.profile in (Profile.PROD, Profile.DR)

    def __post_init__(self) -> None:
        home = {Profile.PROD: "us-east-1", Profile.DR: "eu-west-1"}.get(self.profile)
        if home and self.region != home:
            raise ValueError(f"region: {self.profile} is not in {self.region}; it has its home in {home}")
        if self.database.replica_of and f":{self.region}:" in self.database.replica_of:
            raise ValueError(f"database.replica_of: is in {self.region} too; name a primary in another region")
        if self.edge:
            self._check_edge(self.edge)
        if self.keeps_data:
            for key, found, allowed in self._below_production():
                raise ValueError(f"{key}: {found} is not for {self.profile}; {allowed}")

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
        network, database, cache = self.network, self.database, self.cache
        if network.nat == "single":
            yield "network.nat", network.nat, "one zone would take the others with it: regional, per-zone or none"
        if len(network.zones) < 3:
            yield "network.zones", ", ".join(network.zones), "name three zones"
        if not network.flow_log_days and not network.existing:
            yield "network.flow_log_days", 0, "keep them for 30 days or more"
        if not database.multi_az:
            yield "database.multi_az", "false", "true is expected"
        if not database.deletion_protection:
            yield "database.deletion_protection", "false", "true is expected"
        if database.backup_days < 7:
            yield "database.backup_days", database.backup_days, "7 or more are expected"
        if cache.mode == "nodes" and not cache.replicas:
            yield "cache.replicas", 0, "1 or more are expected"
        if not self.cluster.deletion_protection:
            yield "cluster.deletion_protection", "false", "true is expected"
        if not self.watch.on_call:
            yield "watch.on_call", "nobody", "name an address that somebody reads at night"
