"""What a move of the users waits for, and what it does not; the platform over the twin of an API server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.release.external import Ended
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.kubernetes import helm, settling
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.route import Target
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.bed import RELEASE
from tests.release.kubernetes.fake_alb import INGRESS, SERVICES
from tests.release.kubernetes.routes import install
from tests.release.kubernetes.test_router_alb import BLUE, GREEN, Place, live
from tests.release.texts import PROFILE, TARGETS

LEASE = "/apis/coordination.k8s.io/v1/namespaces/shop-space/leases/shop-rollout"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], ReleaseFile]:
    """The release file for a router."""

    def write(router: str) -> ReleaseFile:
        (tmp_path / "slo.yaml").write_text(TARGETS)
        (tmp_path / "values.yaml").write_text("{}")
        (tmp_path / "analysis.yaml").write_text(PROFILE)
        words = {"router": router, "edge": "http://127.0.0.1:1", "prometheus": "", "steps": "[100]", "chart": "chart"}
        text = RELEASE.format(profile=tmp_path / "analysis.yaml", namespace="shop-space", image="local/shop", **words)
        (tmp_path / "release.yaml").write_text(text)
        return read_release_file(tmp_path / "release.yaml")

    return write


@pytest.fixture
def edge(server: Server, twin_api: Api, tmp_path: Path, file: Callable[[str], ReleaseFile]) -> tuple[Kubernetes, Place]:
    """Behind the fake of a load balancer, blue is live and green was never deployed."""
    place = live(Place(server, twin_api, "blue"))
    shop = Kubernetes(tmp_path, file("alb"), twin_api)
    shop.router = place.router
    return shop, place


def test_users_move_once_the_load_balancer_knows_the_pods(
    server: Server, edge: tuple[Kubernetes, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is confirmed again behind the wait: in minutes it may have been lost."""
    shop, place = edge
    place.fake.pods("shop-green", "green-1", "green-2")
    monkeypatch.setattr(settling, "time", place.ticking())
    states: list[object] = []

    def look() -> None:
        place.fake.tick()
        if f"PATCH {INGRESS}" not in server.asked:
            states.append(dict(place.fake._targets["shop-green"]))

    monkeypatch.setattr(place, "tick", look)
    server.asked.clear()
    shop.route(GREEN, place.router.read().token, "r1", 1)
    assert states[-1] == {"green-1": "healthy", "green-2": "healthy"}
    assert len(states) > 1
    confirmed = [number for number, each in enumerate(server.asked) if each == f"GET {LEASE}"]
    assert len(confirmed) == 2
    assert confirmed[-1] < server.asked.index(f"PATCH {INGRESS}")
    assert {"green"} == {place.fake.serves(draw) for draw in range(100)}


def test_a_slot_that_comes_or_goes_leaves_a_service_for_the_controller(
    server: Server, edge: tuple[Kubernetes, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes no rule of one that is not there, the live slot's included."""
    shop, place = edge
    monkeypatch.setattr(helm, "program", lambda: "helm")

    def run(*args: object, **more: object) -> Ended:
        server.objects.pop(f"{SERVICES}/shop-green", None)
        return Ended(0, "")

    monkeypatch.setattr(helm, "run_command", run)
    shop.retire("green", 1)
    assert f"{SERVICES}/shop-green" in server.objects
    shop.deploy("green", shop.file.release("1.1.0", {}), 1, 1)
    assert f"{SERVICES}/shop-green" in server.objects
    place.fake.tick()
    assert place.fake.events == []


def test_the_way_back_waits_for_no_helm(
    server: Server, twin_api: Api, tmp_path: Path, file: Callable[[str], ReleaseFile]
) -> None:
    """Whoever is at work on a slot: a move of the users asks for nothing of Helm's."""
    shop = Kubernetes(tmp_path, file("service"), twin_api)
    install(server, "service", shop.router._active)  # type: ignore[attr-defined]
    shop.route(GREEN, shop.observe().route.token, "r1", 1)
    shop.route(BLUE, shop.observe().route.token, "r1", 1)
    assert shop.observe().route.target == Target.all_on("blue")
    assert not any("secrets" in each for each in server.asked)
