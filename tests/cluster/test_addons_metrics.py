"""What measures: metrics-server with the autoscaler, and Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3

from scripts.cluster import addons
from scripts.cluster.errors import ClusterError
from tests.cluster.sandbox import Sandbox, eventually, sandbox

pytestmark = pytest.mark.cluster


@pytest.fixture
def place(cluster: Path) -> Iterator[Sandbox]:
    with sandbox(cluster, "addons-metrics") as made:
        yield made


def test_top(place: Sandbox) -> None:
    """`kubectl top` has numbers of the node and of every add-on's pods."""

    def top(*words: str) -> list[list[str]]:
        with suppress(ClusterError):  # what has just come back has no numbers until it was looked at twice
            return [line.split() for line in place.kubectl.run("top", *words, "--no-headers").splitlines()]
        return []

    [node] = eventually(lambda: top("nodes"), 90)
    assert node[1].endswith("m")
    assert node[3].endswith("Mi")
    eventually(lambda: [pod for pod, *_ in top("pods", "--namespace=data")] == ["postgresql-0", "valkey-0"], 90)


def test_autoscaler(place: Sandbox) -> None:
    """A pod that is busy gets company, up to the most that its autoscaler allows."""
    limits = {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"cpu": "150m", "memory": "64Mi"}}
    busy = place.deployment(
        "busy", "postgresql", replicas=None, command=["/bin/sh", "-c", "while :; do :; done"], resources=limits
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [{"type": "Resource", "resource": cpu}],
        "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 15}]}},
    }
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "busy"}}
    place.apply(busy, {**scaler, "spec": spec})
    eventually(lambda: place.get("deployment", "busy")["status"].get("readyReplicas") == 3, 150)


def query(place: Sandbox, expression: str) -> list[dict[str, Any]]:
    """What Prometheus says now: its series."""
    address = place.kubectl.get("service", "prometheus", "--namespace=monitoring")["spec"]["clusterIP"]
    with urllib3.PoolManager() as http:
        reply = http.request("GET", f"http://{address}:9090/api/v1/query", fields={"query": expression}, timeout=5)
    found: list[dict[str, Any]] = json.loads(reply.data)["data"]["result"]
    return found


def test_slot_is_scraped(place: Sandbox) -> None:
    """Prometheus has numbers of every pod of a slot soon after it is ready, by slot and pod, and of nothing else."""
    place.apply(place.server("blue"))
    place.ready("blue")
    pods = {pod["metadata"]["name"] for pod in place.list("pods")}
    up = f'up{{namespace="{place.namespace}"}} == 1'
    eventually(lambda: pods == {series["metric"]["pod"] for series in query(place, up)}, 30)
    assert {"blue"} == {series["metric"]["slot"] for series in query(place, up)}
    assert {"9901"} == {series["metric"]["instance"].split(":")[1] for series in query(place, up)}
    assert query(place, f'envoy_server_live{{namespace="{place.namespace}"}} == 1')


def test_traffic_port_is_asked_on_request(place: Sandbox) -> None:
    """Where a slot has no `admin`, its `traffic` is scraped only if the pod says so: it would count as a user."""
    for slot, notes in (("blue", {}), ("green", {"prometheus.io/scrape": "true"})):
        server = place.server(slot)
        server["spec"]["template"]["metadata"]["annotations"] = notes
        server["spec"]["template"]["spec"]["containers"][0]["ports"].pop()
        place.apply(server)
        place.ready(slot)
    found = f'up{{namespace="{place.namespace}"}}'
    eventually(lambda: len(query(place, found)) == 2, 30)
    assert {"green"} == {series["metric"]["slot"] for series in query(place, found)}


def test_edge_is_scraped(place: Sandbox) -> None:
    """Prometheus has the numbers of the Gateway's Envoy, under the Gateway's name."""
    eventually(lambda: query(place, 'up{job="edges", gateway="edge", namespace="envoy-gateway-system"} == 1'))


def test_rules(place: Sandbox) -> None:
    """A rule file that is given to Prometheus is in force, and gone once it is taken away."""
    rule = {"record": "addons:test", "expr": "vector(7)", "labels": {"namespace": place.namespace}}
    text = json.dumps({"groups": [{"name": place.namespace, "rules": [rule]}]})
    addons.rules(place.kubectl.kubeconfig, place.namespace, text)
    recorded = f'addons:test{{namespace="{place.namespace}"}} == 7'
    try:
        eventually(lambda: query(place, recorded), 90)
    finally:
        addons.rules(place.kubectl.kubeconfig, place.namespace, None)
    eventually(lambda: not query(place, recorded), 90)
