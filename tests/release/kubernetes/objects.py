"""Objects as an API server has them, written out as far as they are looked at."""

from __future__ import annotations

from typing import Any

import msgspec

from scripts.release.kubernetes.slots import DIGEST, RELEASE, REPLICAS, Parts
from scripts.release.slots import Release

Object = dict[str, Any]

SHOP = Release("1.1.0", (), {}, "local/shop:1.1.0", {"ports": {"admin": 9090}})
RUNNING: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def deployment(release: Release = SHOP, replicas: int = 2, **notes: str) -> Object:
    """As the engine left it."""
    annotations = {RELEASE: msgspec.json.encode(release).decode(), REPLICAS: str(replicas), **notes}
    container = {"name": "app", "image": release.image, "ports": [{"name": "admin", "containerPort": 9090}]}
    return {
        "metadata": {
            "name": "shop-green",
            "generation": 3,
            "labels": {"app.kubernetes.io/version": release.version},
            "annotations": annotations,
        },
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 3},
    }


def pod(name: str, release: Release = SHOP, *, ready: bool = True, **status: Any) -> Object:
    """A pod whose application runs, unless `status` says otherwise."""
    container = {"restartCount": 0, "ready": ready, "started": True, "state": RUNNING, "containerID": f"c-{name}"}
    conditions = [{"type": "Ready", "status": str(ready)}]
    ports = [{"name": "traffic", "containerPort": 8080}, {"name": "admin", "containerPort": 9090}]
    return {
        "metadata": {"name": name, "uid": f"u-{name}", "annotations": {DIGEST: release.digest}, "labels": {}},
        "spec": {"containers": [{"name": "app", "image": release.image, "ports": ports}]},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [{**container, **status}]},
    }


def slices(*names: str, ready: bool = True) -> list[Object]:
    """The EndpointSlice of the slot's Service."""
    return [{"endpoints": [{"targetRef": {"name": name}, "conditions": {"ready": ready}} for name in names]}]


def slot(*pods: Object, receiving: list[Object] | None = None, of: Object | None = None) -> Parts:
    """Green; its pods receive requests unless said otherwise."""
    names = [each["metadata"]["name"] for each in pods]
    return Parts("green", of or deployment(), pods, slices(*names) if receiving is None else receiving)
