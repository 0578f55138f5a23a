"""The application's place: its namespace, its Secret, and the right of the release engine to be there."""

from __future__ import annotations

from typing import Final

from pulumi import Output
from pulumi_kubernetes.rbac.v1 import RoleRefArgs, SubjectArgs

from infra.components.cache import PORT as CACHE_PORT
from infra.components.database import NAME as DATABASE
from infra.components.database import PORT as DATABASE_PORT
from infra.components.identity import APP
from infra.components.release import GROUP
from infra.platform.outputs import Outputs

STORE: Final = "aws"
# helm/slot's pods are within the strictest profile; nothing else is let in.
PROFILE: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
OWN: Final = ("JWT_KEYS", "CURSOR_KEY", "ADMIN_TOKEN")  # settings of app/settings.py that only the application knows
Spec = dict[str, object]


def store(region: str) -> Spec:
    """A ClusterSecretStore: Secrets Manager, by the role that the controller's pods are lent."""
    return {"provider": {"aws": {"service": "SecretsManager", "region": region}}}


def secret(said: Outputs) -> Spec:
    """An ExternalSecret that becomes the Secret which `secret: task-api` of helm/slot names."""
    parts = {"database": said.database_secret, "cache": said.cache_secret}
    logins = [
        {"secretKey": f"{part}_{field}", "remoteRef": {"key": arn, "property": field}}
        for part, arn in parts.items()
        for field in ("username", "password")
    ]
    own = [{"secretKey": name, "remoteRef": {"key": said.app_secret, "property": name}} for name in OWN]
    return {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
        "target": {
            "name": APP,
            "creationPolicy": "Owner",
            "template": {"data": {**urls(said), **{name: f"{{{{ .{name} }}}}" for name in OWN}}},
        },
        "data": [*logins, *own],
    }


def urls(said: Outputs) -> dict[str, Output[str]]:
    """The two addresses with names and passwords, which are put in only in the cluster."""

    def login(part: str) -> str:
        return f"{{{{ .{part}_username | urlquery }}}}:{{{{ .{part}_password | urlquery }}}}"

    end = f":{DATABASE_PORT}/{DATABASE}?sslmode=require"
    return {
        "DATABASE_URL": Output.concat("postgresql://", login("database"), "@", said.database_host, end),
        "REDIS_URL": Output.concat("rediss://", login("cache"), "@", said.cache_host, f":{CACHE_PORT}/0"),
    }


def binding() -> tuple[RoleRefArgs, list[SubjectArgs]]:
    """Who the release engine is to AWS gets the Role that helm/router makes for it."""
    group = "rbac.authorization.k8s.io"
    role = RoleRefArgs(api_group=group, kind="Role", name=f"{APP}-deployer")
    return role, [SubjectArgs(api_group=group, kind="Group", name=GROUP)]
