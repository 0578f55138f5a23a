"""Pods that are told to drain, or no more, where one of them does not answer."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from scripts.release.errors import ReleaseError
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.kubernetes.slots import DRAINING, Parts
from tests.release.conftest import FILE
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.objects import deployment, pod, slices, slot
from tests.release.texts import TARGETS

SPACE = "/api/v1/namespaces/shop-space"
GREEN = "/apis/apps/v1/namespaces/shop-space/deployments/shop-green"
CLUSTER = "kubernetes: {namespace: shop-space, app: shop, image: local/shop, secret: shop}\n"


@pytest.fixture
def file(tmp_path: Path) -> ReleaseFile:
    (tmp_path / "slo.yaml").write_text(TARGETS)
    (tmp_path / "release.yaml").write_text(FILE + CLUSTER)
    return read_release_file(tmp_path / "release.yaml", ("platform=kubernetes",))


@pytest.fixture
def shop(tmp_path: Path, file: ReleaseFile, server: Server, twin_api: Api) -> Kubernetes:
    """Three pods are asked; by themselves they do as they are told."""
    secret = {"metadata": {"name": "shop"}, "data": {"ADMIN_TOKEN": base64.b64encode(b"t").decode()}}
    server.answer("POST", f"{SPACE}/secrets", "", secret)
    server.answer("POST", GREEN.rpartition("/")[0], "", deployment())
    return Kubernetes(tmp_path, file, twin_api)


def green(*, unready: str = "", draining: bool = False) -> Parts:
    pods = [pod(name, ready=name != unready) for name in ("a", "b", "c")]
    of = deployment(**({DRAINING: "true"} if draining else {}))
    return slot(*pods, of=of, receiving=slices(*({"a", "b", "c"} - {unready})))


def answers(server: Server, deaf: str = "") -> None:
    """What the pods say to an order; one of them lets it wait."""
    for name in ("a", "b", "c"):
        hears = name not in deaf
        server.fault(f"POST {SPACE}/pods/{name}:9090/proxy", 200 if hears else 503, message="" if hears else "no route")


def asked(server: Server) -> set[str]:
    return {line.partition("/pods/")[2][0] for line in server.asked if "/proxy/admin/drain" in line}


def note(server: Server) -> str:
    return str(server.objects[GREEN]["metadata"]["annotations"].get(DRAINING, ""))


def test_every_pod_is_told_whatever_the_first_one_does(shop: Kubernetes, server: Server) -> None:
    """Clients of the others leave, and the slot drains; who did not hear it is named."""
    answers(server, deaf="a")
    with pytest.raises(ReleaseError, match=r"1 of the pods of green did not hear it: pod a: 503 .*no route"):
        shop._drain(green(), on=True)
    assert asked(server) == {"a", "b", "c"}
    assert note(server) == "true"


def test_on_the_way_back_a_pod_that_is_not_ready_need_not_hear_it(shop: Kubernetes, server: Server) -> None:
    """On a node that died, for instance: nobody is sent there."""
    server.objects[GREEN]["metadata"]["annotations"][DRAINING] = "true"
    answers(server, deaf="b")
    shop._drain(green(unready="b", draining=True), on=False)
    assert asked(server) == {"a", "b", "c"}
    assert note(server) == ""


def test_a_ready_pod_that_did_not_hear_it_is_named_and_the_others_take_requests(
    shop: Kubernetes, server: Server
) -> None:
    """The engine goes on with them."""
    server.objects[GREEN]["metadata"]["annotations"][DRAINING] = "true"
    answers(server, deaf="c")
    with pytest.raises(ReleaseError, match="1 of the pods of green did not hear it: pod c"):
        shop._drain(green(draining=True), on=False)
    assert note(server) == ""


def test_a_slot_none_of_whose_pods_heard_it_is_as_it_was(shop: Kubernetes, server: Server) -> None:
    """What stands on it is what is true."""
    server.objects[GREEN]["metadata"]["annotations"][DRAINING] = "true"
    answers(server, deaf="abc")
    with pytest.raises(ReleaseError, match="no pod of green heard it: 503"):
        shop._drain(green(unready="b", draining=True), on=False)
    assert note(server) == "true"


def test_a_warm_slot_with_a_pod_that_hangs_is_started_anew_by_a_deploy(shop: Kubernetes, server: Server) -> None:
    """The way forward needs all of them."""
    answers(server, deaf="b")
    assert not shop._undrained(green(unready="b", draining=True))
    answers(server)
    assert shop._undrained(green(draining=True))


def test_a_pod_that_is_not_ready_is_not_waited_for_to_say_its_version(shop: Kubernetes, server: Server) -> None:
    """One that hangs says nothing, and the others have said it all; where none is ready all of them are asked."""
    shop._pods.says(green(unready="b"))
    named = [line.partition("/pods/")[2][0] for line in server.asked if line.endswith("/proxy/version")]
    assert sorted(named) == ["a", "c"]  # asked at once, in any order
    assert len(shop._pods.says(slot(pod("a", ready=False), pod("b", ready=False)))) == 2


def test_who_is_ready_is_counted_though_others_are_not() -> None:
    """And nobody is while it drains, or while a pod of another release gets requests."""
    assert (green().serving, green(unready="b").serving, green(draining=True).serving) == (3, 2, 0)
    assert slot(pod("a"), receiving=slices("a", "old")).serving == 0
