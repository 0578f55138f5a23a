"""From the order for a new version to a slot that may be promoted: the task API itself, its image on the node."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from pathlib import Path

from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.kubernetes.platform import Kubernetes
from tests.bench.node.timeline import PARTS, watched
from tests.release.kubernetes.bed import Bed, bed, until
from tests.release.kubernetes.task_api import task_api

REPLICAS = 2
PROGRAM = "app/gunicorn_conf.py"
SAW = "the engine sees it: it may be promoted"
TOLD = (*PARTS, SAW)
SLOT = "green"


def starts(cluster: Path, image: str, times: int) -> list[dict[str, float]]:
    """Seconds by part, for each of so many versions in an empty slot, with 1.0.0 in the other one."""
    with tempfile.TemporaryDirectory() as folder, bed(cluster, Path(folder), image, "service") as place:
        file = task_api(place)
        platform = place.platform(file)
        with platform.lock(Holder("bench", "bench", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())) as fence:
            platform.deploy("blue", file.release("1.0.0", {}), REPLICAS, fence)
            until(lambda: platform.observe().slots["blue"].ready)
            found = []
            for number in range(times):
                found.append(_start(place, platform, file, f"1.1.{number}", fence))
                platform.retire(SLOT, fence)
                until(lambda: not place.admin.list(f"{place.space}/pods", labels=f"slot={SLOT}"))
                time.sleep(secrets.randbelow(1000) / 1000)  # at any moment of the kubelet's second
            return found


def _start(place: Bed, platform: Kubernetes, file: ReleaseFile, version: str, fence: int) -> dict[str, float]:
    release = file.release(version, {})
    with watched(place.cluster, place.namespace, release.digest) as timeline:
        time.sleep(0.2)
        began = time.time()
        platform.deploy(SLOT, release, REPLICAS, fence)
        until(lambda: (slot := platform.observe().slots[SLOT]).ready and slot.says == version)
        ended = time.time() - began
        return {**timeline.since(began, PROGRAM), SAW: ended}
