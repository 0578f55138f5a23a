"""What the API's objects say of a slot: when it runs, when it is ready, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.release.kubernetes import slots
from scripts.release.kubernetes.slots import DIGEST, DRAINING, RELEASE, REPLICAS, Parts, Says, slot_of, slot_values
from scripts.release.slots import Range, Release
from tests.release.kubernetes.objects import SHOP, Object, deployment, pod, slices, slot

OLD = Release("1.0.0", (), {}, "local/shop:1.0.0")


def waiting(reason: str, message: str = "why") -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "started": False, "ready": False}


CRASHED: Object = {
    **waiting("CrashLoopBackOff"),
    "restartCount": 2,
    "lastState": {"terminated": {"reason": "Error", "exitCode": 3}},
}


def test_a_slot_is_what_it_was_deployed_as() -> None:
    """Version, digest and the whole release stand on the Deployment; what it says of itself comes from the pods."""
    found = slot_of(slot(pod("a"), pod("b")), [Says("1.1.0", Range(1, 3))] * 2, None, "there")
    assert (found.version, found.digest, found.spec, found.says) == ("1.1.0", SHOP.digest, SHOP, "1.1.0")
    assert (found.running, found.ready, found.capacity, found.schema) == (True, True, 2, Range(1, 3))
    assert found.log == "there"


def test_a_slot_whose_image_somebody_changed_is_no_release() -> None:
    """The annotation alone would lie."""
    changed = deployment()
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "local/shop:9"
    parts = slot(pod("a"), pod("b"), of=changed)
    assert parts.release is None
    assert parts.digest not in ("", SHOP.digest)
    assert parts.running


def test_a_slot_that_helm_rolled_back_is_the_release_before() -> None:
    """Annotation and image are those of the older revision, so that `doctor` sees another digest than the journal's."""
    parts = slot(pod("a", OLD), pod("b", OLD), of=deployment(OLD))
    assert (parts.version, parts.digest) == ("1.0.0", OLD.digest)


def test_nothing_deployed_is_an_empty_slot() -> None:
    found = slot_of(Parts("green"), [], None, "there")
    assert (found.version, found.digest, found.running, found.ready, found.log) == ("", "", False, False, "")


def not_seen() -> Object:
    found = deployment()
    found["metadata"]["generation"] = 4
    return found


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (slot(pod("a")), "one of two pods"),
        (slot(pod("a"), pod("b", ready=False)), "a pod that is not ready"),
        (slot(pod("a"), pod("b"), receiving=slices("a")), "a pod that gets no requests yet"),
        (slot(pod("a"), pod("b"), pod("c", OLD)), "a pod of the release before that gets requests"),
        (slot(pod("a"), pod("b"), of=deployment(**{DRAINING: "true"})), "draining"),
        (slot(pod("a"), pod("b"), of=not_seen()), "a change that nobody has looked at yet"),
        (slot(of=deployment(replicas=0)), "no pods wanted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slot_is_not_ready(parts: Parts, why: str) -> None:
    assert not parts.ready


def test_pods_on_their_way_out_hold_nobody_up() -> None:
    """They get no requests any more, whatever they run."""
    leaving = pod("c", OLD)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert slot(pod("a"), pod("b"), leaving, receiving=slices("a", "b")).ready


def test_what_an_autoscaler_has_just_added_is_no_reason_for_alarm() -> None:
    """A gate that looks at a slot while it grows must not refuse it."""
    grown = deployment()
    grown["spec"]["replicas"] = 4
    fresh = pod("c", **waiting("ContainerCreating"))
    assert grown["metadata"]["annotations"][REPLICAS] == "2"
    parts = slot(pod("a"), pod("b"), fresh, receiving=slices("a", "b"), of=grown)
    assert parts.ready
    assert slot_of(parts, [], None, "").capacity == 2


@pytest.mark.parametrize(
    ("pods", "running"),
    [
        ([], True),  # about to come
        ([pod("a", **waiting("ImagePullBackOff"))], True),
        ([pod("a", **CRASHED), pod("b")], True),
        ([pod("a", **CRASHED), pod("b", **CRASHED)], False),
    ],
)
def test_a_slot_runs_until_every_pod_of_it_crashes_again_and_again(pods: list[Object], running: bool) -> None:
    assert slot(*pods).running is running


def test_drained_pods_count_for_the_way_back() -> None:
    """Capacity is what runs, not what gets requests."""
    parts = slot(pod("a", ready=False), pod("b", ready=False), of=deployment(**{DRAINING: "true"}))
    assert slot_of(parts, [], 0, "").capacity == 2


def test_pods_that_say_two_versions_say_both_and_one_that_is_mute_none() -> None:
    parts = slot(pod("a"), pod("b"))
    assert slot_of(parts, [Says("1.1.0"), Says("1.0.0")], None, "").says == "1.0.0 and 1.1.0"
    assert slot_of(parts, [Says("1.1.0"), Says()], None, "").says == ""


QUOTA = 'pods "shop-green-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
POLICY = 'pods "shop-green-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


def refused(message: str) -> Parts:
    found = deployment()
    found["status"]["conditions"] = [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated", "message": "fine"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message},
    ]
    return slot(of=found)


def unscheduled() -> Object:
    found = pod("a", ready=False)
    found["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}],
    }
    return found


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (refused(QUOTA), f"FailedCreate: {QUOTA}"),
        (refused(POLICY), f"FailedCreate: {POLICY}"),
        (slot(pod("a", **waiting("ErrImagePull", "not found"))), "pod a: ErrImagePull: not found"),
        (slot(pod("a", **waiting("CreateContainerConfigError"))), "pod a: CreateContainerConfigError: why"),
        (slot(pod("a", **CRASHED)), "pod a was started again 2 times: Error, exit code 3"),
        (slot(unscheduled()), "pod a finds no node: 0/1 nodes: Insufficient cpu."),
        (slot(pod("a"), pod("b")), ""),
        (slot(pod("a", **waiting("ContainerCreating"))), ""),
    ],
)
def test_why_pods_do_not_come_is_said_in_the_clusters_words(parts: Parts, says: str) -> None:
    assert slots.trouble(parts) == says


def test_a_release_before_is_no_trouble_of_this_one() -> None:
    assert slots.trouble(slot(pod("a"), pod("b"), pod("c", OLD, **CRASHED))) == ""


def test_a_release_is_the_charts_values_and_what_the_engine_adds() -> None:
    """Slot and size, and on the objects who they are of."""
    values = slot_values(SHOP, "green", 3, allow_live=False)
    notes = values.pop("annotations")
    assert slots.Parts("green", {**deployment(), "metadata": {"annotations": notes}}).release == SHOP
    assert (notes[REPLICAS], notes[DRAINING]) == ("3", "")
    assert RELEASE in notes
    assert values == {
        "ports": {"admin": 9090},
        "slot": "green",
        "replicas": 3,
        "podAnnotations": {DIGEST: SHOP.digest},
        "allowLiveChange": False,
    }


@pytest.mark.parametrize("driver", ["hpa", "keda"])
def test_an_autoscaled_slot_is_never_given_a_size(driver: str) -> None:
    """An upgrade would undo what the autoscaler did."""
    values: dict[str, Any] = {"autoscaling": {"driver": driver}}
    assert "replicas" not in slot_values(Release("1", (), {}, "a:1", values), "blue", 3, allow_live=False)
