"""For contrast: a plain Deployment behind a plain Service changes its pods under the same load."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.node.switches import RATE, REPLICAS
from tests.cluster.sandbox import sandbox
from tests.release.kubernetes.live import SERVER, Users

TIMES = 3
AFTER_S = 4.0
GRACE_S = 10
KINDS: dict[str, dict[str, Any]] = {
    "a plain rolling update": {},
    "the same with `preStop.sleep: 3`": {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}},
}


class Lost(NamedTuple):
    """Requests, and those that failed."""

    asked: int
    failed: list[str]


def rolling(cluster: Path, image: str, container: dict[str, Any]) -> Lost:
    """What is lost while it changes its pods three times."""
    with sandbox(cluster, "bench-rolling") as place:
        server = place.deployment(
            "plain",
            "pause",
            replicas=REPLICAS,
            env=[{"name": "SLOT", "value": "plain"}],
            ports=[{"name": "traffic", "containerPort": 8080}],
            readinessProbe={"httpGet": {"path": "/", "port": "traffic"}, "periodSeconds": 1},
            **container,
        )
        pod = server["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = GRACE_S
        pod["containers"][0] |= {"image": image, "command": ["python3", "-c", SERVER]}
        server["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        place.apply(server, place.service("plain"))
        place.ready("plain")
        address = place.get("service", "plain")["spec"]["clusterIP"]
        time.sleep(2)  # kube-proxy looks once a second
        with Users(f"http://{address}:80", rate=RATE).at_work() as users:
            time.sleep(1)
            for number in range(TIMES):
                change = {"spec": {"template": {"metadata": {"annotations": {"release": str(number)}}}}}
                place.run("patch", "deployment", "plain", "--patch", json.dumps(change))
                place.run("rollout", "status", "deployment/plain", "--timeout=25s")
                time.sleep(AFTER_S)
        return Lost(len(users.seen), [each.said for each in users.failed])
