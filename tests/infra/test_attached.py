"""The stand-in for Kubernetes' provider, and objects on an API server, without an engine; the server is a twin."""

from __future__ import annotations

import pulumi_kubernetes  # noqa: F401 - makes its types known
import pytest

from infra.errors import ConfigError
from infra.plan.graph import Graph, Json, Resource
from infra.rehearsal import attached
from infra.rehearsal.attached import Attached, Object, refuse_existing
from infra.rehearsal.cluster import RELEASE, Cluster
from infra.rehearsal.world import Fault, NotReadyError, RefusedError, Thing, World

SPACE, CLASS, POOL = (
    f"kubernetes:{kind}" for kind in ("core/v1:Namespace", "storage.k8s.io/v1:StorageClass", "karpenter.sh/v1:NodePool")
)


class Twin:
    """Knows namespaces; each has its own name as its uid."""

    where = "here"

    def __init__(self, *there: str, stuck: bool = False, strict: bool = False) -> None:
        self.there, self.stuck, self.strict = [*there], stuck, strict

    def knows(self, found: Object) -> bool:
        return found["kind"] == "Namespace"

    def uid(self, found: Object) -> str:
        return name(found) if name(found) in self.there else ""

    def make(self, found: Object) -> str:
        if name(found) in self.there:
            raise RefusedError("already exists")
        self.there.append(name(found))
        return name(found)

    def apply(self, found: Object) -> None:
        if self.strict:
            raise RefusedError("unknown field")

    def delete(self, found: Object, uid: str) -> None:
        if not self.stuck:
            self.there.remove(uid)


def name(found: Object) -> str:
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])


def inputs(name: str, kind: str = "Namespace") -> dict[str, Json]:
    return {"kind": kind, "metadata": {"name": name}}


def thing(name: str, token: str = SPACE) -> Thing:
    found = inputs(name, token.rpartition(":")[2])
    return Cluster(World()).thing(token, name, found, {})


def test_objects_are_on_the_server_until_they_are_deleted() -> None:
    """But for charts, and kinds that it does not have."""
    server = Twin("theirs")
    world = Attached(server)
    for each in (thing("ours"), thing("pool", POOL), thing("chart", RELEASE)):
        world.create(each)
    assert (["theirs", "ours"], {"Namespace ours"}) == (server.there, world.asked)
    world.delete((SPACE, "ours"))
    assert ["theirs"] == server.there


def test_what_is_there_already_is_neither_taken_nor_deleted() -> None:
    """Refused before anything begins, and where it came in between."""
    server = Twin("theirs")
    graph = Graph("p", "s", (Resource("a", SPACE, inputs=inputs("theirs")),), {}, ())
    with pytest.raises(ConfigError, match="here has Namespace theirs already"):
        refuse_existing(server, graph)
    world = Attached(server)
    with pytest.raises(RefusedError, match="already exists"):
        world.create(thing("theirs"))
    world.close()
    assert ({}, ["theirs"]) == (world.things, server.there)


def test_what_was_refused_half_way_is_taken_off_the_server() -> None:
    """It was made before its fields were looked at."""
    server = Twin(strict=True)
    world = Attached(server)
    with pytest.raises(RefusedError, match="unknown field"):
        world.create(thing("ours"))
    world.close()
    assert [] == server.there


def test_what_is_late_is_on_the_server_all_the_same() -> None:
    """So that an `up` that goes on finds it."""
    server = Twin()
    world = Attached(server, Fault.TIMEOUT, 1)
    with pytest.raises(NotReadyError):
        world.create(thing("ours"))
    world.update(thing("ours"))
    assert ["ours"] == server.there


def test_a_closed_world_has_emptied_the_server_and_makes_no_more() -> None:
    """A request of the engine may still be on its way when a rehearsal is interrupted."""
    server = Twin()
    world = Attached(server)
    world.create(thing("ours"))
    world.close()
    world.create(thing("late"))
    assert [] == server.there


def test_what_does_not_go_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time, not never."""
    monkeypatch.setattr(attached, "GONE_S", 0.01)
    monkeypatch.setattr(attached, "PAUSE_S", 0.01)
    world = Attached(Twin(stuck=True))
    world.create(thing("ours"))
    with pytest.raises(RefusedError, match="Namespace ours is still there"):
        world.close()


@pytest.mark.parametrize(
    ("token", "found", "paths"),
    [
        (SPACE, {"metadata": {"name": "a"}}, []),
        (SPACE, {"metadata": {"labels": {"a": "b"}}}, ["metadata.name"]),
        (SPACE, {"metadata": {"name": "a", "labels": {"a": 1}}}, ["metadata.labels.a"]),
        (CLASS, {"metadata": {"name": "a"}, "mode": "b"}, ["mode"]),
        (POOL, {"metadata": {"name": "a"}, "spec": {"whatever": 1}}, []),
        (RELEASE, {"name": "a", "compat": "true", "atomic": "yes"}, ["atomic"]),
    ],
)
def test_what_the_sdk_has_another_kind_for_is_refused(token: str, found: dict[str, Json], paths: list[str]) -> None:
    """A kind that a chart brings has no type."""
    assert paths == [path for path, words in Cluster(World()).faults(token, found, {})]


@pytest.mark.parametrize(
    ("token", "key", "change", "expected"),
    [
        (SPACE, "metadata", ({"name": "a"}, {"name": "b"}), True),
        (SPACE, "metadata", ({"name": "a"}, {"name": "a", "labels": {}}), False),
        (CLASS, "provisioner", ("a", "b"), True),
        (CLASS, "allowVolumeExpansion", (True, False), False),
        (RELEASE, "namespace", ("a", "b"), True),
        (RELEASE, "version", ("1", "2"), False),
    ],
)
def test_a_change_says_what_it_replaces(token: str, key: str, change: tuple[Json, Json], *, expected: bool) -> None:
    """Names, and what an API server never changes."""
    assert expected is Cluster(World()).settled(token, key, change, {}, {})
