"""Switches behind one router: by the engine's own write and by the command, and what the old slot still begins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from scripts.local.state import ROOT
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.journal import Holder
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.route import Target, other
from tests.release.kubernetes.bed import Bed, bed, live, until
from tests.release.kubernetes.live import LIMIT_S, Users, last_begun

RATE = 200.0  # requests a second, half of them on kept connections
REPLICAS = 2
QUIET_S = 2.5  # watched after each switch
SETTLED_S = 1.5  # for what kube-proxy still has to do, which looks once a second
COMMAND_S = 60.0
CALLER = Caller("bench")
HOLDER = Holder("bench", "bench", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
QUIET, CHANGING = "quiet endpoints", "endpoints that change"
BACK, COMMAND = "`release rollback`, from its write", "`release rollback`, from its start"
# The command as a person calls it; it tells, besides, when it begins to write the route.
NOTING = """
import sys, time
from scripts.cli import main
from scripts.release.kubernetes.platform import Kubernetes
write = Kubernetes.route
def noting(*args, **kwargs):
    print(f"write={time.time()}", flush=True)
    return write(*args, **kwargs)
Kubernetes.route = noting
sys.exit(main())
"""


class Found(NamedTuple):
    """Seconds to the last request that the old slot began, on new and on kept connections, and what was lost."""

    new: list[float]
    kept: list[float]
    asked: int
    failed: list[str]


def switches(cluster: Path, image: str, router: str, times: int) -> dict[str, Found]:
    """By the kind of switch."""
    with tempfile.TemporaryDirectory() as folder, bed(cluster, Path(folder), image, router) as place:
        file = _unmigrated(place.file())
        platform = live(place.platform(file), file, replicas=REPLICAS)
        with platform.lock(HOLDER) as fence:
            platform.deploy("green", file.release("1.0.1", {}), REPLICAS, fence)
            until(lambda: platform.observe().slots["green"].ready)
            time.sleep(SETTLED_S)
            with _users(platform) as users:
                quiet = [_written(platform, users, fence) for _ in range(times)]
                found = {QUIET: _found(quiet, users)}
            with _users(platform) as users, coming_and_going(place):
                busy = [_written(platform, users, fence) for _ in range(times)]
                found[CHANGING] = _found(busy, users)
            platform.drain("blue", on=False, fence=fence)
            platform.route(Target.all_on("blue"), platform.observe().route.token, "bench", fence)
        with _users(platform) as users:
            back = [_rolled_back(place, platform, file, users, f"1.1.{number}") for number in range(times)]
            for kind, pairs in zip((BACK, COMMAND), zip(*back, strict=True), strict=True):
                found[kind] = _found(list(pairs), users)
            return found


def _unmigrated(file: ReleaseFile) -> ReleaseFile:
    """Its releases leave the schema alone."""
    document = yaml.safe_load(file.path.read_text())
    document["schema"]["expand"] = []
    file.path.write_text(yaml.safe_dump(document))
    return read_release_file(file.path)


@contextmanager
def _users(platform: Kubernetes) -> Iterator[Users]:
    with Users(platform.edge(), rate=RATE).at_work() as users:
        time.sleep(1)
        yield users


def _written(platform: Kubernetes, users: Users, fence: int) -> tuple[float, float]:
    """All users to the other slot, by the engine's own write."""
    seen = platform.observe()
    old = seen.route.target.sole or ""
    platform.drain(other(old), on=False, fence=fence)
    began = time.time()
    platform.route(Target.all_on(other(old)), seen.route.token, "bench", fence)
    return _last(users, old, began)


def _rolled_back(
    place: Bed, platform: Kubernetes, file: ReleaseFile, users: Users, version: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A version gets all users, and the command takes them back: from its write, and from its start."""
    engine.deploy(platform, file, version, CALLER, Options(to_preview=True))
    engine.shift(platform, file, 100, CALLER)
    time.sleep(SETTLED_S)
    bad = platform.observe().route.target.sole or ""
    argv = [sys.executable, "-c", NOTING, "release", "rollback", "--file", str(file.path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": place.kubeconfig}
    began = time.time()
    done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True, timeout=COMMAND_S)
    written = re.findall(r"^write=(\S+)$", done.stdout, re.MULTILINE)[0]
    new, kept = _last(users, bad, began)
    took = float(written) - began
    return (max(0.0, new - took), max(0.0, kept - took)), (new, kept)


def _last(users: Users, old: str, began: float) -> tuple[float, float]:
    time.sleep(QUIET_S)
    late = users.since(began - LIMIT_S)
    return last_begun(late, old, False, began), last_begun(late, old, True, began)


def _found(pairs: list[tuple[float, float]], users: Users) -> Found:
    new, kept = (list(values) for values in zip(*pairs, strict=True))
    return Found(new, kept, len(users.seen), [each.said for each in users.failed])


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
        for slot in ("blue", "green"):
            api.merge_patch(path + slot, {"spec": {"replicas": REPLICAS}})
