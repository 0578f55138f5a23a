"""What the pods of a slot are asked takes as long as the slowest of them, not as long as all of them."""

from __future__ import annotations

import threading
from typing import Any

from scripts.release.errors import ReleaseError
from scripts.release.file import Kubernetes, Probes
from scripts.release.kubernetes.client import Reply
from scripts.release.kubernetes.pods import Pods
from scripts.release.kubernetes.slots import Parts

PODS = 5


class Hanging:
    """An API server whose pods answer nobody before all of them are asked."""

    def __init__(self) -> None:
        self.all = threading.Barrier(PODS)

    def proxy(self, path: str, timeout: float) -> Reply:
        try:
            self.all.wait(timeout)
        except threading.BrokenBarrierError as exc:
            raise ReleaseError(f"{path}: no answer in {timeout:g} s") from exc
        return Reply(200, {}, b'{"version": "1.1.0"}' if "/version" in path else b"http_requests_in_flight 0\n")


def pod(number: int) -> dict[str, Any]:
    status = {"name": "app", "started": True, "ready": True, "state": {"running": {}}, "containerID": f"c{number}"}
    return {
        "metadata": {"name": f"green-{number}", "uid": f"{number}"},
        "spec": {"containers": [{"name": "app", "ports": [{"name": "admin", "containerPort": 9090}]}]},
        "status": {"containerStatuses": [status], "conditions": [{"type": "Ready", "status": "True"}]},
    }


def test_a_slot_whose_pods_hang_is_seen_as_soon_as_one_pod_is() -> None:
    """Every look at the slots waits for it, and a rollback looks four times before it writes the route."""
    pods = [pod(number) for number in range(PODS)]
    asked = Pods(Hanging(), Kubernetes("shop-space", "shop"), Probes())  # type: ignore[arg-type]
    assert {each.version for each in asked.says(Parts("green", pods=pods))} == {"1.1.0"}
    assert asked.in_flight(pods) == 0
