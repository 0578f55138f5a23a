"""PostgreSQL on RDS: a primary with its standby, its replicas, and the secret of their owner."""

from __future__ import annotations

from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import Output

from infra.components.groups import group, let_in
from infra.components.iam import assumed_by
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.roles import Granted, granted
from infra.components.secret import login_of, secret
from infra.components.site import Component, Site
from infra.components.storage import limit_gb

PORT: Final = 5432
NAME: Final = "primetrade"  # of the database and of its owner
PARAMETERS: Final = {
    "rds.force_ssl": "1",
    # Blue/green to the next major version replicates so, and it is read at a start: set on the day, production would
    # restart twice. It costs WAL, the keys of rows that are changed or deleted; without a slot nothing is held back.
    "rds.logical_replication": "1",
    "log_min_duration_statement": "1000",  # ms
    "log_lock_waits": "1",
    "idle_in_transaction_session_timeout": "60000",  # ms; one forgotten transaction holds back every vacuum
}
SECRET: Final = "databasePassword"  # noqa: S105 - the name of the stack's secret
APP: Final = "app"  # the application's user, whom its migration makes: app/grants.py
APP_SECRET: Final = "databaseAppPassword"  # noqa: S105 - as above
LOGS: Final = ("postgresql", "upgrade")
INSIGHT_DAYS: Final = {"standard": 7, "advanced": 465}  # what Database Insights wants for each
MONITORING: Final = "service-role/AmazonRDSEnhancedMonitoringRole"


class Database(Component):
    """`host` takes reads and writes, `readers` take reads; `clients` is the security group that may come to either.

    `secret` is the ARN of the owner's name and password in Secrets Manager, `app_secret` that of the application's.
    Both are None where this follows another region.
    """

    def __init__(self, site: Site, keys: Keys, network: Network) -> None:
        super().__init__("Database", site)
        self.config = site.platform.database
        self.keys, self.network = keys, network
        self.managed = self.config.password == "managed"  # noqa: S105 - a way, not a password
        self.clients = group(self, network, "database-clients", "May connect to the database")
        self.group = group(self, network, "database", "The database")
        let_in(self, self.group, self.clients, PORT)
        self.monitor = self._monitor()
        self.common = self._common()
        self.primary = self._primary()
        replicas = [site.name("database", "replica", str(number)) for number in range(1, self.config.replicas + 1)]
        self.instances = [self.primary, *map(self._replica, replicas)]
        self.host, *self.readers = (each.address for each in self.instances)
        self.identifiers = [site.name("database"), *replicas]  # the primary's first
        self.secret, self.app_secret = self._secret(), self._app_secret()
        self.register_outputs({"host": self.host, "readers": self.readers})

    def _common(self) -> dict[str, Any]:
        """What the primary and its replicas have in common."""
        config = self.config
        watched = {
            "monitoring_interval": config.monitoring_s,
            "monitoring_role_arn": self.monitor.arn if self.monitor else None,
        }
        return {
            "instance_class": config.instance,
            "storage_type": "gp3",
            "storage_encrypted": True,
            "max_allocated_storage": limit_gb(config.storage_gb, config.data_gb),
            "publicly_accessible": False,
            "vpc_security_group_ids": [self.group],
            "parameter_group_name": self._parameters(),
            "iam_database_authentication_enabled": True,
            "ca_cert_identifier": "rds-ca-rsa2048-g1",
            "auto_minor_version_upgrade": True,
            "maintenance_window": config.maintenance_window,
            "apply_immediately": self.site.platform.apply_now,
            "deletion_protection": config.deletion_protection,
            "copy_tags_to_snapshot": True,
            "enabled_cloudwatch_logs_exports": list(LOGS),
            "database_insights_mode": config.insights,
            "performance_insights_enabled": True,
            "performance_insights_retention_period": INSIGHT_DAYS[config.insights],
            "performance_insights_kms_key_id": self.keys.data,
            **(watched if self.monitor else {}),
        }

    def _parameters(self) -> Output[str]:
        """By family in its name, so that the next major version finds its own before the old one goes."""
        family = f"postgres{self.config.version}"
        values = [
            aws.rds.ParameterGroupParameterArgs(name=key, value=value, apply_method="pending-reboot")
            for key, value in PARAMETERS.items()
        ]
        return aws.rds.ParameterGroup(
            self.site.name("database", family), family=family, parameters=values, opts=self.child()
        ).name

    def _monitor(self) -> Granted | None:
        if not self.config.monitoring_s:
            return None
        trust = assumed_by("monitoring.rds.amazonaws.com", self.site.account)
        return granted(self, self.site.name("database", "monitoring"), trust, MONITORING)

    def _before(self, identifier: str) -> list[pulumi.Resource]:
        """What an instance waits for: logs, which RDS would make and keep for ever, and a right that RDS looks for."""
        logs = [
            aws.cloudwatch.LogGroup(
                f"{identifier}-{kind}",
                name=f"/aws/rds/instance/{identifier}/{kind}",
                retention_in_days=self.site.platform.log_days,
                kms_key_id=self.keys.logs,
                opts=self.child(),
            )
            for kind in LOGS
        ]
        return [*logs, *(self.monitor.rights if self.monitor else [])]

    def _primary(self) -> aws.rds.Instance:
        name, config = self.site.name("database"), self.config
        # RDS makes no last snapshot of a replica, and refuses to delete one that it is asked of.
        last = self.site.platform.keeps_data and not config.replica_of
        subnets = aws.rds.SubnetGroup(
            f"{name}-subnets", subnet_ids=list(self.network.subnets["isolated"].values()), opts=self.child()
        )
        return aws.rds.Instance(
            name,
            identifier=name,  # the second region's file names it
            db_subnet_group_name=subnets.name,
            kms_key_id=self.keys.data,
            multi_az=config.multi_az,
            backup_retention_period=config.backup_days,
            backup_window=config.backup_window,
            delete_automated_backups=not self.site.platform.keeps_data,
            skip_final_snapshot=not last,
            final_snapshot_identifier=f"{name}-final" if last else None,
            tags={"Name": name},
            opts=self.kept(*self._before(name)),
            **self.common,
            **({"replicate_source_db": config.replica_of} if config.replica_of else self._new()),
        )

    def _new(self) -> dict[str, Any]:
        return {
            "engine": "postgres",
            "engine_version": self.config.version,
            "allocated_storage": self.config.storage_gb,
            "db_name": NAME,
            "username": NAME,
            **self._password(),
        }

    def _password(self) -> dict[str, Any]:
        if self.managed:
            return {"manage_master_user_password": True, "master_user_secret_kms_key_id": self.keys.data}
        return {"password_wo": self.site.secret(SECRET), "password_wo_version": self.config.password_version}

    def _replica(self, name: str) -> aws.rds.Instance:
        return aws.rds.Instance(
            name,
            identifier=name,
            replicate_source_db=self.primary.identifier,
            skip_final_snapshot=True,  # it holds nothing of its own
            tags={"Name": name},
            opts=self.child(*self._before(name)),
            **self.common,
        )

    def _secret(self) -> Output[str] | None:
        if self.config.replica_of:
            return None
        if self.managed:
            return self.primary.master_user_secrets[0].secret_arn
        words = self.site.secret(SECRET).apply(login_of(NAME))
        return secret(self, "database-secret", self.keys.data, words, self.config.password_version)

    def _app_secret(self) -> Output[str] | None:
        if self.config.replica_of:
            return None
        words = self.site.secret(APP_SECRET).apply(login_of(APP))
        return secret(self, "database-app-secret", self.keys.data, words, self.config.app_password_version)
