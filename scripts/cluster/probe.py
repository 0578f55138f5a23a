"""Questions to the cluster's parts over HTTP: short, with a time limit, and answered or not."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.cluster.addresses import API_URL, NODE_NAME

_TIMEOUT_S = 2.0


def unready(url: str, tls: ssl.SSLContext | None = None) -> str | None:
    """None when the address answers 200, otherwise what it says instead."""
    try:
        status, body = ask(url, tls)
    except (OSError, http.client.HTTPException) as exc:
        return f"{url}: {str(exc) or type(exc).__name__}"
    if status == http.HTTPStatus.OK:
        return None
    failing = [
        line.removeprefix("[-]").partition(" ")[0]
        for line in body.decode(errors="replace").splitlines()
        if "[-]" in line
    ]
    others = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f"{url} answers {status}{f': {failing[0]}{others}' if failing else ''}"


def ask(url: str, tls: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """Status and body. Raises OSError or HTTPException."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=tls)
        if tls
        else http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    )
    try:
        connection.request("GET", f"{address.path}?{address.query}" if address.query else address.path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def identity(home: Path, name: str, authority: str = "ca") -> ssl.SSLContext:
    """Who asks: one of the cluster's certificates. Raises OSError (ssl's errors are) when it is not there."""
    pki = home / "pki"
    context = ssl.create_default_context(cafile=str(pki / f"{authority}.crt"))
    context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    return context


def object_at(home: Path, path: str) -> Any:
    """An object of the API as the administrator sees it, None when there is none or no answer."""
    try:
        status, body = ask(f"{API_URL}{path}", identity(home, "admin"))
    except (OSError, http.client.HTTPException):
        return None
    return json.loads(body) if status == http.HTTPStatus.OK else None


def node_unready(home: Path, since: float = 0.0) -> str | None:
    """None when the node is Ready, otherwise the kubelet's reason.

    With `since` (seconds since the epoch) only what the kubelet has said after it counts: Ready outlives its kubelet.
    """
    node = object_at(home, f"/api/v1/nodes/{NODE_NAME}")
    if not node:
        return f"node {NODE_NAME} is not registered"
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready":
            # It writes the condition when something has changed, and renews its Lease every ten seconds.
            if since and _seconds(condition["lastHeartbeatTime"]) < since and _renewed(home) < since:
                return f"node {NODE_NAME} has not reported since its kubelet started"
            return None if condition["status"] == "True" else str(condition["message"])
    return f"node {NODE_NAME} has reported nothing"


def _renewed(home: Path) -> float:
    """When the kubelet last renewed the node's Lease; 0 if never."""
    lease = object_at(home, f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE_NAME}")
    return _seconds(lease["spec"]["renewTime"]) if lease else 0.0


def _seconds(time: str) -> float:
    """A time of the API, in seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()
