"""The rights that a release needs in its namespace, by its router and by what its values ask for; pure.

The Role of the chart helm/router gives these and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.release.kubernetes.values import SECTIONS, autoscaler

_OWN = ("get", "create", "patch", "delete")  # of what Helm installs
# Kinds that the slot chart makes where its values say so, by the name of the section.
ASKED: Mapping[str, tuple[str, str]] = {
    "hpa": ("autoscaling", "horizontalpodautoscalers"),
    "networkPolicy": ("networking.k8s.io", "networkpolicies"),
    "keda": ("keda.sh", "scaledobjects"),
    "serviceMonitor": ("monitoring.coreos.com", "servicemonitors"),
    "externalSecret": ("external-secrets.io", "externalsecrets"),
}
# What an administrator turns on in the router chart for some of them.
ALLOW = {"keda.sh": "keda", "monitoring.coreos.com": "serviceMonitors", "external-secrets.io": "externalSecrets"}


class Right(NamedTuple):
    """Verbs on a resource, of one object alone where it has a name."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    name: str = ""

    @property
    def what(self) -> str:
        """The resource as kubectl names it."""
        return f"{self.resource}{f'.{self.group}' if self.group else ''}"


_ALWAYS = (
    Right("apps", "deployments", ("get", "list", "create", "patch", "delete")),
    Right("apps", "replicasets", ("list",)),
    Right("", "services", _OWN),
    Right("", "configmaps", ("get", "list", "create", "update", "patch", "delete")),
    Right("", "serviceaccounts", _OWN),
    Right("", "secrets", ("get", "list", "create", "update", "delete")),
    Right("", "pods", ("get", "list")),
    Right("", "pods/log", ("get",)),
    Right("", "pods/proxy", ("get", "create")),
    Right("", "events", ("list", "create")),
    Right("policy", "poddisruptionbudgets", _OWN),
    Right("batch", "jobs", _OWN),
    Right("discovery.k8s.io", "endpointslices", ("list",)),
    Right("coordination.k8s.io", "leases", ("create",)),
)


def rights(app: str, router: str, wants: set[str], gateways: set[str]) -> list[Right]:
    """All of them. `wants`: names of ASKED; `gateways`: those of the namespace that the route is attached to."""
    httproutes, ingresses = ("gateway.networking.k8s.io", "httproutes"), ("networking.k8s.io", "ingresses")
    return [
        *_ALWAYS,
        Right("coordination.k8s.io", "leases", ("get", "update"), f"{app}-rollout"),
        *(Right(*kind, _OWN) for name, kind in ASKED.items() if name in wants),
        Right(*httproutes, ("get", "patch") if router == "gateway" else ("get",), app),
        Right(*ingresses, ("get", "patch") if router == "alb" else ("get",), app),
        *([Right(*httproutes, ("get",), f"{app}-preview")] if router == "gateway" else []),
        *(Right("gateway.networking.k8s.io", "gateways", ("get",), name) for name in sorted(gateways)),
        *([] if router == "gateway" else [Right("elbv2.k8s.aws", "targetgroupbindings", ("list",))]),
    ]


def wanted(values: Mapping[str, Any]) -> set[str]:
    """The kinds of ASKED that a slot's values make."""
    sections = {name for name in ASKED.keys() & set(SECTIONS) if (values.get(name) or {}).get("enabled")}
    return sections | ({autoscaler(values)} & ASKED.keys())


def gateways(route: Mapping[str, Any] | None, namespace: str) -> set[str]:
    """The Gateways in a namespace that an HTTPRoute of it is attached to."""
    parents = (route or {}).get("spec", {}).get("parentRefs") or ()
    return {each["name"] for each in parents if each.get("namespace", namespace) == namespace}
