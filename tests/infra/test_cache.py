"""The cache: what a plan makes of each choice, and the rights of its user on a real Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import NoPermissionError

from infra.components.cache import ACCESS
from infra.plan.graph import Graph


@pytest.fixture
def app(redis_url: str) -> Iterator[redis.Redis]:
    """A client with the rights that the platform gives the application."""
    with redis.Redis.from_url(redis_url, socket_timeout=5) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "reset", *ACCESS.split(), ">password")
        own = redis.connection.parse_url(redis_url) | {"username": "app", "password": "password"}
        with redis.Redis(**own, socket_timeout=5) as client:
            yield client
        admin.execute_command("ACL", "DELUSER", "app")


def test_the_application_may_do_what_it_does(app: redis.Redis) -> None:
    """Values with an end, scripts, health checks."""
    assert app.set("a", "1", ex=60)
    assert b"1" == app.get("a")
    assert b"1" == app.register_script("return redis.call('GET', KEYS[1])")(keys=["a"])
    assert app.ping()
    assert app.info("server")


@pytest.mark.parametrize("words", ["FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN NOSAVE", "MONITOR"])
def test_the_application_may_not_wipe_configure_or_spy(app: redis.Redis, words: str) -> None:
    """A stolen password reads the cache and does no more."""
    with pytest.raises(NoPermissionError):
        app.execute_command(*words.split())


def nodes(graph: Graph) -> dict[str, Any]:
    (group,) = graph.of("elasticache/replicationGroup")
    return group.inputs


def test_the_cache_is_encrypted_at_rest_and_on_the_way(stack: Graph) -> None:
    """By our key, and TLS is not one of two ways: turning it on later would replace the cache."""
    found = nodes(stack)
    assert ("valkey", True, True, "required") == (
        found["engine"],
        found["atRestEncryptionEnabled"],
        found["transitEncryptionEnabled"],
        found["transitEncryptionMode"],
    )
    assert found["kmsKeyId"] == f"${{primetrade-{stack.stack}-key-data.arn}}"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_cache_with_replicas_fails_over(graph_of: Callable[..., Graph], number: int) -> None:
    """AWS refuses failover without a replica to fail over to."""
    found = nodes(graph_of(cache={"replicas": number}))
    assert (1 + number, number > 0, number > 0) == (
        found["numCacheClusters"],
        found["automaticFailoverEnabled"],
        found["multiAzEnabled"],
    )


def test_nobody_comes_without_a_name(stack: Graph) -> None:
    """One user, with a secret password, in the one group of the cache; the user `default` is in none."""
    (user,) = stack.of("elasticache/user")
    (group,) = stack.of("elasticache/userGroup")
    assert (("passwordsWo",), ACCESS, "app") == (user.secrets, user.inputs["accessString"], user.inputs["userName"])
    assert [user.inputs["userId"]] == group.inputs["userIds"]
    assert [group.inputs["userGroupId"]] == nodes(stack)["userGroupIds"]


def test_serverless_is_the_same_cache_by_use(graph_of: Callable[..., Graph]) -> None:
    """The same users, key and subnets, with limits that cap what it costs; its readers have a port of their own."""
    graph = graph_of(cache={"mode": "serverless", "max_gb": 5, "max_ecpu": 2000, "version": "8.1", "snapshot_days": 1})
    (cache,) = graph.of("elasticache/serverlessCache")
    assert [] == graph.of("elasticache/replicationGroup")
    assert {"dataStorage": {"maximum": 5, "unit": "GB"}, "ecpuPerSeconds": [{"maximum": 2000}]} == cache.inputs[
        "cacheUsageLimits"
    ]
    assert ("8", "primetrade-dev-cache-users") == (cache.inputs["majorEngineVersion"], cache.inputs["userGroupId"])
    assert "${primetrade-dev-cache.endpoints[0].address}" == graph.exports["cache_host"]
    ports = {each.inputs["fromPort"] for each in graph.of("vpc/securityGroupIngressRule") if each.parent == "cache"}
    assert {6379, 6380} == ports


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from(["nodes", "serverless"]),
            "version": st.sampled_from(["8.0", "8.1", "9.0"]),
            "replicas": st.integers(0, 5),
            "snapshot_days": st.integers(0, 35),
        },
    )
)
def test_every_configuration_has_one_cache_with_the_same_doors(
    graph_of: Callable[..., Graph], changes: dict[str, Any]
) -> None:
    """Whatever was chosen: one cache, our key, our users, our group."""
    graph = graph_of(cache=changes)
    (cache,) = graph.of("elasticache/replicationGroup", "elasticache/serverlessCache")
    users = [cache.inputs.get("userGroupId"), *cache.inputs.get("userGroupIds", [])]  # type: ignore[misc]
    assert "primetrade-dev-cache-users" in users
    assert ["${primetrade-dev-cache-group.id}"] == cache.inputs["securityGroupIds"]
    assert "${primetrade-dev-key-data.arn}" == cache.inputs["kmsKeyId"]
