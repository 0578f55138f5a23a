"""A migration that is tried again, cannot be started, or is taken away: its Job decides, and what keeps it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from scripts.release.errors import ReleaseError
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import expansion
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.expansion import Expansion
from scripts.release.kubernetes.helm import Helm
from scripts.release.slots import Release
from tests.release.kubernetes.apiserver import Server, serving
from tests.release.kubernetes.objects import Object

SHOP = Release("1.1.0", (), {}, "local/shop:1.1.0", {"image": {"repository": "local/shop"}})
NAME = f"shop-expand-{SHOP.digest}"
JOBS, SPACE = "/apis/batch/v1/namespaces/shop-space/jobs", "/api/v1/namespaces/shop-space"
RUNS: Object = {"name": "migration", "state": {"running": {}}}
PULLS: Object = {"name": "migration", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
COMPLETE: Object = {"type": "Complete", "status": "True"}
FAILED: Object = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "thrice"}


# The Job's condition, empty while it runs, or None where there is no Job; and what is there besides, by path.
Scene = tuple[Object | None, Mapping[str, Object]]


@dataclass
class Cluster(Server):
    """A twin in which the next scene begins whenever the Job is asked for; the last one stays."""

    scenes: list[Scene] = field(default_factory=list)

    def answer(self, method: str, path: str, kind: str, body: Any) -> Object:
        job = f"{JOBS}/{NAME}"
        if method == "GET" and path == job and job in self.objects and self.scenes:
            condition, around = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
            self.objects = {job: self.objects[job], **around}
            if condition is None:
                del self.objects[job]
            else:
                self.objects[job]["status"] = {"conditions": [condition] if condition else []}
        return super().answer(method, path, kind, body)


class Hand:
    """A stand-in for Helm, which makes the Job and takes it away."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.told: list[str] = []

    def install(self, name: str, values: Mapping[str, Any]) -> None:
        self.told.append(f"install {name}")
        container = {"command": values["migration"]["command"]}
        body = {"metadata": {"name": NAME}, "spec": {"template": {"spec": {"containers": [container]}}}}
        self.cluster.answer("POST", JOBS, "", body)

    def uninstall(self, name: str) -> None:
        self.told.append(f"uninstall {name}")
        self.cluster.objects.pop(f"{JOBS}/{NAME}", None)


def pod(number: int, phase: str, **container: Any) -> Object:
    made = f"2026-01-01T00:00:{number:02}Z"
    return {
        "metadata": {"name": f"pod-{number}", "creationTimestamp": made},
        "status": {"phase": phase, "containerStatuses": [container] if container else []},
    }


def warning(second: int, message: str) -> Object:
    return {"reason": "FailedCreate", "message": message, "lastTimestamp": f"2026-01-01T00:00:{second:02}Z"}


def scene(*pods: Object, said: Object | None = None, **condition: str) -> Scene:
    around = {f"{SPACE}/pods/{each['metadata']['name']}": each for each in pods}
    return condition, {**around, **({f"{SPACE}/events/one": said} if said else {})}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with serving(Cluster()) as twin:
        yield cast(Cluster, twin)


@pytest.fixture
def hand(cluster: Cluster) -> Hand:
    return Hand(cluster)


@pytest.fixture
def run(
    cluster: Cluster, hand: Hand, kubeconfig_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """The migration, for which the second look at one trouble is one too many."""
    monkeypatch.setattr(expansion, "STUCK_S", 0.0)
    monkeypatch.setattr(expansion, "POLL_S", 0.001)
    settings = Kubernetes(namespace="shop-space", app="shop")
    return lambda: Expansion(Api.connect("", kubeconfig_for(cluster.url)), cast(Helm, hand), settings).run(
        ["migrate"], 3, SHOP
    )


def test_a_migration_that_failed_once_and_is_slow_the_second_time_is_left_alone(
    cluster: Cluster, hand: Hand, run: Callable[[], str]
) -> None:
    """The pod that failed stays where it is, while Kubernetes waits and then while the next one runs."""
    cluster.scenes = [
        scene(pod(1, "Running", **RUNS)),
        *[scene(pod(1, "Failed"))] * 3,
        *[scene(pod(1, "Failed"), pod(2, "Running", **RUNS))] * 3,
        scene(pod(1, "Failed"), pod(2, "Succeeded"), **COMPLETE),
    ]
    run()
    assert hand.told == ["uninstall shop-expand", "install shop-expand"]


def test_a_migration_whose_tries_have_all_failed_has_failed(cluster: Cluster, run: Callable[[], str]) -> None:
    """By the Job's own word."""
    cluster.scenes = [*[scene(pod(1, "Failed"), pod(2, "Failed"))] * 3, scene(pod(1, "Failed"), **FAILED)]
    with pytest.raises(ReleaseError, match="failed: BackoffLimitExceeded: thrice; no slot was touched"):
        run()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (scene(pod(1, "Failed"), pod(2, "Pending", **PULLS)), "pod pod-2: ErrImagePull: not found"),
        (scene(said=warning(1, "exceeded quota: small")), "FailedCreate: exceeded quota: small"),
        (scene(pod(1, "Failed"), said=warning(9, "exceeded quota: small")), "FailedCreate: exceeded quota: small"),
    ],
)
def test_one_that_cannot_be_started_is_not_waited_for(
    cluster: Cluster, hand: Hand, run: Callable[[], str], found: tuple[Object, Mapping[str, Object]], words: str
) -> None:
    """Nor is one that cannot be started again."""
    cluster.scenes = [found]
    with pytest.raises(ReleaseError, match=f"does not get on: {words}"):
        run()
    assert hand.told[-1] == "uninstall shop-expand"


def test_what_was_refused_before_a_pod_came_keeps_no_later_one(cluster: Cluster, run: Callable[[], str]) -> None:
    """The event stays for an hour."""
    before = warning(1, "exceeded quota: small")
    cluster.scenes = [*[scene(pod(5, "Failed"), said=before)] * 3, scene(pod(6, "Succeeded"), **COMPLETE)]
    run()


def test_one_that_somebody_deletes_is_gone_and_says_so(cluster: Cluster, run: Callable[[], str]) -> None:
    cluster.scenes = [scene(pod(1, "Running", **RUNS)), (None, {})]
    with pytest.raises(ReleaseError, match=r"is gone: somebody deleted it before it had ended; no slot was touched"):
        run()


def test_a_line_behind_the_level_that_a_migration_reached_does_not_hide_it(
    cluster: Cluster, run: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod's log has what libraries say on stderr too; the last line counts where none tells a level."""
    for said, told in (("schema level 2\nINFO done\n", "schema level 2"), ("one\ntwo\n", "two"), ("", "")):
        cluster.scenes = [scene(pod(1, "Succeeded"), **COMPLETE)]
        monkeypatch.setattr(Api, "text", lambda api, path, said=said: said)
        assert run() == told
