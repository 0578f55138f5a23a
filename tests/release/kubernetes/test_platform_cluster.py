"""Releases on the real cluster, under the deployer's Role: what users see, and why what cannot run is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import msgspec
import pytest

from scripts.release import engine
from scripts.release.carry import look
from scripts.release.engine import Caller, Options
from scripts.release.errors import Refused, ReleaseError, Reverted
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.memory import Role
from scripts.release.situation import Phase
from slo.yamlfile import Duration
from tests.release.conftest import ROOT
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users
from tests.release.kubernetes.task_api import PATH, task_api

pytestmark = pytest.mark.cluster
CALLER = Caller("ann@laptop", "ticket 7")
HOLDER = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
CRASH = {"FAULT_CRASH_AT_START": "1"}


@pytest.fixture
def place(service_bed: Bed) -> Bed:
    return service_bed


@pytest.fixture
def file(place: Bed) -> ReleaseFile:
    return place.file(replicas=None)


@pytest.fixture
def shop(place: Bed, file: ReleaseFile) -> Kubernetes:
    """1.0.0 has all users in blue."""
    return place.anew(file)


def test_a_release_goes_live_and_back_without_a_lost_request(shop: Kubernetes, file: ReleaseFile) -> None:
    """Kept connections and new ones; at once, from the first write of the route on."""
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.1.0", CALLER)
        assert look(shop).role is Role.WARM
        until(lambda: {each.slot for each in users.seen[-100:]} == {"green"})
        engine.rollback(shop, file, CALLER)
        until(lambda: {each.slot for each in users.seen[-100:]} == {"blue"})
    assert users.failed == []
    now = look(shop)
    assert (now.phase, now.active.version, now.beside.version) == (Phase.IDLE, "1.0.0", "1.1.0")


def test_the_task_api_itself_goes_live_and_back_without_a_lost_request(place: Bed) -> None:
    """Gunicorn's pods of helm/task-api.yaml: told to drain, they close kept connections with an answer."""
    file = task_api(place, "artefact.replicas=2")
    shop = place.anew(file)
    with Users(shop.edge(), path=PATH).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.1.0", CALLER)
        until(lambda: {each.slot for each in users.seen[-100:]} == {"green"})
        engine.rollback(shop, file, CALLER)
        until(lambda: {each.slot for each in users.seen[-100:]} == {"blue"})
    assert users.failed == []
    assert {slot.capacity for slot in shop.observe().slots.values()} == {2}


def test_a_gradual_step_is_refused_before_anything_begins(shop: Kubernetes, place: Bed) -> None:
    """A Service has one selector; at once it can."""
    gradual = place.file("[5, 100]")
    with pytest.raises(Refused, match=r"steps: 5: a Service has one selector for all users.*Nothing was changed"):
        engine.deploy(place.platform(gradual), gradual, "1.1.0", CALLER)
    assert not shop.observe().slots["green"].running
    assert engine.preview_plan(place.platform(gradual), gradual, "1.1.0", Options(all_at_once=True))


def refused(shop: Kubernetes, file: ReleaseFile, *, migrates: bool = False, **more: object) -> str:
    """Why a release is refused; nobody was on it."""
    timeouts = msgspec.structs.replace(file.settings.timeouts, ready=Duration(20))
    schema = msgspec.structs.replace(file.settings.schema, expand=("migrate",) if migrates else ())
    settings = msgspec.structs.replace(file.settings, timeouts=timeouts, schema=schema)
    file = msgspec.structs.replace(file, settings=settings)
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        with pytest.raises(ReleaseError) as told:
            engine.deploy(shop, file, "1.1.0", CALLER, Options(**more))  # type: ignore[arg-type]
    assert users.failed == []
    assert shop.observe().route.target.sole == "blue"
    return str(told.value)


def test_an_image_that_is_nowhere_is_named(shop: Kubernetes, file: ReleaseFile) -> None:
    said = refused(shop, file, image="docker.io/local/nowhere:1")
    assert "ErrImagePull" in said or "ImagePullBackOff" in said
    assert "docker.io/local/nowhere:1" in said


def test_a_crash_loop_is_refused_with_its_last_words(shop: Kubernetes, file: ReleaseFile) -> None:
    """As soon as it is one, not after the whole time that a start may take."""
    said = refused(shop, file, env=CRASH)
    assert "exit code 1" in said
    assert "its last words: FAULT_CRASH_AT_START is set" in said


def test_a_quota_that_is_used_up_is_named(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    path = f"{place.space}/resourcequotas"
    place.admin.create(path, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    try:
        until(lambda: (place.admin.get(f"{path}/few") or {}).get("status", {}).get("used"))
        assert "exceeded quota: few" in refused(shop, file)
        assert "exceeded quota: few" in refused(shop, file, migrates=True)
        engine.abort(shop, file, CALLER)
    finally:
        place.admin.delete(f"{path}/few")


def test_a_pod_that_the_namespace_refuses_is_named(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    """The chart can make none; a hand can."""
    with shop.lock(HOLDER) as fence:
        shop.deploy("green", file.release("1.1.0", {}), 1, fence)
    host = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    place.admin.merge_patch(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop-green", host)
    until(lambda: "violates PodSecurity" in shop.observe().slots["green"].log)


def test_a_helm_that_was_killed_is_mended(shop: Kubernetes, file: ReleaseFile, place: Bed) -> None:
    """Its pending revision holds nobody up."""
    engine.deploy(shop, file, "1.1.0", CALLER, Options(to_preview=True))
    secret = max(
        place.admin.list(f"{place.space}/secrets", labels="owner=helm,name=shop-green"),
        key=lambda each: int(each["metadata"]["labels"]["version"]),
    )
    pending = {"metadata": {"labels": {"status": "pending-upgrade"}}}
    place.admin.merge_patch(f"{place.space}/secrets/{secret['metadata']['name']}", pending)
    assert any("pending-upgrade" in each.what for each in shop.diagnose())
    engine.abort(shop, file, CALLER)
    assert not shop.observe().slots["green"].running
    assert not shop.diagnose()


KILLED = """
import os, signal, sys
from pathlib import Path
from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.file import read_release_file
from scripts.release.kubernetes.platform import Kubernetes

folder, point = Path(sys.argv[1]), sys.argv[2]
file = read_release_file(folder / "release.yaml")
platform = Kubernetes(folder, file)

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(owner, name):
    whole = getattr(owner, name)
    def act(*args, **kwargs):
        whole(*args, **kwargs)
        die()
    setattr(owner, name, act)

if point == "helm":
    after(platform._helm, "install")
elif point == "route":
    after(platform.router, "write")
else:
    platform._pods.says = die  # the first look under the Lease
engine.deploy(platform, file, "1.1.0", Caller("bob@desk"))
"""


@pytest.mark.parametrize("verb", ["resume", "back"])
@pytest.mark.parametrize("point", ["lease", "helm", "route"])
def test_a_killed_engine_is_gone_on_with_and_taken_back(
    shop: Kubernetes, file: ReleaseFile, place: Bed, point: str, verb: str
) -> None:
    """After the Lease, after Helm, after the route: at once, since its process is seen to be dead; nothing is lost."""
    with Users(shop.edge()).at_work() as users:
        argv = [sys.executable, "-c", KILLED, str(place.folder), point]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": place.kubeconfig}
        killed = subprocess.run(argv, timeout=120, check=False, env=env)
        assert killed.returncode == -signal.SIGKILL
        if point == "lease":  # nothing was begun
            engine.deploy(shop, file, "1.1.0", CALLER)
        elif verb == "resume":
            engine.resume(shop, file, CALLER)
        if verb == "back":
            (engine.rollback if point in ("route", "lease") else engine.abort)(shop, file, CALLER)
        wanted = "green" if verb == "resume" else "blue"
        until(lambda: {each.slot for each in users.seen[-100:]} == {wanted})
    assert users.failed == []
    assert look(shop).phase is Phase.IDLE
    assert shop.holder() is None


def test_a_gateway_shifts_by_shares_and_a_bad_release_is_refused_by_its_users_figures(
    gateway_bed: Bed, gateway_platform: Kubernetes, gateway_file: ReleaseFile
) -> None:
    """Counted by the gateway, as Prometheus tells it: half of the users see it, and none for long."""
    shop, bad = gateway_platform, {"FAULT_ERROR_SHARE": "0.3"}
    no_smoke = msgspec.structs.replace(gateway_file.settings.gates, smoke=())
    forced = msgspec.structs.replace(
        gateway_file, settings=msgspec.structs.replace(gateway_file.settings, gates=no_smoke)
    )
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, gateway_file, "1.1.0", CALLER)
        assert look(shop).active.version == "1.1.0"
        assert users.failed == []
        with pytest.raises(Reverted, match=r"1.2.0 was refused by analysis of blue"):
            engine.deploy(shop, forced, "1.2.0", CALLER, Options(env=bad))
    assert users.failed == []
    assert shop.observe().route.target.sole == "green"
