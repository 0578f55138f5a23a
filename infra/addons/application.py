"""The application's place: its namespace, its Secrets, and the right of the release engine to be there."""

from __future__ import annotations

from typing import Final

from pulumi import Input, Output
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs, RoleRefArgs, SubjectArgs

from infra.components.cache import PORT as CACHE_PORT
from infra.components.database import NAME as DATABASE
from infra.components.database import PORT as DATABASE_PORT
from infra.components.identity import APP
from infra.platform.outputs import Outputs

STORE: Final = "aws"
OWNER: Final = f"{APP}-owner"
# helm/slot's pods are within the strictest profile; nothing else is let in.
PROFILE: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
OWN: Final = ("JWT_KEYS", "CURSOR_KEY", "ADMIN_TOKEN")  # settings of app/settings.py that only the application knows
Rule = tuple[str, list[str], list[str], list[str]]  # API group, resources, verbs, names
LOOKS: Final[tuple[Rule, ...]] = (
    ("apps", ["deployments"], ["list"], []),
    ("discovery.k8s.io", ["endpointslices"], ["list"], []),
    ("", ["pods"], ["list"], []),
    ("", ["pods/proxy"], ["get"], []),  # the version that a pod says
    ("", ["configmaps"], ["get"], [f"{APP}-rollout"]),  # the engine's journal
    ("coordination.k8s.io", ["leases"], ["get"], [f"{APP}-rollout"]),  # who is at work
    # Of whichever router: the route, and who else sends to the pods.
    ("", ["services"], ["get"], [APP]),
    ("networking.k8s.io", ["ingresses"], ["get"], [APP]),
    ("gateway.networking.k8s.io", ["httproutes"], ["get"], [APP]),
    ("elbv2.k8s.aws", ["targetgroupbindings"], ["list"], []),
)
Spec = dict[str, object]


def store(region: str) -> Spec:
    """A ClusterSecretStore: Secrets Manager, by the role that the controller's pods are lent."""
    return {"provider": {"aws": {"service": "SecretsManager", "region": region}}}


def secret(said: Outputs) -> Spec:
    """An ExternalSecret that becomes the Secret which `secret: task-api` of helm/eks-slot.yaml names."""
    own: list[Spec] = [{"secretKey": name, "remoteRef": {"key": said.app_secret, "property": name}} for name in OWN]
    words: dict[str, Input[str]] = {
        "DATABASE_URL": _database("database", said),
        "REDIS_URL": Output.concat("rediss://", _login("cache"), "@", said.cache_host, f":{CACHE_PORT}/0"),
        **{name: f"{{{{ .{name} }}}}" for name in OWN},
    }
    logins = (*_asked("database", said.database_app_secret), *_asked("cache", said.cache_secret))
    return _external(APP, words, [*logins, *own])


def owner_secret(said: Outputs) -> Spec:
    """An ExternalSecret that becomes the Secret which `migration.secret` of helm/eks-slot.yaml names."""
    return _external(OWNER, {"OWNER_DATABASE_URL": _database("owner", said)}, _asked("owner", said.database_secret))


def _external(name: str, words: dict[str, Input[str]], data: list[Spec]) -> Spec:
    return {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
        "target": {"name": name, "creationPolicy": "Owner", "template": {"data": words}},
        "data": data,
    }


def _asked(part: str, secret: Input[str] | None) -> list[Spec]:
    """Name and password of a login, as a template has them."""
    fields = ("username", "password")
    return [{"secretKey": f"{part}_{each}", "remoteRef": {"key": secret, "property": each}} for each in fields]


def _login(part: str) -> str:
    """Which are put in only in the cluster, quoted for an address."""
    return f"{{{{ .{part}_username | urlquery }}}}:{{{{ .{part}_password | urlquery }}}}"


def _database(part: str, said: Outputs) -> Output[str]:
    end = f":{DATABASE_PORT}/{DATABASE}?sslmode=require"
    return Output.concat("postgresql://", _login(part), "@", said.database_host, end)


def binding(role: str, group: str) -> tuple[RoleRefArgs, list[SubjectArgs]]:
    """Who comes to the cluster as this group gets a Role of the namespace."""
    rbac = "rbac.authorization.k8s.io"
    return RoleRefArgs(api_group=rbac, kind="Role", name=role), [SubjectArgs(api_group=rbac, kind="Group", name=group)]


def looks() -> list[PolicyRuleArgs]:
    """What `release plan` asks about the application: no Secret, no log, nothing that changes anything.

    The Ingress says the load balancer's keys: CloudFront's and the preview's.
    """
    return [
        PolicyRuleArgs(api_groups=[group], resources=resources, verbs=verbs, resource_names=names or None)
        for group, resources, verbs, names in LOOKS
    ]
