"""ConfigMaps that Helm keeps for rollbacks: those that no pod template of their slot names any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.release.kubernetes.client import Api


def reap(api: Api, namespace: str, name: str) -> None:
    """Delete what is left over of slot `name` (APP-SLOT)."""
    for each in left_over(api, namespace, name):
        api.delete(f"/api/v1/namespaces/{namespace}/configmaps/{each}")


def left_over(api: Api, namespace: str, name: str) -> list[str]:
    """The names of a slot's ConfigMaps that nothing needs: a revision of the Deployment still finds its own."""
    app, _, slot = name.rpartition("-")
    labels = f"app.kubernetes.io/instance={app},slot={slot}"
    kept = api.list(f"/api/v1/namespaces/{namespace}/configmaps", labels=f"{labels},app.kubernetes.io/component=slot")
    if not kept:
        return []
    templates = [
        *api.list(f"/apis/apps/v1/namespaces/{namespace}/deployments", labels=labels),
        *api.list(f"/apis/apps/v1/namespaces/{namespace}/replicasets", labels=labels),
    ]
    needed = set(named(templates))
    return [each["metadata"]["name"] for each in kept if each["metadata"]["name"] not in needed]


def named(templates: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The ConfigMaps that the containers of these take their environment from."""
    for each in templates:
        if "deletionTimestamp" in each["metadata"]:
            continue
        for container in each["spec"]["template"]["spec"]["containers"]:
            for source in container.get("envFrom") or ():
                if "configMapRef" in source:
                    yield source["configMapRef"]["name"]
