"""An application of its own on the real cluster, released under the deployer's ServiceAccount and nothing more."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from scripts.release.errors import ReleaseError
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.journal import Holder
from scripts.release.kubernetes.client import Api, Object
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.route import Target
from scripts.tools import tool
from tests.helm.render import HELM
from tests.release.texts import PROFILE, TARGETS

LIMIT_S = 90.0
ANSWER_S = 2.0
KEY = "0123456789abcdef"
TOKEN = "a token of the tests"
ARTEFACT = (Path(__file__).parents[2] / "local" / "artefact.py").read_text()
RELEASE = """
version: 1
service: shop
platform: kubernetes
artefact: {{}}
schema: {{min: 1, max: 3, expand: ["{{python}}", "-c", "print('level 3')"]}}
steps: {steps}
hold: {{duration: 1s, limit: 60s}}
gates:
  smoke: [{{path: /health}}]
  analysis: {{profile: {profile}, rate: 200, duration: 1s}}
  compare: {{margin: 0.05, latency_ms: 2000}}
bake: {{duration: 2s, limit: 60s, failure_share: 0.02, checks: [{{path: /health}}]}}
warm: 30m
timeouts: {{ready: 60s, verify: 15s, drain: 10s}}
kubernetes:
  namespace: {namespace}
  chart: {chart}
  values: [values.yaml]
  image: {image}
  secret: shop
  router: {router}
  edge: "{edge}"
  prometheus: "{prometheus}"
"""


def values(**more: Any) -> dict[str, Any]:
    """Values of the chart for the slots' twin, in any image that has Python."""
    return {
        "ports": {"traffic": 8080, "admin": 9090},
        "command": ["python3", "-c", ARTEFACT],
        "config": {
            "BIND": "0.0.0.0",
            "PORT": "8080",
            "ADMIN_PORT": "9090",
            "SLOT": "{{ .Values.slot }}",
            "APP_VERSION": "{{ .Values.version }}",
            "METRICS": "1",
        },
        "probes": {
            "startup": {"path": "/startupz", "port": "admin"},
            "readiness": {"path": "/readyz", "port": "admin"},
            "liveness": {"path": "/livez", "port": "admin"},
        },
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
        "image": {"pullPolicy": "IfNotPresent"},
        "shutdown": {"sleepSeconds": 2},
        **more,
    }


def led(edge: str, slot: str, headers: Mapping[str, str] | None = None) -> None:
    """Wait until users who come now are led to `slot`, and forget earlier connections.

    kube-proxy looks once a second, and takes away the rule that refuses for a Service without pods before it adds the
    one that leads to them. Who comes in between is remembered as led nowhere, and is never answered.
    """
    until(lambda: _answers(edge, slot, headers or {}))
    _forget(edge)


def _answers(edge: str, slot: str, headers: Mapping[str, str]) -> bool:
    """Whether a new connection gets an answer of `slot`, or one that says no slot."""
    parts = urlsplit(edge)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=ANSWER_S)
    with suppress(OSError, http.client.HTTPException), closing(link):
        link.request("GET", "/", headers=dict(headers))
        answer = link.getresponse()
        return answer.getheader("x-slot", slot if answer.status == 200 else "") == slot
    return False


def _forget(edge: str) -> None:
    """Drop the memory of connections to pods that are gone: the kernel leads a new one from the same port there."""
    address = urlsplit(edge).hostname
    words = ["conntrack", "--delete", "--proto=tcp", f"--orig-dst={address}"]
    subprocess.run(words, capture_output=True, timeout=30, check=False)  # ends with 1 where there was none


class Bed:
    """A namespace with the router's release and its deployer."""

    def __init__(self, cluster: Path, folder: Path, image: str, router: str) -> None:
        self.admin = Api.connect("", str(cluster))
        self.cluster, self.folder, self.image, self.router = cluster, folder, image, router
        self.namespace = f"test-f-{secrets.token_hex(4)}"
        self.space = f"/api/v1/namespaces/{self.namespace}"
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": restricted}})
        secret = {"metadata": {"name": "shop"}, "stringData": {"ADMIN_TOKEN": TOKEN}}
        self.admin.create(f"{self.space}/secrets", secret)
        self.install_router()
        self.kubeconfig = self._kubeconfig()

    def install_router(self) -> None:
        """As an administrator does: the routing object, and the Role."""
        told: dict[str, Any] = {"driver": self.router, "deployer": {"enabled": True}}
        if self.router == "gateway":
            gateway = {"gatewayClassName": "envoy", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
            path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/gateways"
            kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"}}
            self.admin.create(path, {**kind, "spec": gateway})
            told |= {"gateway": {"parents": {"edge": {}}}, "preview": {"key": KEY}}
        self.helm("upgrade", "--install", "shop", str(HELM / "router"), "--values", "-", given=json.dumps(told))

    def helm(self, *words: str, given: str = "") -> str:
        argv = [str(tool("helm")), *words, f"--namespace={self.namespace}", f"--kubeconfig={self.cluster}"]
        done = subprocess.run(
            argv, input=given, text=True, capture_output=True, timeout=60, check=False, cwd=HELM.parent
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def file(self, steps: str = "[100]", *overrides: str, **more: Any) -> ReleaseFile:
        """The release file, with `KEY=VALUE` laid over it, and with more values of the chart."""
        (self.folder / "slo.yaml").write_text(TARGETS)
        (self.folder / "values.yaml").write_text(yaml.safe_dump(values(**more)))
        (self.folder / "analysis.yaml").write_text(PROFILE)
        text = RELEASE.format(
            steps=steps,
            profile=self.folder / "analysis.yaml",
            namespace=self.namespace,
            chart=HELM / "slot",
            image=self.image,
            router=self.router,
            edge=self.edge(),
            prometheus=self.service("monitoring", "prometheus"),
        )
        path = self.folder / "release.yaml"
        path.write_text(text)
        return read_release_file(path, overrides)

    def platform(self, file: ReleaseFile) -> Kubernetes:
        """As the deployer, who has the Role and nothing more."""
        return Kubernetes(self.folder, file, Api.connect("", self.kubeconfig))

    def anew(self, file: ReleaseFile) -> Kubernetes:
        """1.0.0 in blue, nothing in green, no journal, and no run that anybody remembers."""
        platform = self.platform(file)
        form = {"service": f"{self.space}/services/shop", "gateway": f"{self.routes}/shop"}[self.router]
        self.admin.delete(f"{self.space}/configmaps/shop-rollout")
        self.admin.delete(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/shop-rollout")
        self.admin.merge_patch(form, {"metadata": {"annotations": {"primetrade/run": None, "primetrade/fence": None}}})
        blue, replicas = platform.observe().slots["blue"], file.settings.artefact.replicas
        if blue.running and (blue.digest, blue.capacity) == (file.release("1.0.0", {}).digest, replicas):
            until(lambda: _undrained(platform))
            platform.route(Target.all_on("blue"), platform.observe().route.token, "r0", 1)
        else:
            self.uninstall("blue")
            live(platform, file, replicas=replicas)
        platform.retire("green", 1)
        self._sweep("green")
        self.admin.delete(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/shop-rollout")
        self.admin.merge_patch(form, {"metadata": {"annotations": {"primetrade/run": None, "primetrade/fence": None}}})
        until(lambda: not platform.observe().slots["green"].running)
        led(platform.edge(), "blue")
        return platform

    def uninstall(self, slot: str) -> None:
        """By hand, whoever is on it."""
        self.helm("uninstall", f"shop-{slot}", "--ignore-not-found")
        self._sweep(slot)
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        until(lambda: not self.admin.list(slices, labels=f"kubernetes.io/service-name=shop-{slot}"))

    def _sweep(self, slot: str) -> None:
        """Delete what a Deployment that is gone left: after an outage the garbage collector may miss it for good."""
        sets = f"/apis/apps/v1/namespaces/{self.namespace}/replicasets"
        for path in (sets, f"{self.space}/pods"):
            for each in self.admin.list(path, labels=f"app.kubernetes.io/instance=shop,slot={slot}"):
                self.admin.delete(f"{path}/{each['metadata']['name']}")

    def pods(self, slot: str) -> list[Object]:
        """Those of a slot that are not on their way out."""
        found = self.admin.list(f"{self.space}/pods", labels=f"app.kubernetes.io/instance=shop,slot={slot}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def break_(self, slot: str, **faults: float) -> None:
        """Have every pod of a slot do wrong from now on."""
        headers = {"x-admin-token": TOKEN, "content-type": "application/json"}
        for pod in self.pods(slot):
            at = f"{self.space}/pods/{pod['metadata']['name']}:9090/proxy/admin/faults"
            assert self.admin.proxy(at, "POST", headers, json.dumps(faults).encode()).status == 200

    @property
    def routes(self) -> str:
        return f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/httproutes"

    def edge(self) -> str:
        if self.router == "service":
            return ""
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/gateways/edge"
        found = until(lambda: (self.admin.get(path) or {}).get("status", {}).get("addresses"))
        return f"http://{found[0]['value']}"

    def service(self, namespace: str, name: str) -> str:
        found = self.admin.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        assert found
        return f"http://{found['spec']['clusterIP']}:{found['spec']['ports'][0]['port']}"

    def end(self) -> None:
        self.admin.delete(f"/api/v1/namespaces/{self.namespace}")

    def _kubeconfig(self) -> str:
        """The administrator's, with the deployer's token in the place of his certificate."""
        found = yaml.safe_load(self.cluster.read_text())
        account = f"{self.space}/serviceaccounts/shop-deployer/token"
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = {**kind, "spec": {"expirationSeconds": 3600}}
        asked = self.admin.proxy(account, "POST", {"content-type": "application/json"}, json.dumps(body).encode())
        token = json.loads(asked.data)["status"]["token"]
        found["users"] = [{"name": each["name"], "user": {"token": token}} for each in found["users"]]
        path = self.folder / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(found))
        return str(path)


def _undrained(platform: Kubernetes) -> bool:
    """Whether blue takes requests; its pod may have been started again a moment ago."""
    with suppress(ReleaseError):
        platform.drain("blue", on=False, fence=1)
        return platform.observe().slots["blue"].ready
    return False


def until(check: Callable[[], Any], limit: float = LIMIT_S) -> Any:
    """What `check` gives, as soon as that is something."""
    deadline = time.monotonic() + limit
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@contextmanager
def bed(cluster: Path, folder: Path, image: str, router: str) -> Iterator[Bed]:
    """A bed, taken away afterwards."""
    made = Bed(cluster, folder, image, router)
    try:
        yield made
    finally:
        made.end()


def live(platform: Kubernetes, file: ReleaseFile, version: str = "1.0.0", replicas: int = 1) -> Kubernetes:
    """`version` with all users in blue, and no journal yet."""
    holder = Holder("ann@laptop", "r0", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
    with platform.lock(holder) as fence:
        platform.deploy("blue", file.release(version, {}), replicas, fence)
        until(lambda: platform.observe().slots["blue"].ready)
        platform.route(Target.all_on("blue"), platform.observe().route.token, "r0", fence)
    return platform
