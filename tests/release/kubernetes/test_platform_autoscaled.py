"""Slots that an autoscaler scales: neither shrinks while users move, and afterwards it is the autoscaler's again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.kubernetes.floor import KINDS, OWN
from scripts.release.kubernetes.slots import annotation
from scripts.release.step import Kind, Step
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users

pytestmark = pytest.mark.cluster
CALLER = Caller("ann@laptop", "ticket 7")
MOST = 3
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def least(place: Bed, slot: str, driver: str = "hpa") -> tuple[int, str]:
    """The least pods of a slot now, and what its values say while that is lifted."""
    kind = KINDS[driver]
    found = place.admin.get(f"/apis/{kind.group}/namespaces/{place.namespace}/{kind.plural}/shop-{slot}")
    assert found
    return found["spec"].get(kind.least, 1), annotation(found, OWN)


def asked(place: Bed, slot: str) -> int:
    """The pods that there should be."""
    found = place.admin.get(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop-{slot}")
    assert found
    return int(found["spec"]["replicas"])


@pytest.fixture
def keda(service_bed: Bed) -> Iterator[Bed]:
    """A cluster that knows ScaledObjects, and a deployer who may write them; there is no controller."""
    kind = KINDS["keda"]
    group, version = kind.group.split("/")
    path = f"{DEFINITIONS}/{kind.plural}.{group}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": "ScaledObject", "plural": kind.plural, "singular": "scaledobject"}
    versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
    service_bed.admin.create(DEFINITIONS, {"metadata": {"name": path.rpartition("/")[2]}, "spec": spec})
    allowed = ["--reuse-values", "--set", "deployer.allow.keda=true"]
    service_bed.helm("upgrade", "shop", "helm/router", *allowed)
    objects = f"/apis/{kind.group}/namespaces/{service_bed.namespace}/{kind.plural}"
    until(lambda: service_bed.admin.get(objects))
    yield service_bed
    for slot in ("blue", "green"):
        service_bed.uninstall(slot)
    service_bed.admin.delete(path)


def test_a_scaled_object_of_keda_is_lifted_and_put_back(keda: Bed) -> None:
    """By the API alone, as no KEDA runs: each slot gets its users at the other one's size, also on the way back."""
    triggers = {"rate": {"type": "cron", "metadata": {"timezone": "UTC", "start": "0 8 * * *", "end": "0 9 * * *"}}}
    scaled = {"driver": "keda", "minReplicas": 1, "maxReplicas": MOST, "triggers": triggers}
    file = keda.file("[100]", autoscaling=scaled)
    shop = keda.anew(file)
    assert least(keda, "blue", "keda") == (1, "")

    def grow(slot: str, replicas: int) -> None:
        """As the autoscaler that KEDA makes."""
        path = f"/apis/apps/v1/namespaces/{keda.namespace}/deployments/shop-{slot}"
        keda.admin.merge_patch(path, {"spec": {"replicas": replicas}})
        until(lambda: shop.observe().slots[slot].capacity == replicas)

    grow("blue", 2)
    lifted: list[tuple[int, str]] = []

    def overlap(step: Step) -> None:
        if step.kind is Kind.DRAIN:
            lifted.extend(least(keda, slot, "keda") for slot in ("blue", "green"))

    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.1.0", Caller("ann@laptop", on_step=overlap))
        assert lifted == [(2, "1"), (2, "1")]
        assert (asked(keda, "green"), least(keda, "green", "keda")) == (2, (1, ""))
        grow("green", MOST)
        engine.rollback(shop, file, CALLER)
    assert users.failed == []
    assert (asked(keda, "blue"), least(keda, "blue", "keda")) == (MOST, (1, ""))
