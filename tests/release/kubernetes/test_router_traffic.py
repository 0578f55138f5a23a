"""Users at 300 requests a second through a Service and through a Gateway, while the route is written."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.cluster import images
from scripts.image.image import make
from scripts.local.state import ROOT
from scripts.release.errors import Refused
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.helm import install_words
from scripts.release.kubernetes.router import Router
from scripts.release.route import Audience, Target, Weights, other
from scripts.tools import tool
from tests.helm.render import HELM
from tests.release.kubernetes.bed import led, until
from tests.release.kubernetes.live import Users, slot_values, switches
from tests.release.kubernetes.routes import CLUSTER, KEY, Shop
from tests.release.kubernetes.test_router_writes import ROUTERS

pytestmark = pytest.mark.cluster
BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
BETA = {"x-beta": "yes"}
VALUES: dict[str, dict[str, Any]] = {
    "service": {"driver": "service"},
    "gateway": {
        "driver": "gateway",
        "gateway": {"parents": {"edge": {"namespace": "envoy-gateway-system"}}, "hostnames": {}},
        "preview": {"key": KEY},
    },
}
READY_S = 90.0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with Python on the node: that of the task API."""
    home = CLUSTER.parent
    there = [name for name in images.present(home) if name.startswith("docker.io/local/task-api:")]
    if there:
        return there[0]
    archive = ROOT / ".local" / "image" / "task-api.tar"
    if not archive.exists():
        archive = make(ROOT, tmp_path_factory.mktemp("image")).archive
    return images.load(home, archive)[0]


def digest(image: str) -> str:
    """The same image by its digest, which the node then knows it by, too."""
    home = CLUSTER.parent
    listed = images._ctr(home, ["images", "list", f"name=={image}"], 20).splitlines()[1].split()
    found = f"{image.rpartition(':')[0]}@{next(word for word in listed if word.startswith('sha256:'))}"
    images._ctr(home, ["images", "tag", "--force", image, found], 20)
    return found


class Live:
    """Both slots of a foreign application, and the router in front of them."""

    def __init__(self, driver: str, api: Api, image: str) -> None:
        self.api, self.image = api, image
        self.place = Shop(f"dev-e-{secrets.token_hex(4)}")
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        api.create("/api/v1/namespaces", {"metadata": {"name": self.place.namespace, "labels": restricted}})
        host = {"gateway": {**VALUES["gateway"]["gateway"], "hostnames": {f"{self.place.namespace}.test": True}}}
        self.helm("shop", "router", {**VALUES[driver], **(host if driver == "gateway" else {})})
        for slot in ("blue", "green"):
            self.helm(f"shop-{slot}", "slot", slot_values(image, slot))
        self.host = {"host": f"{self.place.namespace}.test"} if driver == "gateway" else {}
        self.router: Router = ROUTERS[driver](api, self.place)
        for first in (GREEN, BLUE):  # when both slots are ready
            self.write(first, READY_S)
        self.edge = self._edge(driver)
        led(self.edge, "blue", self.host)

    def helm(self, name: str, chart: str, values: dict[str, object]) -> None:
        self.run(install_words(name, str(HELM / chart)), json.dumps(values))

    def run(self, words: list[str], given: str = "") -> str:
        """Helm's output. Raises AssertionError with what it said."""
        place = [f"--namespace={self.place.namespace}", f"--kubeconfig={CLUSTER}"]
        argv = [str(tool("helm")), *words, *place]
        done = subprocess.run(argv, input=given, text=True, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _edge(self, driver: str) -> str:
        """The Gateway is shared, so that users name their host."""
        if driver == "service":
            return self.router.edge()
        found = self.api.get("/apis/gateway.networking.k8s.io/v1/namespaces/envoy-gateway-system/gateways/edge")
        assert found
        return f"http://{found['status']['addresses'][0]['value']}:80"

    def write(self, target: Target, patience: float = 0.0) -> float:
        """Write and wait until it is in force; the moment before. `patience`: for pods that are not ready."""
        deadline = time.monotonic() + patience
        while True:
            moment = time.time()
            try:
                self.router.write(target, self.router.read().token, "r1", 1)
                break
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        deadline = time.monotonic() + 20
        while missing := self.router.missing(target):
            assert time.monotonic() < deadline, missing
            time.sleep(0.02)
        return moment

    def users(self, **headers: str) -> Users:
        return Users(self.edge, headers={**self.host, **headers})

    def slots(self, users: Users, *, kept: bool = False) -> set[str]:
        """Where new users go now; kept connections only count where a proxy ends them."""
        time.sleep(3.0)  # kube-proxy looks once a second at endpoints that change, and this machine is shared
        begun = time.time()
        time.sleep(1.0)
        return {each.slot for each in users.since(begun) if kept or not each.kept}


@pytest.fixture(params=VALUES)
def live(request: pytest.FixtureRequest, image: str) -> Iterator[Live]:
    """Both slots up and all users on blue, through each router."""
    found = Live(request.param, Api.connect("", str(CLUSTER)), image)
    yield found
    found.api.delete(f"/api/v1/namespaces/{found.place.namespace}")


def test_ten_switches_lose_no_request(live: Live) -> None:
    """Back and forth; new connections leave the old slot each time, through a Gateway kept ones too."""
    with live.users().at_work() as users:
        time.sleep(1.0)
        moved = switches(live.router, users, 10, 4.0)
        print(
            "\n".join(f"new {each.new:.3f} s, kept {each.kept:.3f} s, written {each.written:.3f} s" for each in moved)
        )

    assert all(each.new < each.quiet - 1 for each in moved)
    assert live.router.name == "service" or all(each.kept < each.quiet - 1 for each in moved)
    assert [] == users.failed
    assert len(users.seen) > 3000


@pytest.mark.parametrize("live", ["gateway"], indirect=True)
def test_every_stage_of_a_release_loses_no_request(live: Live) -> None:
    """Copies, an audience, shares, all, and back at once: everybody is where the target says, and nobody is lost."""
    audience = Audience(BETA)
    stages = [
        Target(Weights(100, 0), mirror="green"),
        Target(Weights(100, 0), "green", audience),
        Target(Weights(90, 10), "green", audience),
        Target(Weights(50, 50), "green", audience),
        GREEN,
        BLUE,
        Target(Weights(100, 0), "green", Audience(cookies={"beta": "yes"})),
        Target(Weights(50, 50)),
        GREEN,
        BLUE,
    ]
    with live.users().at_work() as users, live.users(**BETA, cookie="a=b; beta=yes; c=d").at_work() as invited:
        for stage in stages:
            live.write(stage)
            everybody = {slot for slot in ("blue", "green") if stage.weights.of(slot)}
            assert everybody == live.slots(users, kept=True)
            assert ({stage.first} if stage.first else everybody) == live.slots(invited, kept=True)

    assert [] == users.failed
    assert [] == invited.failed


@pytest.mark.parametrize("live", ["gateway"], indirect=True)
def test_a_share_of_the_users_is_that_share(live: Live) -> None:
    """Also on kept connections: the proxy chooses for each request."""
    with live.users().at_work() as users:
        live.write(Target(Weights(75, 25)))
        time.sleep(1.0)
        begun = time.time()
        time.sleep(4.0)
        seen = [each.slot for each in users.since(begun) if each.kept]

    assert 0.15 < seen.count("green") / len(seen) < 0.35


def test_a_slot_is_previewed_whoever_has_the_users(live: Live) -> None:
    """Through the gateway by headers, also a read, and by the slot's own Service."""
    for slot in ("blue", "green"):
        live.write(Target.all_on(other(slot)))
        address, headers = ROUTERS[live.router.name](live.api, live.place._replace(edge=live.edge)).preview(slot)
        deadline = time.monotonic() + 20
        asked = Users(address, headers={**live.host, **headers})
        with asked.at_work():
            while slot not in {each.slot for each in asked.seen[-20:]} and time.monotonic() < deadline:
                time.sleep(0.1)
            begun = time.time()
            time.sleep(1.0)
        assert {slot} == {each.slot for each in asked.since(begun)}


def test_a_slot_whose_pods_are_gone_gets_no_user(live: Live) -> None:
    """Its share would be answered with errors by a proxy, and by nobody behind a Service."""
    path = f"/apis/apps/v1/namespaces/{live.place.namespace}/deployments/shop-green"
    with live.users().at_work() as users:
        live.api.merge_patch(path, {"spec": {"replicas": 0}})
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{live.place.namespace}/endpointslices"
        until(lambda: not swap.ready(live.api.list(slices), "shop-green"))
        with pytest.raises(Refused, match="Service shop-green has no ready pod"):
            live.write(GREEN)
        live.api.merge_patch(path, {"spec": {"replicas": 2}})
        live.write(GREEN, READY_S)
        assert {"green"} == live.slots(users)

    assert [] == users.failed


@pytest.mark.parametrize("live", ["service"], indirect=True)
def test_the_tests_of_the_charts_pass_as_pods(live: Live) -> None:
    """In a namespace that lets in restricted pods only; a slot that nobody may reach fails its test."""
    by_digest = digest(live.image)
    live.helm("shop", "router", {**VALUES["service"], "tests": {"enabled": True, "image": by_digest}})

    for release in ("shop", "shop-blue", "shop-green"):
        assert "Phase:          Succeeded" in live.run(["test", release, "--timeout=60s"])
    live.api.merge_patch(
        f"/api/v1/namespaces/{live.place.namespace}/services/shop", {"spec": {"selector": {"slot": "red"}}}
    )
    until(lambda: _fails(live, "shop"))  # the node may lead it to the pods of before for a while


def _fails(live: Live, release: str) -> bool:
    """Whether the test of a chart was run and refused."""
    try:
        live.run(["test", release, "--timeout=60s"])
    except AssertionError as exc:
        return "failed" in str(exc)
    return False
