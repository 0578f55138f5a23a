"""PostgreSQL and Valkey: one database for each namespace, what was committed stays."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from scripts.cluster import addons
from scripts.cluster.addons.kubectl import Kubectl
from tests.cluster.sandbox import Sandbox, eventually, sandbox

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def place(cluster: Path) -> Iterator[Sandbox]:
    with sandbox(cluster, "addons-data") as made:
        yield made


@pytest.fixture
def urls(place: Sandbox) -> dict[str, str]:
    """What the Secret says, Services by their addresses: this machine does not ask the cluster's DNS."""
    addons.secret(place.kubectl.kubeconfig, place.namespace, "app", {"MORE": "1"})
    found = {key: base64.b64decode(value).decode() for key, value in place.get("secret", "app")["data"].items()}
    for name in ("postgresql", "valkey"):
        address = place.kubectl.get("service", name, "--namespace=data")["spec"]["clusterIP"]
        found = {key: value.replace(f"{name}.data", address) for key, value in found.items()}
    return found


def delete(kubectl: Kubectl, pod: str, answers: Callable[[], bool]) -> None:
    """Delete a pod and wait until its successor is ready and the nodes lead to it."""
    kubectl.run("delete", "pod", pod, "--namespace=data", timeout_s=120)
    kubectl.run("rollout", "status", f"statefulset/{pod.removesuffix('-0')}", "--namespace=data", timeout_s=120)
    eventually(answers)


def database_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def cache_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=5) as cache:
            return bool(cache.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def test_committed_stays(place: Sandbox, urls: dict[str, str]) -> None:
    """What PostgreSQL committed is there after its pod was deleted; fsync is on."""
    with psycopg.connect(urls["DATABASE_URL"], connect_timeout=5) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES ('committed')")
        assert ("on",) == connection.execute("SHOW fsync").fetchone()
    delete(place.kubectl, "postgresql-0", lambda: database_answers(urls["DATABASE_URL"]))
    with psycopg.connect(urls["DATABASE_URL"], connect_timeout=5) as connection:
        assert ("committed",) == connection.execute("SELECT text FROM kept").fetchone()


def test_cache_comes_back_empty(place: Sandbox, urls: dict[str, str]) -> None:
    """Valkey answers under the same password after its pod was deleted, and has forgotten."""
    with redis.Redis.from_url(urls["REDIS_URL"], socket_timeout=5) as cache:
        cache.set("key", "value")
        assert b"value" == cache.get("key")
    delete(place.kubectl, "valkey-0", lambda: cache_answers(urls["REDIS_URL"]))
    with redis.Redis.from_url(urls["REDIS_URL"], socket_timeout=5) as cache:
        assert cache.get("key") is None


def test_secret_stays(place: Sandbox, urls: dict[str, str]) -> None:
    """Asked for again, the Secret keeps what pods have read of it."""
    before = place.get("secret", "app")["data"]
    assert {"DATABASE_URL", "REDIS_URL", "MORE"} == set(before)
    addons.secret(place.kubectl.kubeconfig, place.namespace, "app", {"MORE": "2"})
    assert before == place.get("secret", "app")["data"]
