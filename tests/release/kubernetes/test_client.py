"""The API client: what the server refuses has a name, what it does not answer is asked again, nothing is done twice."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scripts.release.errors import ReleaseError, Unusable
from scripts.release.kubernetes import client, connection
from scripts.release.kubernetes.client import Api, Conflict, Forbidden, Missing, Unprocessable, Unreachable
from tests.release.kubernetes.apiserver import Server, serving

MAPS = "/api/v1/namespaces/shop/configmaps"
ONE = f"{MAPS}/one"


def config_map(**data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data}


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of the ConfigMaps of a namespace of the test's own."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_what_is_written_is_read(api: Api, maps: str) -> None:
    one = f"{maps}/one"
    assert api.get(one) is None
    made = api.create(maps, config_map(color="blue"))
    assert made == api.get(one)
    made["data"]["color"] = "green"
    replaced = api.replace(one, made)
    assert "green" == replaced["data"]["color"]
    assert "red" == api.merge_patch(one, {"data": {"color": "red"}})["data"]["color"]
    ops = [{"op": "test", "path": "/data/color", "value": "red"}, {"op": "remove", "path": "/data/color"}]
    assert not api.json_patch(one, ops).get("data")
    assert ["one"] == [each["metadata"]["name"] for each in api.list(maps) if each["metadata"]["name"] == "one"]
    api.delete(one)
    api.delete(one)
    assert api.get(one) is None


def test_what_somebody_else_wrote_meanwhile_is_a_conflict(api: Api, maps: str) -> None:
    """For each kind of write by the precondition it has."""
    one = f"{maps}/one"
    stale = api.create(maps, config_map(color="blue"))
    api.merge_patch(one, {"data": {"color": "red"}})
    with pytest.raises(Conflict, match="already exists"):
        api.create(maps, config_map(color="green"))
    with pytest.raises(Conflict, match="modified"):
        api.replace(one, stale)
    with pytest.raises(Conflict, match="modified"):
        api.merge_patch(one, {"metadata": {"resourceVersion": stale["metadata"]["resourceVersion"]}, "data": {}})
    with pytest.raises(Unprocessable, match=r"rejected.*\(422\). Somebody changed what it tests"):
        api.json_patch(one, [{"op": "test", "path": "/data/color", "value": "blue"}])


def test_a_write_to_what_is_not_there_says_so(api: Api, maps: str) -> None:
    with pytest.raises(Missing, match=r"one.*not found"):
        api.merge_patch(f"{maps}/one", {"data": {}})


def write(api: Api) -> object:
    return api.merge_patch(ONE, {"data": {"color": "green"}})


@pytest.fixture
def made(server: Server, twin_api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A client of a twin that has a ConfigMap `one`; it has answered already, and does not wait long for answers."""
    monkeypatch.setattr(client, "READ_S", 0.3)
    twin_api.create(MAPS, config_map(color="blue"))
    server.asked.clear()
    return twin_api


@pytest.mark.parametrize("status", [429, 500, 503, 504])
@pytest.mark.parametrize("act", [lambda api: api.get(ONE), write], ids=["read", "write"])
def test_a_server_that_is_busy_is_asked_again(
    server: Server, made: Api, status: int, act: Callable[[Api], object]
) -> None:
    server.fault("configmaps/one", status, times=2)
    assert act(made)


def test_a_server_that_names_a_pause_gets_it(server: Server, made: Api) -> None:
    """Where the patience that is left does not reach, waiting would be in vain and nothing more is asked."""
    server.fault("GET", 429, headers={"retry-after": "1"})
    assert made.within(5).get(ONE)
    server.asked.clear()
    server.fault("GET", 503, headers={"retry-after": "600"})
    with pytest.raises(Unreachable, match="a fault of the test"):
        made.get(ONE)
    assert [f"GET {ONE}"] == server.asked


WRITES: dict[str, tuple[str, Callable[[Api], object]]] = {
    "create": ("POST", lambda api: api.create(MAPS, {"metadata": {"name": "two"}, "data": {"color": "green"}})),
    "replace": ("PUT", lambda api: api.replace(ONE, {**(api.get(ONE) or {}), "data": {"color": "green"}})),
    "json": (
        "PATCH",
        lambda api: api.json_patch(
            ONE,
            [
                {"op": "test", "path": "/data/color", "value": "blue"},
                {"op": "replace", "path": "/data/color", "value": "green"},
            ],
        ),
    ),
    "merge": ("PATCH", write),
}


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("hang", [0, 0.6], ids=["reset", "hang"])
@pytest.mark.parametrize(("method", "act"), WRITES.values(), ids=WRITES)
def test_a_write_whose_reply_is_lost_is_done_once(  # noqa: PLR0917 - what it takes
    server: Server, made: Api, method: str, act: Callable[[Api], object], hang: float, applied: bool
) -> None:
    """Looked up first, it is repeated only where it was not done; its precondition would refuse it otherwise."""
    server.fault(method, applied=applied, hang=hang)
    before = server.version
    act(made)
    assert server.version == before + 1
    assert [method] * (1 if applied else 2) == [line.split()[0] for line in server.asked if line.startswith(method)]


@pytest.mark.parametrize(("method", "act"), [WRITES["replace"], WRITES["json"]], ids=["replace", "json"])
def test_a_lost_write_that_somebody_overtook_is_refused(
    server: Server, made: Api, method: str, act: Callable[[Api], object]
) -> None:
    """It is not written over theirs."""

    def overtake() -> None:
        server.answer("PATCH", ONE, "application/merge-patch+json", {"metadata": {}, "data": {"color": "red"}})

    server.fault(method, then=overtake)
    with pytest.raises((Conflict, Unprocessable)):
        act(made)
    assert "red" == server.objects[ONE]["data"]["color"]


def test_a_late_first_try_is_recognised_when_the_second_is_refused(server: Server, made: Api) -> None:
    """The look-up saw nothing yet: the first try came through between it and the second."""

    def late() -> None:
        server.answer("PATCH", ONE, "application/merge-patch+json", {"metadata": {}, "data": {"color": "green"}})

    server.fault("PATCH")
    server.fault("PATCH", 409, then=late)
    assert write(made)
    assert server.version == 2


def test_a_server_that_is_away_is_waited_for(kubeconfig_for: Callable[..., str]) -> None:
    """Its port refuses connections for a while, as during a restart."""
    twin = Server()
    with serving(twin):
        api = Api.connect("", kubeconfig_for(twin.url))
        api.create(MAPS, config_map(color="blue"))
    asked, tries = threading.Event(), []

    def again() -> None:
        asked.wait(10)
        with serving(twin, int(twin.url.rpartition(":")[2])):
            while len(tries) < 2:
                asked.wait(0.01)

    thread = threading.Thread(target=again)
    thread.start()
    for act in (write, lambda api: api.get(ONE)):
        asked.set()
        tries.append(act(api))
    thread.join(10)
    assert ["green", "green"] == [each["data"]["color"] for each in tries]


def test_a_server_that_has_just_come_back_may_not_know_its_roles_yet(server: Server, made: Api) -> None:
    """What it refuses until it is ready is asked again; what it refuses then is refused."""
    server.fault("GET /api")  # lost
    server.fault("GET /api", 403, message="not yet", times=2)
    server.fault("GET /readyz", 500)
    server.fault("GET /readyz", 200)
    assert made.get(ONE)
    server.fault("GET /api", 403, message="never")
    with pytest.raises(Forbidden, match="never"):
        made.get(ONE)


def test_the_patience_ends(server: Server, made: Api) -> None:
    """And says that a write may have been done."""
    server.fault("PATCH", times=1000)
    with pytest.raises(
        Unreachable, match=r"did not do PATCH .*configmaps/one.*may have been done all the same.*status"
    ):
        write(made.within(0.5))


def test_who_has_waited_in_vain_does_not_wait_as_long_again(
    server: Server, made: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends because its server is away would wait at every word that it leaves."""
    monkeypatch.setattr(client, "FIRST_S", 0)
    made.patience = 0.5
    server.fault("GET", 503, times=1000)
    asked = []
    for _ in range(2):
        server.asked.clear()
        with pytest.raises(Unreachable):
            made.get(ONE)
        asked.append(len(server.asked))
    assert asked[0] > 1 == asked[1]
    server.faults.clear()
    assert made.get(ONE)
    server.fault("GET", 503, times=2)
    assert made.get(ONE)  # it is waited for again


def test_a_write_whose_reply_was_lost_before_the_server_went_away_is_named(
    server: Server, made: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the look that was had for it; and nothing after it waits as long again."""
    monkeypatch.setattr(client, "FIRST_S", 0)
    made.patience = 0.5
    server.fault("PATCH", applied=True)
    server.fault("configmaps/one", times=1000)
    with pytest.raises(
        Unreachable, match=r"did not do PATCH .*configmaps/one.*may have been done all the same.*status"
    ):
        write(made)
    assert "GET /api/v1/namespaces/shop/configmaps/one" in server.asked
    server.asked.clear()
    with pytest.raises(Unreachable):
        made.get(ONE)
    assert 1 == len(server.asked)


def test_a_write_that_may_have_been_refused_for_itself_is_named_when_that_cannot_be_seen(
    server: Server, made: Api
) -> None:
    """A conflict after a lost reply may be with our own first try."""
    server.fault("PATCH")
    server.fault("PATCH", 409, then=lambda: server.fault("GET", times=1000))
    with pytest.raises(Unreachable, match=r"did not do PATCH .*may have been done all the same"):
        write(made.within(0.5))


def test_a_server_that_never_answered_is_taken_for_a_wrong_address(
    kubeconfig_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it as long as for one that is being restarted."""
    monkeypatch.setattr(client, "FIRST_S", 0.3)
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        api = Api.connect("", kubeconfig_for(f"http://127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(Unreachable, match=r"refused.*Is it up, and is this the right context"):
            api.get(ONE)


def test_credentials_that_expired_are_read_again_once(server: Server, kubeconfig_for: Callable[..., str]) -> None:
    """By then somebody, or a plugin, has put new ones there; where not, a person must log in."""
    api = Api.connect("", kubeconfig_for(server.url))
    api.create(MAPS, config_map())
    server.token = "new"
    kubeconfig_for(server.url, token="new")
    assert api.get(ONE)
    server.token = "newer"
    with pytest.raises(ReleaseError, match="does not accept the kubeconfig's credentials: log in"):
        write(api)


def plugin(tmp_path: Path, does: str) -> dict[str, object]:
    """A credentials plugin as EKS has one."""
    script = tmp_path / "plugin.sh"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}


def test_a_credentials_plugin_is_asked_and_asked_again_when_its_token_expires(
    server: Server, kubeconfig_for: Callable[..., str], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("right")
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
    does = f"printf '{credential}' \"$(cat {shlex.quote(str(token))})\""
    api = Api.connect("", kubeconfig_for(server.url, exec=plugin(tmp_path, does)))
    api.create(MAPS, config_map())
    server.token = "fresh"
    token.write_text("fresh")
    assert api.get(ONE)


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo 'session expired' >&2; exit 3", r"gave nothing: exec: process returned 3. session expired.*Log in"),
        ("echo nonsense", "gave nothing: exec: failed to decode"),
        ("exec sleep 5", "took more than 0.5 s"),
    ],
)
def test_a_credentials_plugin_that_fails_is_one_clear_error(
    kubeconfig_for: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, words: str
) -> None:
    """Without it every request would be an anonymous one, refused for reasons that lead nowhere."""
    monkeypatch.setattr(connection, "LOGIN_S", 0.5)
    with pytest.raises(ReleaseError, match=words):
        Api.connect("", kubeconfig_for("http://127.0.0.1:1", exec=plugin(tmp_path, does)))


def test_a_context_that_is_not_there_is_named(kubeconfig_for: Callable[..., str]) -> None:
    with pytest.raises(Unusable, match=r"context 'staging'.*Expected object with name staging.*get-contexts"):
        Api.connect("staging", kubeconfig_for("http://127.0.0.1:1"))


def test_a_kubeconfig_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        Unusable, match=r"none: Invalid [^.]*[.] No configuration found\. Set KUBECONFIG to one, or name another"
    ):
        Api.connect("", str(tmp_path / "none"))


def test_a_right_that_the_role_lacks_is_named(server: Server, made: Api) -> None:
    """With what an administrator must grant."""
    server.fault("PATCH", 403, message='"one" is forbidden: User "ann" cannot patch resource "configmaps"')
    server.fault("POST", 403, message='"blue-1" is forbidden: User "ann" cannot create resource "pods/proxy"')
    with pytest.raises(
        Forbidden, match=r"the Role lacks `patch configmaps` in the namespace shop.*User \"ann\" cannot"
    ):
        write(made)
    with pytest.raises(Forbidden, match=r"`create pods/proxy` in the namespace shop"):
        made.proxy("/api/v1/namespaces/shop/pods/blue-1:8081/proxy/admin/drain", "POST")


def test_a_quota_or_policy_is_not_taken_for_a_missing_right(server: Server, made: Api) -> None:
    server.fault("PATCH", 403, message='pods "blue-1" is forbidden: exceeded quota: small')
    with pytest.raises(Forbidden, match=r"^PATCH .*exceeded quota: small"):
        write(made)


@pytest.mark.parametrize("status", [200, 401, 403, 503])
def test_what_stands_behind_a_proxy_is_heard_as_it_is(server: Server, made: Api, status: int) -> None:
    """It is asked once, and its own refusals are no matter of our credentials."""
    server.fault("GET", status, message="")
    reply = made.proxy("/api/v1/namespaces/shop/pods/blue-1:8080/proxy/version")
    assert status == reply.status
    assert 1 == len(server.asked)


def test_a_client_is_there_without_the_models(tmp_path: Path) -> None:
    """They would cost a second before every rollback."""
    code = "import sys, scripts.release.kubernetes.client as c; c.connect('', sys.argv[1]); print(*sys.modules)"
    path = tmp_path / "kubeconfig"
    config = {"clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}], "users": []}
    contexts = {"contexts": [{"name": "a", "context": {"cluster": "a", "user": ""}}], "current-context": "a"}
    path.write_text(yaml.safe_dump({**config, **contexts}))
    loaded = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
    assert "kubernetes.config" in loaded
    assert "kubernetes.client.models.v1_pod" not in loaded
