"""The demo's place on Kubernetes: a namespace of its own in the cluster of this machine, behind a Gateway."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import yaml

from loadtest.recording import Recording
from loadtest.result import Fact, Usage
from scripts.cluster import addons, cluster, images
from scripts.cluster.addons.kubectl import Kubectl
from scripts.cluster.state import default_home, kubeconfig
from scripts.demo.errors import DemoError
from scripts.demo.late import SHARE
from scripts.demo.scene import Scene
from scripts.demo.screen import Screen
from scripts.image.image import make
from scripts.release import engine
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.helm import program
from scripts.release.kubernetes.platform import Kubernetes

ROOT = Path(__file__).parents[2]
NAMESPACE, APP, FIRST = "demo", "task-api", "1.0.0"
GATEWAY = ("edge", "envoy-gateway-system")
HELM_S, DELETE_S = 120.0, 90.0
LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}


class Unmeasured:
    """What pods spend: nobody here looks."""

    facts: tuple[Fact, ...] = ()

    def start(self) -> None:
        """Nothing to open."""

    def stop(self) -> None:
        """Nothing to close."""

    def usage(self, recording: Recording) -> tuple[Usage, ...]:
        """Of no part."""
        return ()


@contextmanager
def cluster_scene(home: Path, overrides: tuple[str, ...], screen: Screen, *, out: Path, keep: bool) -> Iterator[Scene]:
    """The namespace, emptied before; it goes afterwards unless it is to be kept. The cluster stays up."""
    place = default_home()
    cluster.up(place, screen.note)
    image = make(ROOT, ROOT / ".local" / "image", say=screen.note)
    images.load(place, image.archive)
    kubectl = Kubectl(kubeconfig(place))
    _remove(kubectl)
    _apply(kubectl, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": LABELS}})
    folder = home / "kubernetes" / APP  # where the engine's analysis load finds the users' tokens
    shutil.rmtree(folder, ignore_errors=True)  # an earlier demo's
    folder.mkdir(parents=True)
    kept = False
    try:
        keys = {"demo-1": secrets.token_urlsafe(48)}
        token = secrets.token_urlsafe(32)
        private = {"JWT_KEYS": json.dumps(keys), "CURSOR_KEY": secrets.token_urlsafe(48), "ADMIN_TOKEN": token}
        addons.secret(kubectl.kubeconfig, NAMESPACE, APP, private)
        _install_router(kubectl)
        file = _file(home, kubectl, f"{image.repository}:{image.tag}", overrides)
        os.environ["KUBECONFIG"] = str(kubectl.kubeconfig)  # Helm's as well
        api = Api.connect()
        platform = Kubernetes(home, file, api)
        engine.deploy(platform, file, FIRST, engine.Caller("primetrade demo", "the first version"))
        yield Scene(
            platform=platform,
            file=file,
            edge=platform.edge(),
            database_url=_database_url(api),
            jwt_keys=keys,
            folder=folder,
            first=FIRST,
            breaks=lambda slot: _break(api, slot, token),
            spent=lambda generator: Unmeasured(),
            parting=(
                f"Left up: {platform.edge()}; release file: {file.path}",
                f"See it: KUBECONFIG={kubectl.kubeconfig} primetrade release status --file {file.path}",
                f"End it: kubectl delete namespace {NAMESPACE}; primetrade cluster down",
            ),
        )
        kept = keep
    except BaseException:
        screen.note(f"stopping; what was recorded is in {out}")
        raise
    finally:
        if not kept:
            _remove(kubectl)


def _remove(kubectl: Kubectl) -> None:
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", timeout_s=DELETE_S)


def _apply(kubectl: Kubectl, *objects: object) -> None:
    kubectl.apply("\n---\n".join(json.dumps(each) for each in objects))


def _install_router(kubectl: Kubectl) -> None:
    gateway, namespace = GATEWAY
    values = {
        "driver": "gateway",
        "preview": {"key": secrets.token_urlsafe(24)},
        "gateway": {"parents": {gateway: {"namespace": namespace}}},
    }
    argv = [program(), "upgrade", "--install", APP, str(ROOT / "helm" / "router"), "--namespace", NAMESPACE]
    argv += ["--kubeconfig", str(kubectl.kubeconfig), "--values", "-"]
    done = subprocess.run(argv, input=json.dumps(values), capture_output=True, text=True, timeout=HELM_S, check=False)
    if done.returncode:
        raise DemoError(f"helm did not install {APP}: {done.stderr.strip()}")


def _file(home: Path, kubectl: Kubectl, image: str, overrides: tuple[str, ...]) -> ReleaseFile:
    """The repository's release.yaml with what is said there of no cluster."""
    prometheus = kubectl.get("service", "prometheus", "--namespace=monitoring")["spec"]["clusterIP"]
    document = yaml.safe_load((ROOT / "release.yaml").read_text())
    document |= {
        "platform": "kubernetes",
        "slo": str(ROOT / "slo.yaml"),
        "kubernetes": {
            "namespace": NAMESPACE,
            "app": APP,
            "chart": str(ROOT / "helm" / "slot"),
            "values": [str(ROOT / "helm" / "task-api.yaml")],
            "image": image,
            "secret": APP,
            "router": "gateway",
            "prometheus": f"http://{prometheus}:9090",
        },
    }
    document["artefact"]["replicas"] = 2
    document["artefact"]["env"] = {"TRUSTED_PROXIES": "198.18.0.0/16", "THREADS": "4"}
    home.mkdir(parents=True, exist_ok=True)
    path = home / "release.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return read_release_file(path, overrides)


def _database_url(api: Api) -> str:
    """The database's, by an address instead of a name that only pods know."""
    found = api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{APP}")
    service = api.get("/api/v1/namespaces/data/services/postgresql")
    if not found or not service:
        raise DemoError("the database of the demo is gone: `primetrade cluster up` brings it back")
    url = b64decode(found["data"]["DATABASE_URL"]).decode()
    return url.replace("@postgresql.data:", f"@{service['spec']['clusterIP']}:")


def _break(api: Api, slot: str, token: str) -> None:
    """Have every pod of a slot fail a share of its requests."""
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    body = msgspec.json.encode({"error_share": SHARE})
    for pod in api.list(pods, labels=f"slot={slot}"):
        at = f"{pods}/{pod['metadata']['name']}:9090/proxy/admin/faults"
        reply = api.proxy(at, "POST", {"x-admin-token": token, "content-type": "application/json"}, body)
        if reply.status != 200:
            raise DemoError(f"{pod['metadata']['name']} took no fault: {reply.status} {reply.data[:200]!r}")
