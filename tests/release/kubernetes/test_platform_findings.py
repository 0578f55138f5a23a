"""What `doctor` finds on a real cluster that somebody has been at, and that what it says mends it."""

from __future__ import annotations

import datetime as dt
import os
import shlex
from typing import Any

import pytest

from scripts.release import engine
from scripts.release.carry import look
from scripts.release.doctor import examine
from scripts.release.engine import Caller
from scripts.release.errors import Locked
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.kubernetes.configs import named
from scripts.release.kubernetes.floor import Floor
from scripts.release.kubernetes.lease import PROCESS
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
    """1.0.0 is live in blue, and no journal yet."""
    service_bed.uninstall("blue")  # somebody has been at what it was made of
    found = service_bed.anew(file)
    assert told(found, file) == []
    return found


def told(shop: Kubernetes, file: ReleaseFile, where: str = "") -> list[tuple[str, str]]:
    """What is found, or what is found there, and what mends it."""
    return [(each.what, each.mend) for each in examine(shop, file) if where in ("", each.where)]


def one(shop: Kubernetes, file: ReleaseFile, where: str = "") -> tuple[str, str]:
    (found,) = told(shop, file, where)
    return found


def test_edits_by_hand_are_found_and_mended(shop: Kubernetes, file: ReleaseFile, service_bed: Bed) -> None:
    """Rights taken away, a floor lifted, a slot's ConfigMap deleted, the journal spoilt and deleted."""
    _rights(shop, file, service_bed)
    _floor(shop, file, service_bed)
    _config(shop, file, service_bed)
    _journal(shop, file, service_bed)


def _rights(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    role = f"{RBAC}/{place.namespace}/roles/shop-deployer"
    rules: list[dict[str, Any]] = (place.admin.get(role) or {})["rules"]
    fewer = [rule for rule in rules if not {"pods/proxy", "leases"} & set(rule["resources"])]
    for left, lacking in (
        (fewer, "get pods/proxy, create pods/proxy, create leases.coordination.k8s.io, get leases"),
        ([], "get deployments.apps, list"),
    ):
        place.admin.merge_patch(role, {"rules": left})
        until(lambda lacking=lacking: lacking in str(told(shop, file)))
        what, mend = told(shop, file)[0]
        assert what.startswith("this account may not ")
        words = shlex.split(mend.strip("`"))
        assert words[0] == "helm"
        place.helm(*words[1:])
        until(lambda: told(shop, file) == [])


def _floor(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    Floor(place.admin, place.namespace, "shop-blue", "hpa").lift(2)
    reap = "`primetrade release reap`"
    assert one(shop, file) == ("the autoscaler of blue may not go under 2 pods, its values say 1", reap)
    engine.reap(shop, file, CALLER)
    assert told(shop, file) == []


def _config(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    live = place.admin.get(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop-blue")
    assert live
    (name,) = named([live])
    place.admin.delete(f"{place.space}/configmaps/{name}")
    gone = [each for each in told(shop, file) if f"takes its environment from ConfigMap {name}" in each[0]]
    assert [mend for _, mend in gone] == ["`primetrade release deploy VERSION`"]
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.1.0", CALLER)
    assert users.failed == []
    assert look(shop).active.version == "1.1.0"


def _journal(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    path = f"{place.space}/configmaps/shop-rollout"
    place.admin.merge_patch(path, {"data": {"000002": "edited"}})
    what, mend = one(shop, file, "journal")
    assert what.startswith("the journal, ConfigMap shop-rollout, key 000002: not a journal entry")
    assert mend == "`primetrade release reap`, once that is mended"
    place.admin.delete(path)
    what, mend = one(shop, file, "journal")
    assert what.startswith("it is missing or empty: run ")
    assert mend == "`primetrade release reap` takes over what is there as it is"
    engine.reap(shop, file, CALLER)
    assert told(shop, file, "journal") == []
    assert (look(shop).phase, look(shop).active.version) == (Phase.IDLE, "1.1.0")


def test_a_lease_that_was_left_behind_is_found_and_taken(shop: Kubernetes, file: ReleaseFile, service_bed: Bed) -> None:
    """By a run on another machine: while it renews it `doctor` names it, once it is silent nobody is held up."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{service_bed.namespace}/leases/shop-rollout"
    since = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    with service_bed.platform(file).lock(Holder("bob@desk", "r7", "deploy", since, os.getpid())):
        what, mend = one(shop, file)
        assert f"bob@desk holds it since {since}" in what
        assert mend == "`primetrade release unlock --force --reason WHY` takes it"
        with pytest.raises(Locked, match="bob@desk"):
            engine.reap(shop, file, CALLER)
        elsewhere = service_bed.admin.get(path)
        assert elsewhere
        engine.unlock(shop, Caller("ann@laptop", "his laptop is gone"), force=True)
        assert told(shop, file) == []
    notes = {"annotations": {**elsewhere["metadata"]["annotations"], PROCESS: "another-machine/pid:[1]/1/1"}}
    silent = {**elsewhere["spec"], "renewTime": "2026-01-01T00:00:00.000000Z"}
    service_bed.admin.merge_patch(path, {"metadata": notes, "spec": {**silent, "leaseTransitions": 99}})
    assert told(shop, file) == []
    engine.reap(shop, file, CALLER)
    assert shop.holder() is None
