"""What `doctor` finds on a real cluster that somebody has been at, and that what it says mends it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from scripts.release import engine
from scripts.release.carry import look
from scripts.release.doctor import examine
from scripts.release.engine import Caller
from scripts.release.file import ReleaseFile
from scripts.release.kubernetes.configs import named
from scripts.release.kubernetes.floor import Floor
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.situation import Phase
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users

pytestmark = pytest.mark.cluster
CALLER = Caller("ann@laptop", "ticket 7")
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


@pytest.fixture
def file(service_bed: Bed) -> ReleaseFile:
    return service_bed.file("[100]", autoscaling={"driver": "hpa", "minReplicas": 1, "maxReplicas": 3})


@pytest.fixture
def shop(service_bed: Bed, file: ReleaseFile) -> Kubernetes:
    """1.1.0 is live in green, and 1.0.0 warm in blue."""
    found = service_bed.anew(file)
    with Users(found.edge()).at_work():
        until(lambda: found.arriving() > 100)
        engine.deploy(found, file, "1.1.0", CALLER)
    assert told(found, file) == []
    return found


def told(shop: Kubernetes, file: ReleaseFile) -> list[tuple[str, str]]:
    """What is found, and what mends it."""
    return [(each.what, each.mend) for each in examine(shop, file)]


def one(shop: Kubernetes, file: ReleaseFile) -> tuple[str, str]:
    (found,) = told(shop, file)
    return found


def test_edits_by_hand_are_found_and_mended(shop: Kubernetes, file: ReleaseFile, service_bed: Bed) -> None:
    """Rights taken away, a floor lifted, the journal spoilt and deleted, a slot's ConfigMap deleted."""
    _rights(shop, file, service_bed)
    _floor(shop, file, service_bed)
    _journal(shop, file, service_bed)
    _config(shop, file, service_bed)


def _rights(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    role = f"{RBAC}/{place.namespace}/roles/shop-deployer"
    rules: list[dict[str, Any]] = (place.admin.get(role) or {})["rules"]
    fewer = [rule for rule in rules if not {"pods/proxy", "leases"} & set(rule["resources"])]
    for left, lacking in ((fewer, "get pods/proxy, create pods/proxy, get leases"), ([], "get deployments.apps, list")):
        place.admin.merge_patch(role, {"rules": left})
        until(lambda lacking=lacking: lacking in told(shop, file)[0][0])
        what, mend = told(shop, file)[0]
        assert what.startswith("this account may not ")
        words = shlex.split(mend.strip("`"))
        assert words[0] == "helm"
        place.helm(*words[1:])
        until(lambda: told(shop, file) == [])


def _floor(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    Floor(place.admin, place.namespace, "shop-green", "hpa").lift(2)
    reap = "`primetrade release reap`"
    assert one(shop, file) == ("the autoscaler of green may not go under 2 pods, its values say 1", reap)
    engine.reap(shop, file, CALLER)
    assert told(shop, file) == []


def _journal(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    path = f"{place.space}/configmaps/shop-rollout"
    place.admin.merge_patch(path, {"data": {"000002": "edited"}})
    what, mend = one(shop, file)
    assert what.startswith("the journal, ConfigMap shop-rollout, key 000002: not a journal entry")
    assert mend == "`primetrade release reap`, once that is mended"
    place.admin.delete(path)
    what, mend = one(shop, file)
    assert what.startswith("it is missing or empty: run ")
    assert mend == "`primetrade release reap` takes over what is there as it is"
    engine.reap(shop, file, CALLER)
    assert told(shop, file) == []
    assert (look(shop).phase, look(shop).active.version) == (Phase.IDLE, "1.1.0")


def _config(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    live = place.admin.get(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop-green")
    assert live
    (name,) = named([live])
    place.admin.delete(f"{place.space}/configmaps/{name}")
    what, mend = one(shop, file)
    assert what.startswith(f"green takes its environment from ConfigMap {name}, which is gone")
    assert mend == "`primetrade release deploy VERSION`"
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.2.0", CALLER)
    assert users.failed == []
    assert look(shop).active.version == "1.2.0"
