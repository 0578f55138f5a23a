"""A routing object of a cluster that was edited until it says no route closes no way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.release.errors import NeedsPerson, RouteMoved
from scripts.release.file import read_release_file
from scripts.release.journal import Entry, Holder
from scripts.release.kubernetes import httproute, platform, service
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.ingress import PREFIX
from scripts.release.kubernetes.ingress import Form as IngressForm
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.kubernetes.swap import Form
from scripts.release.route import Target
from tests.release.conftest import FILE
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.conftest import kubeconfig_for, server, twin_api  # noqa: F401 - fixtures
from tests.release.kubernetes.routes import install
from tests.release.texts import TARGETS

BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
CLUSTER = (
    "kubernetes: {{namespace: shop-space, app: shop, router: {router}, image: local/shop, edge: 'http://[::1]:1'}}\n"
)
FORMS: dict[str, Form] = {
    "service": service.Form("shop-space", "shop", "shop"),
    "gateway": httproute.Form("shop-space", "shop"),
    "alb": IngressForm("shop-space", "shop", 0),
}


def behind(router: str, folder: Path, server: Server, api: Api, patch: pytest.MonkeyPatch) -> Kubernetes:  # noqa: F811
    """The shop behind a router that is taken to carry out what is written."""
    (folder / "slo.yaml").write_text(TARGETS)
    (folder / "release.yaml").write_text(FILE + CLUSTER.format(router=router))
    install(server, router, FORMS[router])
    patch.setattr(platform, "settle", lambda *arguments: None)
    file = read_release_file(folder / "release.yaml", ("platform=kubernetes", "steps=[100]"))
    return Kubernetes(folder, file, api)


@pytest.fixture(params=FORMS)
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    server: Server,  # noqa: F811 - asked for
    twin_api: Api,  # noqa: F811 - asked for
    monkeypatch: pytest.MonkeyPatch,
) -> Kubernetes:
    """Green has all users. Nobody carries out here what is written."""
    found = behind(request.param, tmp_path, server, twin_api, monkeypatch)
    found.route(GREEN, found.observe().route.token, "r1", 1)
    return found


def edit(found: dict[str, Any], router: str) -> None:
    """By a hand in a hurry."""
    match router:
        case "service":
            found["spec"]["selector"]["slot"] = "gren"
        case "gateway":
            found["spec"]["rules"] = found["spec"]["rules"][:1]
        case "alb":
            notes = found["metadata"]["annotations"]
            action = json.loads(notes[f"{PREFIX}actions.shop"])
            del action["forwardConfig"]["targetGroups"][0]
            notes[f"{PREFIX}actions.shop"] = json.dumps(action)


def test_the_way_back_is_written_over_it(shop: Kubernetes, server: Server) -> None:  # noqa: F811
    """Until then the route is taken to say what the journal has, and what it says says who may tell more."""
    told = Entry(1.0, "", "r1", 1, "deploy", "ann@laptop", "done", step="shift", slot="green", target=GREEN)
    shop.journal.append(told)
    edit(server.objects[FORMS[shop.router.name].path], shop.router.name)
    with shop.lock(Holder("bob@desk", "r2", "rollback", "", 1)) as fence:
        seen = shop.observe().route
        assert (seen.target, seen.run, seen.fence) == (GREEN, "r1", 1)
        assert "somebody edited it" in seen.lost
        with pytest.raises(RouteMoved):
            shop.route(BLUE, "another", "r2", fence)
        shop.route(BLUE, seen.token, "r2", fence)
    now = shop.observe().route
    assert (now.target, now.run, now.lost) == (BLUE, "r2", "")


def test_without_a_journal_nobody_knows_what_it_said(shop: Kubernetes, server: Server) -> None:  # noqa: F811
    edit(server.objects[FORMS[shop.router.name].path], shop.router.name)
    with pytest.raises(NeedsPerson, match="somebody edited it"):
        shop.observe()
