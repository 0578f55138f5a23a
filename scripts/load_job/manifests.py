"""The objects of a load test in a cluster; pure.

Two Jobs: one pod that is the master, and the workers. Neither is tried again: a run with a worker that had to be
started twice would say nothing. The workers and the Secret belong to the master's Job and go with it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from loadtest.distributed.messages import Plan

Object = dict[str, Any]

INSTANCE: Final = "app.kubernetes.io/instance"
COMPONENT: Final = "app.kubernetes.io/component"
PLAN: Final = "/run/load/plan.json"
TTL_S: Final = 3600  # how long a log can still be read after whoever started the run is gone
GRACE_S: Final = 20  # for a pod that is told to end: it sends, or prints, what it has

# One process of one thread each; a limit of CPU under one core would hold it up in mid-second.
MASTER: Final = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
WORKER: Final = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}}


class Place(msgspec.Struct, frozen=True):
    """Where a run takes place; `name` is that of the run."""

    name: str
    namespace: str
    image: str
    secret: str = ""  # the task API's own: the master seeds by it
    limit_s: int = 3600  # after which the cluster ends it whatever happens

    @property
    def master(self) -> str:
        return f"{self.name}-master"

    @property
    def workers(self) -> str:
        return f"{self.name}-workers"

    @property
    def labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": "primetrade-load", INSTANCE: self.name}


def master_job(place: Place) -> Object:
    """The Job that all others belong to."""
    volume = {"name": "plan", "secret": {"secretName": place.name}}
    container = {
        "command": ["python3", "-m", "loadtest.distributed.master", PLAN],
        "resources": MASTER,
        "volumeMounts": [{"name": "plan", "mountPath": PLAN.rpartition("/")[0], "readOnly": True}],
    }
    if place.secret:
        container["env"] = [_from_secret(place.secret, key) for key in ("DATABASE_URL", "JWT_KEYS")]
    return _job(place, "master", container, 1, [volume])


def workers_job(place: Place, plan: Plan, address: str, owner: Object) -> Object:
    """`address`: of the master's pod; `owner`: the master's Job."""
    container = {
        "command": ["python3", "-m", "loadtest.distributed.worker", address, str(plan.port)],
        "resources": WORKER,
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    }
    job = _job(place, "worker", container, plan.workers)
    job["metadata"]["ownerReferences"] = _owned(owner)
    job["spec"]["template"]["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {INSTANCE: place.name, COMPONENT: "worker"}},
        }
    ]
    return job


def plan_secret(place: Place, plan: Plan, owner: Object) -> Object:
    """The plan; in a Secret, since its headers may be credentials."""
    text = base64.b64encode(msgspec.json.encode(plan)).decode("ascii")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": place.name, "labels": place.labels, "ownerReferences": _owned(owner)},
        "immutable": True,
        "data": {PLAN.rpartition("/")[2]: text},
    }


def _job(place: Place, component: str, container: Object, pods: int, volumes: Sequence[Object] = ()) -> Object:
    name = place.master if component == "master" else place.workers
    labels = {**place.labels, COMPONENT: component}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "completions": pods,
            "parallelism": pods,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",  # and so never: a pod that is evicted has failed when it has gone
            "activeDeadlineSeconds": place.limit_s,
            "ttlSecondsAfterFinished": TTL_S,
            "template": {"metadata": {"labels": labels}, "spec": _pod(place, component, container, volumes)},
        },
    }


def _pod(place: Place, name: str, container: Object, volumes: Sequence[Object]) -> Object:
    scratch = {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
    mounts = [*container.get("volumeMounts", []), {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the container's
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                **container,
                "name": name,
                "image": place.image,
                "volumeMounts": mounts,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "volumes": [*volumes, scratch],
    }


def _from_secret(secret: str, key: str) -> Object:
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _owned(owner: Object) -> list[Object]:
    meta = owner["metadata"]
    return [{"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}]
