"""The routers over a real API server, and Helm's attempts to take the route back; pods are not needed."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.release.errors import Fenced, Refused, RouteMoved
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.router import Router, needs
from scripts.release.route import Audience, Target, Weights
from scripts.tools import tool
from tests.helm.render import HELM
from tests.release.kubernetes.routes import CLUSTER, KEY, Shop
from tests.release.kubernetes.test_router import LACKS
from tests.release.kubernetes.test_router_writes import FORMS, ROUTERS

pytestmark = pytest.mark.cluster
BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
TARGETS = [
    GREEN,
    Target(Weights(75, 25)),
    Target(Weights(100, 0), "green", Audience({"x-beta": "yes"})),
    Target(Weights(50, 50), "green", Audience({"X-Beta": "a b"})),
    Target(Weights(100, 0), mirror="green"),
    Target(Weights(95, 5), sticky="slot-7"),
    BLUE,
]
VALUES: dict[str, dict[str, Any]] = {
    "service": {"driver": "service"},
    "gateway": {"driver": "gateway", "gateway": {"parents": {"public": {}}}, "preview": {"key": KEY}},
    "alb": {"driver": "alb", "preview": {"key": KEY}},
}
APPLIED = {"server": [], "client": ["--server-side=false"]}


class Site:
    """The chart, installed by Helm in a namespace of the test's own."""

    def __init__(self, driver: str, namespace: str, api: Api, folder: Path) -> None:
        self.driver, self.namespace, self.api, self.values = driver, namespace, api, folder / "values.json"
        self.path = FORMS[driver].path.replace("shop-space", namespace)
        self.router: Router = ROUTERS[driver](api, Shop(namespace))

    def helm(self, verb: str, *words: str, **values: Any) -> str:
        """Run Helm; its output. Raises AssertionError with what it said."""
        self.values.write_text(json.dumps({**VALUES[self.driver], **values}))
        argv = [str(tool("helm")), verb, "shop", *words, f"--namespace={self.namespace}", f"--kubeconfig={CLUSTER}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, *words: str, **values: Any) -> None:
        self.values.parent.mkdir(exist_ok=True)
        self.helm("upgrade", str(HELM / "router"), "--install", f"--values={self.values}", *words, **values)

    def endpoints(self, slot: str, *addresses: str) -> None:
        """Ready pods of a slot, in words only."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        self.api.delete(f"{path}/shop-{slot}-test")
        labels = {"kubernetes.io/service-name": f"shop-{slot}", "endpointslice.kubernetes.io/managed-by": "test"}
        endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
        meta = {"name": f"shop-{slot}-test", "labels": labels}
        self.api.create(path, {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints})

    @property
    def port(self) -> int:
        """What Helm last wrote of the port."""
        found = self.api.get(self.path) or {}
        notes = found["metadata"]["annotations"]
        return int(notes.get("primetrade/port") or found["spec"]["ports"][0]["port"])

    def write(self, target: Target, run: str = "r1", fence: int = 1) -> str:
        return self.router.write(target, self.router.read().token, run, fence)


@pytest.fixture(params=ROUTERS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The chart of each driver, with ready pods in both slots; not installed yet."""
    api = Api.connect("", str(CLUSTER))
    namespace = f"dev-e-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    found = Site(request.param, namespace, api, tmp_path)
    for slot in ("blue", "green"):
        found.endpoints(slot, "198.18.0.250")
    yield found
    api.delete(f"/api/v1/namespaces/{namespace}")


def possible(site: Site) -> list[Target]:
    return [target for target in TARGETS if not needs(target) & LACKS[site.driver]]


def test_every_target_is_accepted_and_read_back(site: Site) -> None:
    """By the real schemas and defaults; each with a token of its own."""
    site.install()
    tokens = [site.router.read().token]
    assert (BLUE, "") == (site.router.read().target, site.router.read().run)

    for number, target in enumerate(possible(site)):
        tokens.append(site.write(target, f"r{number}", number))
        seen = site.router.read()
        assert (target, tokens[-1], f"r{number}", number) == (seen.target, seen.token, seen.run, seen.fence)
    assert len(set(tokens)) == len(tokens)


def test_a_stale_token_and_an_old_number_change_nothing(site: Site) -> None:
    """The API server itself holds the precondition."""
    site.install()
    first = site.router.read().token
    site.write(GREEN, "r2", 2)

    with pytest.raises(RouteMoved):
        site.router.write(BLUE, first, "r3", 3)
    with pytest.raises(Fenced):
        site.write(BLUE, "r1", 1)
    assert GREEN == site.router.read().target


def test_a_slot_without_endpoints_gets_nobody(site: Site) -> None:
    """As the EndpointSlices say at the moment of the write."""
    site.install()
    site.endpoints("green")

    with pytest.raises(Refused, match="Service shop-green has no ready pod"):
        site.write(GREEN)
    site.endpoints("green", "198.18.0.251")
    assert site.write(GREEN)


@pytest.mark.parametrize("apply", APPLIED)
def test_no_upgrade_and_no_rollback_of_the_chart_moves_the_route(site: Site, apply: str) -> None:
    """With values of before a release, at rest and in its middle, by server-side apply and without."""
    site.install(*APPLIED[apply], servicePort=80)
    for number, target in enumerate(possible(site), start=1):
        token = site.write(target, f"r{number}", number)
        site.install(*APPLIED[apply], servicePort=80 + number)
        assert (target, token, 80 + number) == (site.router.read().target, site.router.read().token, site.port)
        site.helm("rollback", *APPLIED[apply])  # to the revision before
        assert (target, token, 80) == (site.router.read().target, site.router.read().token, site.port)


def test_helm_changes_the_way_it_applies_and_the_route_stays(site: Site) -> None:
    """From client-side apply to server-side and back, in the middle of a release."""
    site.install("--server-side=false")
    token = site.write(possible(site)[-2])
    for words in (["--server-side=true", "--force-conflicts"], ["--server-side=false"], ["--server-side=true"]):
        site.install(*words)
        assert token == site.router.read().token


def test_a_sync_of_what_is_rendered_without_a_cluster_leaves_the_route(site: Site) -> None:
    """As a GitOps tool does it: by another owner of the same fields."""
    site.install()
    token = site.write(GREEN)
    rendered = site.helm("template", str(HELM / "router"), f"--values={site.values}")
    argv = [str(tool("kubectl")), f"--kubeconfig={CLUSTER}", f"--namespace={site.namespace}", "apply", "-f", "-"]
    for words in ([], ["--server-side", "--force-conflicts", "--field-manager=gitops"]):
        subprocess.run([*argv, *words], input=rendered, capture_output=True, text=True, timeout=60, check=True)
        assert token == site.router.read().token
