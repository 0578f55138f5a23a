"""The lock and the journal of a release on a real API server that loses replies, goes away, and lets nobody in.

The slots are those of the twin: what is tried here is what happens between the engine and the server.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Fenced, ReleaseError
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry, Holder
from scripts.release.kubernetes import process
from scripts.release.kubernetes.client import Api, Forbidden, Unreachable
from scripts.release.kubernetes.journal import ConfigMapJournal
from scripts.release.kubernetes.lease import PROCESS, Lease
from scripts.release.memory import remember
from scripts.release.route import Target, Weights
from scripts.release.twin import Twin
from tests.local.traffic import until
from tests.release.kubernetes.proxy import Proxy, proxying

pytestmark = pytest.mark.cluster

ANN = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
BOB = Caller("bob@desk", "hers hangs")
RULES = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


@pytest.fixture
def credentials(cluster: Path) -> str:
    """The kubeconfig of the real API server, past the proxy."""
    return str(cluster)


@pytest.fixture
def content(credentials: str) -> dict[str, Any]:
    """What stands in it."""
    found: dict[str, Any] = yaml.safe_load(Path(credentials).read_text())
    return found


@pytest.fixture
def proxy(content: dict[str, Any]) -> Iterator[Proxy]:
    """A proxy before the real API server."""
    address = urlsplit(content["clusters"][0]["cluster"]["server"])
    assert address.hostname
    assert address.port
    with proxying((address.hostname, address.port)) as found:
        yield found


@pytest.fixture
def through(content: dict[str, Any], proxy: Proxy, tmp_path: Path) -> Callable[..., Path]:
    """Writes a kubeconfig that leads through the proxy, for another user where one is given."""

    def write(**user: str) -> Path:
        cluster = content["clusters"][0]["cluster"]
        name = urlsplit(cluster["server"]).hostname
        moved = {**cluster, "server": f"https://127.0.0.1:{proxy.port}", "tls-server-name": name}
        content_here = {**content, "clusters": [{**content["clusters"][0], "cluster": moved}]}
        if user:
            content_here["users"] = [{**content["users"][0], "user": user}]
        path = tmp_path / "through"
        path.write_text(yaml.safe_dump(content_here))
        return path

    return write


@pytest.fixture
def far(through: Callable[..., Path]) -> Api:
    """A client behind the proxy, with a connection in use."""
    found = Api.connect("", str(through()))
    for _ in range(3):
        found.get("/version")
    return found


@dataclass
class Partly(Twin):
    """The twin's slots under the lock and with the journal of a namespace."""

    lease: Lease = field(kw_only=True)
    entries: ConfigMapJournal = field(kw_only=True)
    at_act: Callable[[str], object] = lambda act: None

    def __post_init__(self) -> None:
        self.journal = self.entries  # type: ignore[assignment]

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        with self.lease.hold(holder, remember(self.entries.read()).fence) as number:
            yield number

    def holder(self) -> Holder | None:
        return self.lease.holder()

    def unlock(self) -> None:
        self.lease.break_(remember(self.entries.read()).fence)

    def _change(self, act: str, fence: int) -> None:
        self.at_act(act)
        self.lease.confirm(fence)
        super()._change(act, fence)

    def _refuse_old(self, fence: int) -> None:
        self.lease.confirm(fence)


def platform(api: Api, namespace: str) -> Partly:
    """With nothing in either slot."""
    return Partly(lease=Lease(api, namespace, "shop"), entries=ConfigMapJournal(api, namespace, "shop"))


def beside(twin: Partly, api: Api, namespace: str) -> Partly:
    """Another deployer of the same service."""
    other = platform(api, namespace)
    other.slots, other.current = twin.slots, twin.current
    return other


def runs(twin: Partly) -> list[tuple[str, str]]:
    """Verb and outcome of every run."""
    return [(entry.verb, entry.outcome) for entry in twin.entries.read() if entry.phase == "end"]


@pytest.fixture
def live(far: Api, namespace: str, file: ReleaseFile, caller: Caller) -> Partly:
    """1.0.0 is live, by a deployer behind the proxy."""
    found = platform(far, namespace)
    found.edit(Target(Weights(0, 100)))
    engine.deploy(found, file, "1.0.0", caller)
    return found


def test_a_release_that_loses_every_third_reply_is_written_down_once(
    live: Partly, proxy: Proxy, file: ReleaseFile, caller: Caller
) -> None:
    """Each entry, each act: as if nothing had been lost."""
    acts: list[str] = []

    def lose(act: str) -> None:
        acts.append(act)
        if len(acts) % 3 == 0:
            proxy.lose = 1

    live.at_act = lose
    engine.deploy(live, file, "1.1.0", caller)
    assert engine.rollback(live, file, caller).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"
    assert proxy.lost >= 3
    entries = live.entries.read()
    assert len({(e.run, e.phase, e.step, e.slot, e.at, e.words) for e in entries}) == len(entries)
    assert [("deploy", "done"), ("deploy", "done"), ("rollback", "done")] == runs(live)


def test_a_release_waits_for_an_api_server_that_is_restarted(
    live: Partly, proxy: Proxy, file: ReleaseFile, caller: Caller
) -> None:
    """At the switch of all things; it goes on where it was."""
    waited: list[float] = []

    def restart(act: str) -> None:
        if act == "route blue 0 %, green 100 %" and not waited:
            proxy.leave()
            waited.append(time.monotonic())
            threading.Timer(2, lambda: setattr(proxy, "away", False)).start()

    live.at_act = restart
    assert engine.deploy(live, file, "1.1.0", caller).words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    assert waited
    assert time.monotonic() > waited[0] + 2


def test_a_run_that_was_cut_off_for_longer_than_its_lease_is_overtaken_and_fenced(  # noqa: PLR0917 - what it takes
    live: Partly, proxy: Proxy, api: Api, namespace: str, file: ReleaseFile, caller: Caller
) -> None:
    """What it meant to do when the server is back is refused, at its next act and in the journal."""
    other = beside(live, api, namespace)
    lease = other.lease

    def overtaken(act: str) -> None:
        if act != "route blue 0 %, green 100 %":
            return
        live.at_act = lambda act: None
        proxy.leave()
        silent = {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z", "holderIdentity": "ann@laptop/else"}}
        notes = {"metadata": {"annotations": {PROCESS: "another-machine/pid:[1]/1/1"}}}
        api.merge_patch(lease.path, {**silent, **notes})
        other.slots, other.current, other.clock = live.slots, live.current, live.clock
        engine.abort(other, file, BOB)
        proxy.away = False

    live.at_act = overtaken
    with pytest.raises(Fenced, match="lost its lock"):
        engine.deploy(live, file, "1.1.0", caller)
    assert "blue 50 %, green 50 %" == str(live.current.target)  # as it was before that act
    assert other.current.target.sole == "blue"
    assert [("deploy", "done"), ("abort", "done")] == runs(other)
    assert other.holder() is None


def test_a_server_that_stays_away_ends_the_run_and_the_next_one_goes_on(  # noqa: PLR0917 - what it takes
    live: Partly, proxy: Proxy, api: Api, namespace: str, file: ReleaseFile, caller: Caller
) -> None:
    """It says that the server is away, and what to do when it is back."""
    live.lease.api.patience = live.entries.api.patience = 0.5
    live.at_act = lambda act: proxy.leave() if act.startswith("deploy") else None
    with pytest.raises(ReleaseError, match=r"the API server https://127.0.0.1:\d+ did not do .*Go on when it is back"):
        engine.deploy(live, file, "1.1.0", caller)
    other = beside(live, api, namespace)
    other.clock = live.clock
    assert other.holder()  # it could not be given back
    where, _, started = process.mark().rpartition("/")
    dead = {"metadata": {"annotations": {PROCESS: f"{where}/{int(started) - 1}"}}}  # as its process is, by now
    api.merge_patch(other.lease.path, dead)
    done = engine.resume(other, file, BOB)
    assert done.words == "1.1.0 on green has all users; 1.0.0 on blue is warm"


def test_a_lease_that_is_deleted_by_hand_stops_its_run(
    live: Partly, api: Api, namespace: str, file: ReleaseFile, caller: Caller
) -> None:
    """Everybody breaks locks like that, so it is taken as meant. The next run's number is higher all the same."""
    before = remember(live.entries.read()).fence
    live.at_act = lambda act: api.delete(live.lease.path) if act.startswith("route") else None
    with pytest.raises(Fenced, match="the Lease shop-rollout was deleted"):
        engine.deploy(live, file, "1.1.0", caller)
    assert live.current.target.sole == "blue"
    other = beside(live, api, namespace)
    other.clock = live.clock
    engine.abort(other, file, BOB)
    assert remember(other.entries.read()).fence > before + 1


def test_a_journal_that_is_deleted_by_hand_in_a_release_loses_nobody(
    live: Partly, api: Api, file: ReleaseFile, caller: Caller
) -> None:
    """The run goes to its end: it holds the lock, and the route is the truth."""
    live.at_act = lambda act: api.delete(live.entries.path) if act.startswith("deploy") else None
    engine.deploy(live, file, "1.1.0", caller)
    assert live.current.target.sole == "green"
    live.at_act = lambda act: None
    done = engine.deploy(live, file, "1.2.0", caller)
    assert done.words == "1.2.0 on blue has all users; 1.1.0 on green is warm"


@pytest.fixture
def account(api: Api, namespace: str) -> Callable[[str, list[dict[str, Any]]], str]:
    """Makes a ServiceAccount that may do what these rules say, and returns its token."""

    def make(name: str, rules: list[dict[str, Any]]) -> str:
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        api.create(accounts, {"metadata": {"name": name}})
        api.create(f"{RBAC}/{namespace}/roles", {"metadata": {"name": name}, "rules": rules})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}
        api.create(f"{RBAC}/{namespace}/rolebindings", binding)
        secret = {
            "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": name}},
            "type": "kubernetes.io/service-account-token",
        }
        api.create(f"/api/v1/namespaces/{namespace}/secrets", secret)
        found: list[str] = []

        def token() -> bool:
            data = (api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}") or {}).get("data", {})
            found[:] = [base64.b64decode(data["token"]).decode()] if "token" in data else []
            return bool(found)

        until(token, "the account has a token")
        return found[0]

    return make


def test_a_token_that_is_revoked_in_a_release_is_read_again(  # noqa: PLR0917 - what it takes
    api: Api,
    namespace: str,
    account: Callable[..., str],
    through: Callable[..., Path],
    file: ReleaseFile,
    caller: Caller,
) -> None:
    """As one that has expired: whoever logs in again beside the release keeps it going, with no rights but these."""
    path = through(token=account("first", RULES))
    live = platform(Api.connect("", str(path)), namespace)
    live.edit(Target(Weights(0, 100)))
    engine.deploy(live, file, "1.0.0", caller)
    second = account("second", RULES)
    revoked: list[str] = []

    def revoke(act: str) -> None:
        if act.startswith("deploy"):
            api.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/first")
            until(lambda: _refused(path), "the token is refused")
            through(token=second)
            revoked.append(act)

    live.at_act = revoke
    assert engine.deploy(live, file, "1.1.0", caller).words.startswith("1.1.0 on green has all users")
    assert revoked


def _refused(path: Path) -> bool:
    try:
        Api.connect("", str(path)).get("/api/v1/namespaces/default/configmaps/none")
    except Forbidden:
        return False
    except ReleaseError as exc:
        return "does not accept the kubeconfig's credentials" in str(exc)
    return False


def test_a_right_that_the_role_lacks_is_named_before_anything_is_changed(
    namespace: str, account: Callable[..., str], through: Callable[..., Path], file: ReleaseFile, caller: Caller
) -> None:
    for name, rules, words in (
        ("no-leases", RULES[1:], f"the Role lacks `get leases` in the namespace {namespace}"),
        ("no-journal", RULES[:1], f"the Role lacks `get configmaps` in the namespace {namespace}"),
    ):
        live = platform(Api.connect("", str(through(token=account(name, rules)))), namespace)
        with pytest.raises(Forbidden, match=words):
            engine.deploy(live, file, "1.0.0", caller)
        assert [] == live.calls


def test_events_that_the_role_does_not_allow_are_left_out(
    namespace: str, account: Callable[..., str], through: Callable[..., Path]
) -> None:
    api = Api.connect("", str(through(token=account("quiet", RULES[:2]))))
    journal = ConfigMapJournal(api, namespace, "shop")
    for number in range(3):
        journal.append(Entry(number, "", "r1", 1, "deploy", "ann", "intent"))
    journal.events.close(5)
    assert 3 == len(journal.read())


def test_a_write_that_hangs_ends(far: Api, proxy: Proxy, namespace: str) -> None:
    """And what it may have done is said."""
    lease = Lease(far.within(0.5), namespace, "shop")
    with lease.hold(ANN, 0) as fence:
        proxy.leave()
        with pytest.raises(Unreachable, match=r"did not do PUT .*leases/shop-rollout"):
            lease.confirm(fence)
        proxy.away = False
        lease.confirm(fence)
