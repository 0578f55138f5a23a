"""Slots that an autoscaler scales: neither shrinks while users move, and afterwards it is the autoscaler's again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from scripts.release import engine
from scripts.release.carry import look
from scripts.release.engine import Caller, Options
from scripts.release.kubernetes.floor import KINDS, OWN
from scripts.release.kubernetes.slots import annotation
from scripts.release.memory import Role
from scripts.release.slots import Observed
from scripts.release.step import Kind, Step
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users, watched

pytestmark = pytest.mark.cluster
CALLER = Caller("ann@laptop", "ticket 7")
MOST = 3
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# A pod at rest stays under it, also with analysis load; 300 requests a second want more pods than there may be. It may
# shrink at once: what keeps it from that is seen.
HPA: dict[str, Any] = {
    "autoscaling": {
        "driver": "hpa",
        "minReplicas": 1,
        "maxReplicas": MOST,
        "cpuPercent": 40,
        "behavior": {
            "scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 15}]},
            "scaleDown": {"stabilizationWindowSeconds": 0},
        },
    },
    "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
}


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


def sizes(seen: Sequence[Observed]) -> list[int]:
    """The pods behind the users at each look; of two slots those of the smaller one."""
    return [min(slot.capacity for slot in now.slots.values() if now.route.target.has_users(slot.name)) for now in seen]


def test_a_live_slot_that_scales_out_in_the_overlap_hands_over_at_that_size(gateway_bed: Bed) -> None:
    """Planned with one pod, carried out with three; back again with no pod less, and the floors are put back."""
    place, file = gateway_bed, gateway_bed.file("[50, 100]", **HPA)
    shop = place.anew(file)
    engine.deploy(shop, file, "1.1.0", CALLER, Options(to_preview=True))
    assert (asked(place, "blue"), asked(place, "green")) == (1, 1)

    def scaled_out(step: Step) -> None:
        if step.kind is Kind.SHIFT and step.slot == "green":
            until(lambda: shop.observe().slots["blue"].capacity == MOST, 180)

    with Users(shop.edge()).at_work() as users, watched(place.platform(file)) as seen:
        until(lambda: shop.arriving() > 100)
        engine.promote(shop, file, Caller("ann@laptop", on_step=scaled_out))
        assert (look(shop).active.version, look(shop).role) == ("1.1.0", Role.WARM)
        assert least(place, "green") == (1, "")
        assert (asked(place, "blue"), least(place, "blue")) == (MOST, (MOST, "1"))  # kept for a rollback
        engine.rollback(shop, file, CALLER)
        assert least(place, "blue") == (1, "")
    assert users.failed == []
    assert sizes(seen) == sorted(sizes(seen))
    assert {now.slots["green"].capacity for now in seen if now.route.target.has_users("green")} == {MOST}


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
