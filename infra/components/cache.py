"""Valkey on ElastiCache: nodes that fail over, or serverless; TLS only, one user with its own rights."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.groups import group, let_in
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.secret import login_of, secret
from infra.components.site import Component, Site

PORT: Final = 6379
READ_PORT: Final = 6380  # of serverless: reads that may lag behind
USER: Final = "app"
SECRET: Final = "cachePassword"  # noqa: S105 - the name of the stack's secret
# All keys; every command but those that wipe, configure or spy. No channels: the application publishes nothing.
ACCESS: Final = "on ~* +@all -@admin -@dangerous +info"
SNAPSHOTS: Final = "02:00-03:00"  # UTC, before the database's backups
MAINTENANCE: Final = "sun:06:30-sun:07:30"  # UTC, after the database's
LOGS: Final = ("slow-log", "engine-log")


class Cache(Component):
    """`host` takes reads and writes by TLS from the security group `clients`; `secret` holds name and password.

    `nodes` are the names that its metrics have.
    """

    def __init__(self, site: Site, keys: Keys, network: Network) -> None:
        super().__init__("Cache", site)
        self.config = site.platform.cache
        self.keys, self.network = keys, network
        self.clients = group(self, network, "cache-clients", "May connect to the cache")
        self.group = group(self, network, "cache", "The cache")
        let_in(self, self.group, self.clients, PORT)
        if self.config.mode == "serverless":
            let_in(self, self.group, self.clients, READ_PORT, "readers")
        self.users = self._users()
        self.host = self._nodes() if self.config.mode == "nodes" else self._serverless()
        words = site.secret(SECRET).apply(login_of(USER))
        self.secret = secret(self, "cache-secret", keys.data, words, self.config.password_version)
        self.register_outputs({"host": self.host})

    def _users(self) -> Output[str]:
        """A user group without the user `default`: whoever gives no name is nobody."""
        name = self.site.name("cache", USER)
        user = aws.elasticache.User(
            name,
            user_id=name,
            user_name=USER,
            engine="valkey",
            access_string=ACCESS,
            passwords_wo=self.site.secret(SECRET),
            passwords_wo_version=self.config.password_version,
            opts=self.child(),
        )
        users = self.site.name("cache", "users")
        return aws.elasticache.UserGroup(
            users, user_group_id=users, engine="valkey", user_ids=[user.user_id], opts=self.child()
        ).user_group_id

    def _nodes(self) -> Output[str]:
        name, config = self.site.name("cache"), self.config
        subnets = aws.elasticache.SubnetGroup(
            f"{name}-subnets", subnet_ids=list(self.network.subnets["isolated"].values()), opts=self.child()
        )
        self.nodes = [f"{name}-{number:03}" for number in range(1, 2 + config.replicas)]  # as ElastiCache names them
        return aws.elasticache.ReplicationGroup(
            name,
            replication_group_id=name,
            description=f"{self.site.prefix}: cache",
            engine="valkey",
            engine_version=config.version,
            node_type=config.node,
            num_cache_clusters=1 + config.replicas,
            automatic_failover_enabled=config.replicas > 0,
            multi_az_enabled=config.replicas > 0,
            subnet_group_name=subnets.name,
            security_group_ids=[self.group],
            port=PORT,
            at_rest_encryption_enabled=True,
            kms_key_id=self.keys.data,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            user_group_ids=[self.users],
            auto_minor_version_upgrade=True,
            apply_immediately=self.site.platform.apply_now,
            maintenance_window=MAINTENANCE,
            snapshot_retention_limit=config.snapshot_days,
            snapshot_window=SNAPSHOTS,
            log_delivery_configurations=[self._log(kind) for kind in LOGS],
            tags={"Name": name},
            opts=self.child(),
        ).primary_endpoint_address

    def _log(self, kind: str) -> aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgs:
        group_of_logs = aws.cloudwatch.LogGroup(
            self.site.name("cache", kind),
            retention_in_days=self.site.platform.log_days,
            kms_key_id=self.keys.logs,
            opts=self.child(),
        )
        return aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgs(
            destination=group_of_logs.name, destination_type="cloudwatch-logs", log_format="json", log_type=kind
        )

    def _serverless(self) -> Output[str]:
        name, config, args = self.site.name("cache"), self.config, aws.elasticache
        self.nodes = [name]
        return (
            aws.elasticache.ServerlessCache(
                name,
                name=name,
                description=f"{self.site.prefix}: cache",
                engine="valkey",
                major_engine_version=config.version.partition(".")[0],
                cache_usage_limits=args.ServerlessCacheCacheUsageLimitsArgs(
                    data_storage=args.ServerlessCacheCacheUsageLimitsDataStorageArgs(maximum=config.max_gb, unit="GB"),
                    ecpu_per_seconds=[args.ServerlessCacheCacheUsageLimitsEcpuPerSecondArgs(maximum=config.max_ecpu)],
                ),
                subnet_ids=list(self.network.subnets["isolated"].values()),
                security_group_ids=[self.group],
                kms_key_id=self.keys.data,
                user_group_id=self.users,
                snapshot_retention_limit=config.snapshot_days,
                daily_snapshot_time=SNAPSHOTS.partition("-")[0] if config.snapshot_days else None,
                tags={"Name": name},
                opts=self.child(),
            )
            .endpoints[0]
            .address
        )
