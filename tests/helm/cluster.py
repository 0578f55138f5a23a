"""A stand-in for what Helm reads of an API server: discovery, schemas and given objects. It changes nothing.

Helm's `lookup` is empty without a server; this one answers it, so that the guards which ask the cluster can be tested.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from unittest.mock import patch

import helm_python
import yaml

from tests.helm.render import NAMESPACE, Object, loaded, release_name

LIMIT_S = 60.0  # for one answer of Helm, its process started first
KINDS = {
    "v1": {"ConfigMap": "configmaps", "Service": "services", "ServiceAccount": "serviceaccounts"},
    "apps/v1": {"Deployment": "deployments"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "networking.k8s.io/v1": {"Ingress": "ingresses"},
    "gateway.networking.k8s.io/v1": {"HTTPRoute": "httproutes"},
    "elbv2.k8s.aws/v1beta1": {"TargetGroupBinding": "targetgroupbindings"},
}
# In every namespace; by it the router's chart knows that a cluster answers.
ROOT_CA: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}}


def _root(api: str) -> str:
    return f"/apis/{api}" if "/" in api else f"/api/{api}"


def _group(api: str) -> Object:
    name, _, version = api.partition("/")
    return {"name": name, "versions": [{"groupVersion": api, "version": version}]}


def _resources(api: str) -> Object:
    every = [{"name": name, "kind": kind, "namespaced": True, "verbs": ["get"]} for kind, name in KINDS[api].items()]
    return {"kind": "APIResourceList", "groupVersion": api, "resources": every}


def _openapi(api: str) -> Object:
    """As much as Helm wants to see: that the server checks the fields of what is sent."""
    group, _, version = api.rpartition("/")
    checks = {"name": "fieldValidation", "in": "query"}
    paths = {
        f"/{name}": {
            "patch": {
                "parameters": [checks],
                "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
            }
        }
        for kind, name in KINDS[api].items()
    }
    return {"openapi": "3.0.0", "info": {"title": api, "version": version}, "paths": paths}


def answers(present: list[Object], custom: bool) -> dict[str, Object]:
    """Path to answer; `custom` says whether the kinds that Kubernetes does not bring are installed."""
    apis = [api for api in KINDS if custom or api not in ("gateway.networking.k8s.io/v1", "elbv2.k8s.aws/v1beta1")]
    found: dict[str, Object] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(api) for api in apis if "/" in api]},
        "/openapi/v3": {"paths": {_root(api)[1:]: {"serverRelativeURL": f"/openapi/v3{_root(api)}"} for api in apis}},
    }
    for api in apis:
        found[_root(api)] = _resources(api)
        found[f"/openapi/v3{_root(api)}"] = _openapi(api)
        for kind, name in KINDS[api].items():
            items = [each for each in present if each["kind"] == kind]
            listed = f"{_root(api)}/namespaces/{NAMESPACE}/{name}"
            found[listed] = {"apiVersion": api, "kind": f"{kind}List", "metadata": {}, "items": items}
            found |= {f"{listed}/{each['metadata']['name']}": each for each in items}
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: dict[str, Object]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0
    wbufsize = -1  # an answer leaves whole: in two parts the second would wait for the peer's delayed acknowledgement

    def do_GET(self) -> None:
        found = cast("_Server", self.server).answers.get(self.path.partition("?")[0])
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(found or missing).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@contextmanager
def served(present: list[Object], custom: bool) -> Iterator[str]:
    """The address of a server that has these objects."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.answers = answers([ROOT_CA, *present], custom)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class RefusedError(Exception):
    """What Helm said instead of rendering."""


def ask(chart: str, values: Object, present: list[Object], custom: bool) -> tuple[bool, str]:
    """Whether Helm would write, and what: manifests, or why not."""
    with (
        served(present, custom) as address,
        helm_python.Config(
            kube_apiserver=address,
            kubeconfig_content="apiVersion: v1\nkind: Config\n",
            namespace=NAMESPACE,
            storage_driver="memory",
        ) as config,
    ):
        try:
            release = config.install(loaded(chart), release_name(chart, values), values, dry_run="server")
        except helm_python.HelmError as exc:
            return False, str(exc)
    return True, str(release["manifest"])


@cache
def _apart() -> ProcessPoolExecutor:
    """A process whose Helm remembers the servers it saw in a folder of this run, not in the user's home.

    Go takes the environment that a process began with, so this one's cannot be changed.
    """
    memory = tempfile.mkdtemp(prefix="helm-tests-")
    atexit.register(shutil.rmtree, memory, ignore_errors=True)
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with patch.dict(os.environ, KUBECACHEDIR=memory):
        pool.submit(os.getpid).result(timeout=LIMIT_S)
    return pool


def rendered(chart: str, values: Object, present: list[Object], *, custom: bool = True) -> list[Object]:
    """What Helm would send to a cluster that has these objects. Raises RefusedError when a guard refuses."""
    written, text = _apart().submit(ask, chart, values, present, custom).result(timeout=LIMIT_S)
    if not written:
        raise RefusedError(text)
    return [found for found in yaml.safe_load_all(text) if found]
