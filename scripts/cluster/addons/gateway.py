"""Envoy Gateway by the chart in its own Go module, with the CRDs of the Gateway API."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from scripts.cluster.addons.kubectl import Kubectl
from scripts.cluster.errors import ClusterError
from scripts.tools import source, tool

NAME, NAMESPACE = "envoy-gateway", "envoy-gateway-system"
_TIMEOUT_S = 180.0
_MODULE = "github.com/envoyproxy/gateway"
_PROBE = {"periodSeconds": 1}


def install(kubectl: Kubectl, references: Mapping[str, str]) -> None:
    """Install or upgrade it unless it is there as it should be; does not wait for its pods. Raises ClusterError."""
    chart = source(NAME, _MODULE) / "charts/gateway-helm"
    values = msgspec.json.encode(_values()).decode()
    wanted = hashlib.sha256(f"{chart} {references[NAME]} {values}".encode()).hexdigest()[:12]
    if _installed(kubectl.kubeconfig) == wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(chart, Path(folder, "chart"), copy_function=shutil.copyfile)
        template = (copy / "values.tmpl.yaml").read_text()
        image = template.replace("${GatewayImage}", references[NAME]).replace("${GatewayImagePullPolicy}", "Never")
        (copy / "values.yaml").write_text(image)
        named = f"--namespace={NAMESPACE}", f"--description={wanted}", f"--timeout={_TIMEOUT_S:.0f}s"
        _helm(kubectl.kubeconfig, "upgrade", "--install", NAME, str(copy), *named, "--values=-", given=values)
    kubectl.run("wait", "--for=condition=Established", "crd", "--all")


def _values() -> dict[str, object]:
    """One controller needs no election, and one that lost it because the API server was restarted would end."""
    provider = {"type": "Kubernetes", "kubernetes": {"leaderElection": {"disable": True}}}
    resources = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
    return {
        "topologyInjector": {"enabled": False},  # there is one node
        "config": {"envoyGateway": {"provider": provider}},
        "deployment": {"envoyGateway": {"resources": resources, "readinessProbe": _PROBE}},
    }


def _installed(kubeconfig: Path) -> str:
    """The description of the release that is in force; empty if there is none."""
    listed = _helm(kubeconfig, "list", f"--namespace={NAMESPACE}", f"--filter=^{NAME}$", "--output=json")
    if not msgspec.json.decode(listed):
        return ""
    status = msgspec.json.decode(_helm(kubeconfig, "status", NAME, f"--namespace={NAMESPACE}", "--output=json"))
    return str(status["info"]["description"]) if status["info"]["status"] == "deployed" else ""


def _helm(kubeconfig: Path, *words: str, given: str = "") -> str:
    argv = [str(tool("helm")), f"--kubeconfig={kubeconfig}", *words]
    try:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=_TIMEOUT_S + 10, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ClusterError(f"helm {words[0]}: no answer in {_TIMEOUT_S + 10:.0f} s") from exc
    if done.returncode:
        raise ClusterError(f"helm {words[0]} of Envoy Gateway: {done.stderr.strip()}")
    return done.stdout
