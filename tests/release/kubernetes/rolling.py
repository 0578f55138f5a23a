"""For contrast: a plain Deployment behind a plain Service changes its pods while users ask as they do in a switch."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.sandbox import sandbox
from tests.release.kubernetes.bed import led
from tests.release.kubernetes.live import Seen, Users

REPLICAS = 2
AFTER_S = 4.0  # the last old pod sleeps, and then ends
GRACE_S = 10
PLAIN: dict[str, Any] = {}
SLEEPING: dict[str, Any] = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}
# gunicorn itself as the foreign application, since it matters how a server ends: at SIGTERM it accepts nobody any more,
# and answers what comes on kept connections for two more seconds, the last time with `connection: close`.
SERVER = """
import time
from gunicorn.app.base import BaseApplication
class Plain(BaseApplication):
    def load_config(self):
        told = dict(bind="0.0.0.0:8080", worker_class="gthread", threads=8, keepalive=75, backlog=1024,
                    graceful_timeout=5, worker_tmp_dir="/dev/shm", control_socket_disable=True)
        for name, value in told.items():
            self.cfg.set(name, value)
    def load(self):
        return answer
def answer(environ, start):
    start("200 OK", [("x-slot", "plain"), ("x-begun", f"{time.time():.6f}"), ("content-length", "2")])
    return [b"ok"]
Plain().run()
"""


class Lost(NamedTuple):
    """Requests, and those that failed."""

    asked: int
    failed: list[Seen]

    @property
    def kinds(self) -> str:
        """How many failed of each kind, on which connections."""
        found = Counter((each.said.partition("(")[0], "kept" if each.kept else "new") for each in self.failed)
        return ", ".join(f"{number} {said} ({kept})" for (said, kept), number in found.most_common())


def rolling(cluster: Path, image: str, container: dict[str, Any], times: int, rate: float = 300.0) -> Lost:
    """What `rate` requests a second lose while all pods are replaced so many times; `image` has Python and gunicorn."""
    with sandbox(cluster, "rolling") as place:
        server = place.deployment(
            "plain",
            "pause",
            replicas=REPLICAS,
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
        address = f"http://{place.get('service', 'plain')['spec']['clusterIP']}:80"
        led(address, "plain")
        with Users(address, rate=rate).at_work() as users:
            time.sleep(1)
            for number in range(times):
                change = {"spec": {"template": {"metadata": {"annotations": {"release": str(number)}}}}}
                place.run("patch", "deployment", "plain", "--patch", json.dumps(change))
                place.ready("plain")
                time.sleep(AFTER_S)
        return Lost(len(users.seen), users.failed)
