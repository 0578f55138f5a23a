"""RDS Proxy: holds clients through a failover, and pools the connections of those that set nothing in a session.

The application sets its time limits, so each of its connections keeps one of the database's (AWS calls it pinned).
"""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import Output

from infra.components.database import PORT, Database
from infra.components.groups import group, let_in, let_out
from infra.components.iam import allow, assumed_by, policy
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.roles import Granted, granted
from infra.components.site import Component, Site


class Proxy(Component):
    """`host` takes what the database's own takes, from the same clients."""

    def __init__(self, site: Site, keys: Keys, network: Network, database: Database) -> None:
        super().__init__("Proxy", site)
        logins = [each for each in (database.secret, database.app_secret) if each is not None]
        assert logins  # the configuration refuses a proxy of what has none
        own = self.group = group(self, network, "proxy", "Proxy of the database")
        let_in(self, own, database.clients, PORT)
        let_out(self, own, database.group, PORT, "database")
        let_in(self, database.group, own, PORT, "proxy")
        self.name = site.name("proxy")  # as its metrics have it
        role = self._reader(keys.data, logins)
        proxy = aws.rds.Proxy(
            self.name,
            name=self.name,
            engine_family="POSTGRESQL",
            auths=[
                aws.rds.ProxyAuthArgs(auth_scheme="SECRETS", iam_auth="DISABLED", secret_arn=each) for each in logins
            ],
            require_tls=True,
            role_arn=role.arn,
            vpc_security_group_ids=[own],
            vpc_subnet_ids=list(network.subnets["isolated"].values()),
            tags={"Name": site.name("proxy")},
            opts=self.child(*role.rights),
        )
        pool = aws.rds.ProxyDefaultTargetGroup(site.name("proxy", "pool"), db_proxy_name=proxy.name, opts=self.child())
        aws.rds.ProxyTarget(
            site.name("proxy", "target"),
            db_proxy_name=proxy.name,
            target_group_name=pool.name,
            db_instance_identifier=database.primary.identifier,
            opts=self.child(),
        )
        self.host = proxy.endpoint
        self.register_outputs({"host": self.host})

    def _reader(self, key: Output[str], logins: list[Output[str]]) -> Granted:
        trust = assumed_by("rds.amazonaws.com", self.site.account)
        may = Output.all(key, self.site.region, *logins).apply(lambda each: may_read(*each))
        return granted(self, self.site.name("proxy", "role"), trust, own=may)


def may_read(key: str, region: str, *secrets: str) -> str:
    """A policy that reads these secrets, and uses their key by way of Secrets Manager only."""
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
    return policy(
        allow(["secretsmanager:GetSecretValue"], secrets), {**allow(["kms:Decrypt"], [key]), "Condition": via}
    )
