"""A load test made in the cluster: its verdict and its exit code come back, and nothing of it is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from loadtest.recording import Recording
from scripts.cluster import addons
from scripts.cluster.images import load
from scripts.image.image import make
from scripts.tools import tool
from tests.cluster.sandbox import Sandbox, eventually, sandbox

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
PROFILE = """
name: shop
rate: 200
warmup_s: 1
steady_s: 5
cooldown_s: 1
journeys: [{name: GET /, path: /, contains: WANTED}]
"""
TARGETS = """
version: 1
service: shop
excluded_routes: []
traffic_floor: 10
routes: []
objectives:
  - {name: errors, kind: errors, says: few errors, target: 0.9, judged_by: load}
"""
Words = Callable[..., list[str]]


@pytest.fixture(scope="module")
def image(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the load generator as it is in the clone, on the node."""
    made = make(ROOT, tmp_path_factory.mktemp("image"), name="task-load")
    load(cluster.parent, made.archive)
    return f"{made.repository}:{made.tag}"


@pytest.fixture(scope="module")
def place(cluster: Path) -> Iterator[Sandbox]:
    """With a service that says "blue" to everything."""
    with sandbox(cluster, "load-job") as made:
        made.apply(made.server("blue"), made.service("blue"))
        made.ready("blue")
        yield made


@pytest.fixture
def words(cluster: Path, place: Sandbox, image: str, tmp_path: Path) -> Words:
    """A function from what a right answer holds, and more options, to a command."""
    (tmp_path / "slo.yaml").write_text(TARGETS)

    def build(wanted: str, *more: str) -> list[str]:
        (tmp_path / "shop.yaml").write_text(PROFILE.replace("WANTED", wanted))
        command = [sys.executable, "-m", "scripts.cli", "load", "run", str(tmp_path / "shop.yaml"), "--json"]
        command += ["--target", f"http://blue.{place.namespace}", "--slo", str(tmp_path / "slo.yaml")]
        command += ["--cluster", "--kubeconfig", str(cluster), "--namespace", place.namespace, "--image", image]
        return [*command, "--out", str(tmp_path / "out"), *more]

    return build


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def until_line(process: subprocess.Popen[str], needle: str) -> None:
    """Wait until the command has said it."""
    assert process.stderr is not None
    assert any(needle in line for line in process.stderr)


def read(out: Path) -> Recording:
    return msgspec.json.decode((out / "recording.json").read_bytes(), type=Recording)


def deploy_api(kubeconfig: Path, place: Sandbox, image: str) -> None:
    """The task API, which is in the image too, with a database of its own."""
    keys = {"JWT_KEYS": json.dumps({"k1": "k" * 32}), "CURSOR_KEY": "c" * 32, "ADMIN_TOKEN": "a" * 32}
    addons.secret(kubeconfig, place.namespace, also=keys)
    repository, _, tag = image.rpartition(":")
    for name, more, wait in (
        ("api-expand", "render=migration,migration.releaseId=one", "wait job --all --for=condition=complete"),
        ("api-blue", "slot=blue,replicas=1", "rollout status deployment/api-blue"),
    ):
        values = f"{more},version=1.0.0,secret=task-api,image.repository={repository},image.tag={tag}"
        words = [str(tool("helm")), "template", name, str(ROOT / "helm/slot"), "--skip-tests", "--set", values]
        rendered = run([*words, "--values", str(ROOT / "helm/task-api.yaml")]).stdout
        place.apply(*(found for found in yaml.safe_load_all(rendered) if found))
        place.run(*wait.split(), "--timeout=90s", timeout_s=100)


def gone(place: Sandbox) -> None:
    """Nothing of a load run is left: no Job, no pod of one, no Secret."""
    ours = "--selector=app.kubernetes.io/name=primetrade-load"
    eventually(lambda: not any(place.list(kind, ours) for kind in ("jobs", "pods", "secrets")))


@pytest.mark.parametrize(("outcome", "code"), [("pass", 0), ("fail", 3)])
def test_the_verdict_comes_back(place: Sandbox, words: Words, tmp_path: Path, outcome: str, code: int) -> None:
    """Exit 0 where targets are met, 3 where one is missed, 4 where the node was too busy to tell; reports anyway."""
    done = run(words("blue" if outcome == "pass" else "never"))
    result: dict[str, Any] = json.loads(done.stdout or "{}")
    assert outcome == result.get("outcome"), done.stderr
    assert (code if result["valid"] else 4) == done.returncode, done.stderr
    assert 850 < result["requests"] < 1150
    assert {"report.html", "junit.xml", "recording.json", "generator.log"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    workers = read(tmp_path / "out").workers
    assert [""] * 2 == [worker.ended for worker in workers]
    assert all(worker.generator and worker.generator.requests > 400 for worker in workers)
    gone(place)


def test_a_worker_that_is_evicted_makes_the_run_invalid(place: Sandbox, words: Words, tmp_path: Path) -> None:
    """Exit 4, never green, though all that was measured met the targets."""
    with subprocess.Popen(words("blue", "--steady", "60s"), stderr=subprocess.PIPE, stdout=-1, text=True) as process:
        until_line(process, " 0 s ")
        [pod, _] = place.list("pods", "--selector=app.kubernetes.io/component=worker")
        place.run("delete", "pod", pod["metadata"]["name"], "--wait=false")
        out, _ = process.communicate(timeout=180)
    result = json.loads(out)
    assert (4, "pass") == (process.returncode, result["outcome"])
    [guard] = [guard for guard in result["guards"] if guard["name"] == "workers that did their whole part"]
    assert f"{pod['metadata']['name']} ended before its time" in guard["found"]
    gone(place)


def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_in_the_cluster(
    place: Sandbox, words: Words, tmp_path: Path
) -> None:
    """Exit 130, with a report."""
    with subprocess.Popen(words("blue", "--steady", "60s"), stderr=subprocess.PIPE, stdout=-1, text=True) as process:
        until_line(process, " 0 s ")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    assert 130 == process.returncode, err
    assert read(tmp_path / "out").interrupted
    assert (tmp_path / "out/report.html").is_file()
    gone(place)


def test_the_master_seeds_users_for_our_own_journeys(
    cluster: Path, place: Sandbox, image: str, words: Words, tmp_path: Path
) -> None:
    """By the Secret of the task API, which then answers every request of them rightly."""
    deploy_api(cluster, place, image)
    command = ["smoke" if word.endswith("shop.yaml") else word for word in words("", "--secret", "task-api")]
    done = run([*command, "--target", f"http://api-blue.{place.namespace}", "--steady", "3s"])
    assert "seeded: 2,000 users" in done.stderr
    found = read(tmp_path / "out")
    assert () == found.failures, done.stderr
    assert {"GET /tasks", "PATCH /tasks/{task_id}", "POST /tasks"} <= {cell.route for cell in found.cells}
    gone(place)


def test_an_image_that_cannot_be_had_is_named(place: Sandbox, words: Words) -> None:
    """Exit 1, at once."""
    done = run(words("blue", "--image", "127.0.0.1:1/nobody/task-load:0"))
    assert 1 == done.returncode, done.stderr
    assert "ErrImagePull" in done.stderr or "ImagePullBackOff" in done.stderr
    gone(place)


def test_a_quota_that_refuses_the_pods_is_named(place: Sandbox, words: Words) -> None:
    """Exit 1, in the words of the API server: here the master fits and a worker does not."""
    used = len([pod for pod in place.list("pods") if pod["status"]["phase"] in {"Pending", "Running"}])
    spec = {"hard": {"pods": str(used + 2)}}
    place.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": spec})
    eventually(lambda: place.get("resourcequota", "few").get("status", {}).get("hard"))
    try:
        done = run(words("blue"))
    finally:
        place.run("delete", "resourcequota", "few")
    assert 1 == done.returncode, done.stderr
    assert "exceeded quota: few" in " ".join(done.stderr.split())
    gone(place)


def test_a_target_that_is_not_there_is_refused(place: Sandbox, words: Words) -> None:
    """Exit 2, as a local run does; the master tried."""
    done = run(words("blue", "--target", f"http://green.{place.namespace}"))
    assert 2 == done.returncode, done.stderr
    assert "cannot be reached" in done.stderr
    gone(place)
