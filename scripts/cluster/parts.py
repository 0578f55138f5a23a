"""The processes of a node: how each is started, and when it is ready."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from scripts.cluster import control, node
from scripts.cluster.addresses import API_URL, NODE_IP
from scripts.cluster.packages import program
from scripts.cluster.probe import identity, unready
from scripts.local.processes import Report
from scripts.local.state import replace_file
from scripts.tools import tool

ETCD, API_SERVER = "etcd", "kube-apiserver"
CONTROLLER_MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
CONTAINERD, KUBELET, KUBE_PROXY = "containerd", "kubelet", "kube-proxy"
# In the order of starting; stopping goes the other way.
NAMES = (ETCD, CONTAINERD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, KUBE_PROXY)
BUILT = (API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, KUBE_PROXY, "kubectl", "pause")
_SOCKET_S = 2.0


class Part(msgspec.Struct, frozen=True):
    """One process."""

    name: str
    argv: tuple[str, ...]
    unready: Callable[[], str | None]  # None when it answers


def parts(home: Path, pause: str, report: Report) -> dict[str, Part]:
    """Every part by name; their settings are written, and programs that are missing are built. Raises ToolError."""
    network = home / "cni" / "net.d" / "primetrade.conflist"
    if not network.exists() or network.read_text() != node.network_config(home):
        replace_file(network, node.network_config(home).encode())
    containerd = settings(home, "containerd", "toml", node.containerd_config(home, pause))
    kubelet = settings(home, "kubelet", "yaml", node.kubelet_config(home))
    proxy = settings(home, "kube-proxy", "yaml", node.kube_proxy_config(home))
    lines = {
        ETCD: [program("etcd"), *control.etcd(home)],
        CONTAINERD: [program("containerd"), f"--config={containerd}", "--log-level=warn"],
        API_SERVER: [str(tool(API_SERVER, report)), *control.api_server(home)],
        CONTROLLER_MANAGER: [str(tool(CONTROLLER_MANAGER, report)), *control.controller_manager(home)],
        SCHEDULER: [str(tool(SCHEDULER, report)), *control.scheduler(home)],
        KUBELET: [str(tool(KUBELET, report)), *node.kubelet(home, kubelet)],
        KUBE_PROXY: [str(tool(KUBE_PROXY, report)), f"--config={proxy}"],
    }
    return {name: Part(name, tuple(line), partial(answers, home, name)) for name, line in lines.items()}


def settings(home: Path, name: str, suffix: str, text: str) -> Path:
    """A settings file named by its content: a process whose command line is the same has the same settings."""
    folder = home / "settings"
    file = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.{suffix}"
    if not file.exists():
        for old in folder.glob(f"{name}-????????????.{suffix}"):
            old.unlink()
        replace_file(file, text.encode())
    return file


def answers(home: Path, name: str) -> str | None:
    """None when a part answers its health question, otherwise what is wrong."""
    if name == CONTAINERD:
        return _deaf(node.containerd_socket(home))
    plain = {KUBELET: node.KUBELET_HEALTH_PORT, KUBE_PROXY: node.PROXY_HEALTH_PORT}
    if name in plain:
        return unready(f"http://{NODE_IP}:{plain[name]}/healthz")
    urls = {
        ETCD: f"{control.ETCD_URL}/health",
        API_SERVER: f"{API_URL}/readyz?verbose",
        CONTROLLER_MANAGER: f"https://{NODE_IP}:{control.CONTROLLER_MANAGER_PORT}/healthz",
        SCHEDULER: f"https://{NODE_IP}:{control.SCHEDULER_PORT}/healthz",
    }
    try:
        tls = identity(home, "etcd-client", "etcd-ca") if name == ETCD else identity(home, "admin")
    except OSError as exc:
        return f"no certificate to ask with: {exc}"
    return unready(urls[name], tls)


def _deaf(address: Path) -> str | None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SOCKET_S)
        try:
            client.connect(str(address))
        except OSError as exc:
            return f"{address}: {exc.strerror or exc}"
    return None
