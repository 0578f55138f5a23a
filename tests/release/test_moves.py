"""Moves of users on a cluster where something fails that must not keep them where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.release.errors import Refused
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.route import Target, Weights
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.conftest import kubeconfig_for, server, twin_api  # noqa: F401 - fixtures
from tests.release.kubernetes.objects import deployment
from tests.release.test_route_lost import behind

BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
SPACE = "namespaces/shop-space"


@pytest.fixture
def shop(
    tmp_path: Path,
    server: Server,  # noqa: F811 - asked for
    twin_api: Api,  # noqa: F811 - asked for
    monkeypatch: pytest.MonkeyPatch,
) -> Kubernetes:
    """Behind a Gateway that is taken to carry out what is written."""
    return behind("gateway", tmp_path, server, twin_api, monkeypatch)


def moved(shop: Kubernetes, target: Target) -> None:
    shop.route(target, shop.observe().route.token, "r1", 1)


def endpoints(server: Server, **ready: bool) -> None:  # noqa: F811
    for slot, each in ready.items():
        found = server.objects[f"/apis/discovery.k8s.io/v1/{SPACE}/endpointslices/{slot}"]
        found["endpoints"] = [{"conditions": {"ready": each}}]


def test_where_nobody_is_answered_all_users_may_go_to_the_slot_that_starts(shop: Kubernetes, server: Server) -> None:  # noqa: F811
    """Its share waits for it already; the rest would stay on one that died."""
    moved(shop, Target(Weights(70, 30)))
    endpoints(server, blue=True, green=False)
    with pytest.raises(Refused, match="Service shop-green has no ready pod"):
        moved(shop, GREEN)
    endpoints(server, blue=False, green=False)
    moved(shop, GREEN)
    with pytest.raises(Refused, match="Service shop-blue has no ready pod"):  # it has no users yet
        moved(shop, BLUE)


def test_an_autoscaler_that_cannot_be_changed_keeps_no_user_where_he_is(shop: Kubernetes, server: Server) -> None:  # noqa: F811
    """The webhook that judges it may be down, or the right to do so gone."""
    found: dict[str, Any] = deployment()
    found["metadata"]["labels"] |= {"app.kubernetes.io/instance": "shop", "slot": "green"}
    found["metadata"]["annotations"] = {}
    server.answer("POST", f"/apis/apps/v1/{SPACE}/deployments", "", found)
    scaler = {"metadata": {"name": "shop-green"}, "spec": {"minReplicas": 1, "maxReplicas": 9}}
    server.answer("POST", f"/apis/autoscaling/v2/{SPACE}/horizontalpodautoscalers", "", scaler)
    refused = server.fault(f"PATCH /apis/autoscaling/v2/{SPACE}/horizontalpodautoscalers/shop-green", 403, times=9)
    moved(shop, GREEN)
    assert shop.observe().route.target == GREEN
    assert refused.times < 9
