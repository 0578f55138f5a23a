"""Switches on a real Kubernetes node: `python -m tests.bench cluster` (`make bench-cluster`).

For each router, ten times all users to the other slot by the engine's own write, from quiet endpoints and while pods of
both slots come and go: from the start of the write to the last request that the old slot begins, on new and on kept
connections. Beside them how long a version takes until it may be promoted, and what a plain Deployment's rolling update
loses under the same load.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scripts.cluster import images
from scripts.cluster.cluster import up
from scripts.cluster.state import default_home, kubeconfig
from scripts.image.image import make
from scripts.local.state import ROOT
from scripts.release.journal import Holder
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.route import Target, other
from tests.cluster.sandbox import sandbox
from tests.release.kubernetes.bed import Bed, bed, live, until
from tests.release.kubernetes.live import LIMIT_S, SERVER, Switch, Users, last_begun

TIMES = 10
QUIET_S = 2.5  # watched after each switch
RATE = 200.0  # requests a second, half of them on kept connections
REPLICAS = 2
BUDGETS = {"service": "0.2 s new, 0.5 s kept", "gateway": "0.3 s"}
PEER = """Argo Rollouts 1.10.2 on a node like this one (quoted, 3 runs each): promote 0.10 to 0.15 s for new connections
and 29.7 s for kept ones, undo 1.15 s and 29.8 s; applied to promotable 1.12 to 2.66 s, median 1.30."""


def said(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):6.3f} s, worst {max(values):6.3f} s"


def switched(platform: Kubernetes, users: Users, fence: int) -> Switch:
    """All users to the other slot, and what the old one still begins."""
    seen = platform.observe()
    old = seen.route.target.sole or ""
    platform.drain(other(old), on=False, fence=fence)
    began = time.time()
    platform.route(Target.all_on(other(old)), seen.route.token, "bench", fence)
    written = time.time() - began
    time.sleep(QUIET_S)
    late = users.since(began - LIMIT_S)
    new, kept = (last_begun(late, old, kind, began) for kind in (False, True))
    return Switch(written, new, kept, QUIET_S)


@contextmanager
def coming_and_going(place: Bed) -> Iterator[None]:
    """A third pod of each slot is started and taken away all the while."""
    over = threading.Event()
    api = Api.connect("", str(place.cluster))
    path = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop-"

    def scale() -> None:
        number = 0
        while not over.wait(0.7):
            number += 1
            for slot in ("blue", "green"):
                api.merge_patch(path + slot, {"spec": {"replicas": REPLICAS + number % 2}})

    thread = threading.Thread(target=scale, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def measure(cluster: Path, image: str, router: str) -> None:
    with tempfile.TemporaryDirectory() as folder, bed(cluster, Path(folder), image, router) as place:
        file = place.file()
        platform = live(place.platform(file), file, replicas=REPLICAS)
        holder = Holder("bench", "bench", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
        with platform.lock(holder) as fence:
            ready = [applied(platform, file.release(f"1.1.{number}", {}), fence) for number in range(TIMES)]
            for how in ("quiet endpoints", "endpoints that change"):
                with ExitStack() as stack:
                    users = stack.enter_context(Users(platform.edge(), rate=RATE).at_work())
                    if how != "quiet endpoints":
                        stack.enter_context(coming_and_going(place))
                    time.sleep(1)
                    found = [switched(platform, users, fence) for _ in range(TIMES)]
                print(f"{router}, {how}: {len(users.seen):,} requests at {RATE:g}/s, {len(users.failed)} failed")
                print(f"  new connections    {said([each.new for each in found])}")
                print(f"  kept connections   {said([each.kept for each in found])}")
                print(f"  to reach           {BUDGETS[router]}", flush=True)
                for words in sorted({each.said for each in users.failed})[:3]:
                    print(f"  failed: {words}")
        print(f"{router}, applied to promotable: {said(ready)}; to reach: median 1.3 s", flush=True)


def applied(platform: Kubernetes, release: Any, fence: int) -> float:
    """Seconds from the order until every pod of the slot is ready and says its version; the image is on the node."""
    began = time.time()
    platform.deploy("green", release, REPLICAS, fence)
    until(lambda: (green := platform.observe().slots["green"]).ready and green.says == release.version)
    return time.time() - began


def rolling(cluster: Path, image: str, **container: Any) -> tuple[int, int]:
    """Requests and failed ones while a plain Deployment behind a plain Service changes its pods three times."""
    with sandbox(cluster, "bench-rolling") as place:
        probe = {"httpGet": {"path": "/", "port": "traffic"}, "periodSeconds": 1}
        server = place.deployment(
            "plain",
            "pause",
            replicas=REPLICAS,
            env=[{"name": "SLOT", "value": "plain"}],
            ports=[{"name": "traffic", "containerPort": 8080}],
            readinessProbe=probe,
            **container,
        )
        pod = server["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = 10
        pod["containers"][0] |= {"image": image, "command": ["python3", "-c", SERVER]}
        server["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        place.apply(server, place.service("plain"))
        place.ready("plain")
        address = place.get("service", "plain")["spec"]["clusterIP"]
        with Users(f"http://{address}:80", rate=RATE).at_work() as users:
            time.sleep(1)
            for number in range(3):
                change = {"spec": {"template": {"metadata": {"annotations": {"release": str(number)}}}}}
                place.run("patch", "deployment", "plain", "--patch", json.dumps(change))
                place.run("rollout", "status", "deployment/plain", "--timeout=60s")
                time.sleep(4)
        return len(users.seen), len(users.failed)


def main() -> None:
    home = default_home()
    up(home, lambda line: None)
    cluster = kubeconfig(home)
    image = next((name for name in images.present(home) if name.startswith("docker.io/local/task-api:")), "")
    image = image or images.load(home, make(ROOT, ROOT / ".local" / "image", say=lambda line: None).archive)[0]
    for router in BUDGETS:
        measure(cluster, image, router)
    kinds: dict[str, dict[str, Any]] = {
        "as it is": {},
        "with preStop.sleep 3 s": {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}},
    }
    for name, container in kinds.items():
        asked, lost = rolling(cluster, image, **container)
        print(f"rolling update of a plain Deployment {name}, 3 times: {lost} of {asked:,} requests failed", flush=True)
    print(PEER)


if __name__ == "__main__":
    main()
