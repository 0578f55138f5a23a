"""What a cluster needs to be one for applications: DNS, metrics, Prometheus, gateways, PostgreSQL and Valkey."""

from __future__ import annotations

import time
from pathlib import Path

from scripts.cluster.addons import databases, gateway, readiness
from scripts.cluster.addons.databases import secret
from scripts.cluster.addons.images import archives, pause
from scripts.cluster.addons.kubectl import Kubectl
from scripts.cluster.addons.readiness import Addon
from scripts.cluster.addons.rendering import render
from scripts.cluster.addons.rules import rules
from scripts.tools import Say

__all__ = ["ADDONS", "images", "install", "pause", "rules", "secret"]

LIMIT_S = 180.0
ADDONS = (
    Addon("CoreDNS", "deployment", "coredns", "kube-system"),
    Addon("metrics-server", "deployment", "metrics-server", "kube-system"),
    Addon("metrics API", "apiservice", "v1beta1.metrics.k8s.io"),
    Addon("Prometheus", "deployment", "prometheus", "monitoring"),
    Addon("Envoy Gateway", "deployment", "envoy-gateway", gateway.NAMESPACE),
    Addon("Gateway edge", "gateway", "edge", gateway.NAMESPACE),
    Addon("PostgreSQL", "statefulset", "postgresql", databases.NAMESPACE),
    Addon("Valkey", "statefulset", "valkey", databases.NAMESPACE),
)


def images(say: Say) -> list[Path]:
    """The archives that the node must have imported before `install`; built when missing. Raises ToolError."""
    return [archive.file for archive in archives(say)]


def install(home: Path, kubeconfig: Path, say: Say) -> None:
    """Make every add-on what it should be and wait until it works; once it is so, nothing is written.

    Raises ClusterError with the reason of each that is not ready in time, and ToolError.
    """
    started = time.monotonic()
    kubectl = Kubectl(kubeconfig)
    references = {archive.name: archive.reference for archive in archives(say)}
    kubectl.apply(render("base", references, home))
    databases.prepare(kubectl, home)
    wanted = ("coredns", "metrics-server", "prometheus", "data")
    kubectl.apply("\n---\n".join(render(name, references, home) for name in wanted))
    gateway.install(kubectl, references)  # its certificates are made while the others start
    kubectl.apply(render("gateway", references, home))
    say(f"add-ons applied in {time.monotonic() - started:.0f} s")
    readiness.wait(kubectl, ADDONS, LIMIT_S, say)
