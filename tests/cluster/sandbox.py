"""A namespace for one test: pods in it keep to the profile `restricted`, and go with it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from scripts.cluster.addons.images import archives
from scripts.cluster.addons.kubectl import Kubectl

T = TypeVar("T")
Object = dict[str, Any]
LIMIT_S = 60.0
_CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_POD = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
_TYPE = "type.googleapis.com/envoy.extensions.filters"


class Sandbox(msgspec.Struct, frozen=True):
    """The namespace, and how to act in it."""

    kubectl: Kubectl
    namespace: str
    images: Mapping[str, str]  # add-on to the name of its image

    def apply(self, *objects: Object) -> None:
        """Make these objects, in this namespace."""
        placed = [{**each, "metadata": {"namespace": self.namespace, **each["metadata"]}} for each in objects]
        self.kubectl.apply("\n---\n".join(json.dumps(each) for each in placed))

    def run(self, *words: str, timeout_s: float = 30) -> str:
        """What kubectl prints when it is told `words` about this namespace."""
        return self.kubectl.run(*words, f"--namespace={self.namespace}", timeout_s=timeout_s)

    def get(self, *words: str) -> Any:
        """The object that kubectl finds in this namespace."""
        return self.kubectl.get(*words, f"--namespace={self.namespace}")

    def list(self, *words: str) -> list[Any]:
        """The objects that kubectl finds in this namespace."""
        return self.kubectl.list(*words, f"--namespace={self.namespace}")

    def ready(self, deployment: str) -> None:
        """Wait until every pod of a Deployment is ready."""
        words = ("rollout", "status", f"deployment/{deployment}", "--timeout=60s")
        self.kubectl.run(*words, f"--namespace={self.namespace}", timeout_s=70)

    def deployment(self, name: str, image: str, *args: str, replicas: int | None = 1, **container: Any) -> Object:
        """A Deployment of one container, labelled by its name."""
        labels = {"app": name, **container.pop("labels", {})}
        one = {
            "name": "main",
            "image": self.images[image],
            "imagePullPolicy": "Never",
            "args": list(args),
            "securityContext": _CONFINED,
            "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        }
        template = {
            "metadata": {"labels": labels, "annotations": container.pop("annotations", {})},
            "spec": {
                "securityContext": _POD,
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [{**one, **container}],
            },
        }
        spec: Object = {"selector": {"matchLabels": {"app": name}}, "template": template}
        if replicas is not None:
            spec["replicas"] = replicas
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}

    def server(self, slot: str) -> Object:
        """Two pods that answer every request with the name of their slot, and have metrics on a port `admin`."""
        return self.deployment(
            slot,
            "envoy",
            *("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"),
            *("--config-yaml", json.dumps(answering({"inline_string": slot}))),
            replicas=2,
            labels={"slot": slot},
            annotations={"prometheus.io/path": "/stats/prometheus"},
            ports=[{"name": "traffic", "containerPort": 8080}, {"name": "admin", "containerPort": 9901}],
            readinessProbe={"httpGet": {"path": "/", "port": "traffic"}, "periodSeconds": 1},
            lifecycle={"preStop": {"sleep": {"seconds": 1}}},
        )

    def service(self, name: str) -> Object:
        """The Service of a Deployment, from port 80 to its `traffic`."""
        spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "traffic"}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def answering(body: Object) -> Object:
    """Envoy's configuration: one listener that answers by itself, with the text of a DataSource."""
    answer = {"status": 200, "body": body}
    routes = [{"match": {"prefix": "/"}, "direct_response": answer}]
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "admin": {"address": _address(9901)},
        "static_resources": {"listeners": [{"address": _address(8080), "filter_chains": [chain]}]},
    }


def _address(port: int) -> Object:
    return {"socket_address": {"address": "0.0.0.0", "port_value": port}}


@contextmanager
def sandbox(kubeconfig: Path, prefix: str) -> Iterator[Sandbox]:
    """A fresh namespace, its name beginning with `prefix`; deleted afterwards with all that is in it."""
    kubectl, name = Kubectl(kubeconfig), f"{prefix}-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    try:
        yield Sandbox(kubectl, name, _images())
    finally:
        kubectl.run("delete", "namespace", name, "--wait=false")


@cache
def _images() -> dict[str, str]:
    return {archive.name: archive.reference for archive in archives(print)}


def eventually(what: Callable[[], T], limit_s: float = LIMIT_S) -> T:
    """The first true answer of `what`; fails with the last one when none comes in time."""
    end = time.monotonic() + limit_s
    while not (answer := what()) and time.monotonic() < end:
        time.sleep(0.1)
    assert answer, f"still {answer!r} after {limit_s:.0f} s"
    return answer
