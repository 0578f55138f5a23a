"""The Lease: one run at a time, the dead make way, and whoever lost it writes nothing more."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psutil
import pytest

from scripts.release.errors import Fenced, Locked, NeedsPerson
from scripts.release.journal import Holder
from scripts.release.kubernetes import lease as leases
from scripts.release.kubernetes import process
from scripts.release.kubernetes.client import Api, Missing
from scripts.release.kubernetes.lease import Lease
from tests.local.traffic import until
from tests.release.kubernetes.apiserver import Server

ANN = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
BOB = Holder("bob@desk", "r2", "rollback", "2026-01-01T00:00:01.000Z", os.getpid())
SECOND = """
import os, sys
from scripts.release.errors import Fenced
from scripts.release.journal import Holder
from scripts.release.kubernetes.client import Api, Missing
from scripts.release.kubernetes.lease import Lease

lease = Lease(Api.connect("", sys.argv[1]), sys.argv[2], "shop")
with lease.hold(Holder("cat@host", "r0", "deploy", "2026-01-01T00:00:00.000Z", os.getpid()), 0) as fence:
    print("holds", flush=True)
    sys.stdin.readline()
    try:
        lease.confirm(fence)
        print("acts")
    except Fenced as exc:
        print("fenced:", exc)
"""


@pytest.fixture
def lease(api: Api, namespace: str) -> Lease:
    """The Lease of the app `shop`, not held."""
    return Lease(api, namespace, "shop")


@pytest.fixture
def other(api: Api, namespace: str) -> Lease:
    """The same Lease as another command sees it."""
    return Lease(api, namespace, "shop")


def found(lease: Lease) -> dict[str, Any]:
    """The Lease as it stands on the server."""
    return lease.api.get(lease.path) or {}


def edit(lease: Lease, **spec: object) -> None:
    """Change the Lease by hand."""
    lease.api.merge_patch(lease.path, {"spec": spec})


def elsewhere(lease: Lease) -> None:
    """Let the holder be a process of another machine."""
    lease.api.merge_patch(lease.path, {"metadata": {"annotations": {leases.PROCESS: "other-boot/pid:[1]/42/1"}}})


def test_one_holds_it_and_the_next_is_told_who(lease: Lease, other: Lease) -> None:
    assert lease.holder() is None
    with lease.hold(ANN, 0) as fence:
        seen = other.holder()
        assert seen == msgspec.structs.replace(ANN, fence=fence)
        words = r"ann@laptop holds the release lock since 2026.*\(deploy, run r1.*35 s of silence mean it is dead"
        with pytest.raises(Locked, match=words), other.hold(BOB, 0):
            pass
        assert found(lease)["spec"]["holderIdentity"] == "ann@laptop/r1"
    assert other.holder() is None
    with other.hold(BOB, 0) as second:
        assert second > fence


def test_numbers_go_on_over_the_past_and_over_a_lease_that_was_deleted(lease: Lease, other: Lease) -> None:
    """The journal and the route have seen numbers too."""
    with lease.hold(ANN, 6) as first:
        pass
    lease.api.delete(lease.path)
    with other.hold(BOB, first) as second:
        pass
    with lease.hold(ANN, 0) as third:
        pass
    assert [7, 8, 9] == [first, second, third]
    assert found(lease)["spec"]["leaseTransitions"] == 9


def test_a_holder_renews_it(api: Api, namespace: str, other: Lease) -> None:
    """Before it runs out, whatever the run does meanwhile."""
    lease = Lease(api, namespace, "shop", every_s=0.05)
    with lease.hold(ANN, 0):
        first = found(lease)["spec"]["renewTime"]
        until(lambda: found(lease)["spec"]["renewTime"] > first, "it is renewed")
    with other.hold(BOB, 0):
        before = found(lease)
        time.sleep(0.2)
        assert before == found(lease)  # a run that has ended renews nothing


def test_a_run_that_died_without_a_word_renews_nothing(lease: Lease, api: Api, namespace: str) -> None:
    """Its thread of renewals ends with the thread that it belongs to."""
    quick, kept = Lease(api, namespace, "shop", every_s=0.05), []

    def run() -> None:
        hold = quick.hold(ANN, 0)
        hold.__enter__()
        kept.append(hold)  # or else it would be closed, as if it had ended well

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    until(lambda: not any(each.name == quick.name for each in threading.enumerate()), "the renewals end")
    assert found(lease)["spec"]["holderIdentity"]


@pytest.mark.parametrize("silence", ["expired", "never heard of"])
def test_a_silent_holder_on_another_machine_makes_way(lease: Lease, other: Lease, silence: str) -> None:
    """After its duration and some grace, by the server's clock; it is fenced when it wakes."""
    with lease.hold(ANN, 0) as first:
        elsewhere(lease)
        with pytest.raises(Locked), other.hold(BOB, 0):
            pass
        edit(lease, renewTime="2026-01-01T00:00:00.000000Z" if silence == "expired" else None)
        assert other.holder() is None
        with other.hold(BOB, 0) as second:
            assert second == first + 1
            with pytest.raises(Fenced, match=f"run {first} lost its lock to run {second}"):
                lease.confirm(first)
            other.confirm(second)
    assert other.holder() is None


def test_a_namespace_that_is_not_there_is_one_clear_error(server: Server, twin_api: Api) -> None:
    server.fault("POST", 404, message='namespaces "nowhere" not found')
    with pytest.raises(Missing, match=r'namespaces "nowhere" not found'), Lease(twin_api, "nowhere", "a").hold(ANN, 0):
        pass


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_no_clock_of_a_deployer_counts(server: Server, twin_api: Api, ahead: float) -> None:
    """The machine's clock is hours off the server's: a live holder stays one, a silent one does not."""
    server.ahead = ahead
    lease, other = (Lease(twin_api, "shop", "shop") for _ in range(2))
    with lease.hold(ANN, 0):
        elsewhere(lease)
        with pytest.raises(Locked, match=r"heard of \d s ago"), other.hold(BOB, 0):
            pass
        server.ahead += 30
        with pytest.raises(Locked), other.hold(BOB, 0):
            pass
        server.ahead += 7 if ahead > 0 else -7200  # it is set back
        with other.hold(BOB, 0):
            pass


@contextmanager
def holding(credentials: str, namespace: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the Lease."""
    argv = [sys.executable, "-c", SECOND, credentials, namespace]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout
            assert run.stdout.readline() == "holds\n"
            yield run
        finally:
            run.kill()


def test_a_killed_holder_on_this_machine_makes_way_at_once(lease: Lease, credentials: str, namespace: str) -> None:
    """Nobody waits for its Lease to run out, nor for its parent to reap it."""
    with holding(credentials, namespace) as run:
        with pytest.raises(Locked, match=f"cat@host.*process {run.pid}"), lease.hold(ANN, 0):
            pass
        run.kill()
        until(lambda: psutil.Process(run.pid).status() == psutil.STATUS_ZOMBIE, "it is dead")
        assert lease.holder() is None
        with lease.hold(ANN, 0) as fence:
            assert fence == 2


def test_a_frozen_holder_that_wakes_after_its_lease_was_broken_does_nothing(
    lease: Lease, credentials: str, namespace: str
) -> None:
    with holding(credentials, namespace) as run:
        run.send_signal(signal.SIGSTOP)
        lease.break_(0)
        assert lease.holder() is None
        with lease.hold(ANN, 0) as fence:
            run.send_signal(signal.SIGCONT)
            said, _ = run.communicate("\n", timeout=20)
            assert said == f"fenced: run 1 lost its lock to run {fence}: it changes nothing more\n"
            lease.confirm(fence)


LOSSES: dict[str, tuple[Callable[[Lease], object], str]] = {
    "broken": (lambda lease: lease.break_(0), "run 1 lost its lock to run 2"),
    "broken past": (lambda lease: lease.break_(40), "run 1 lost its lock to run 41"),
    "deleted": (lambda lease: lease.api.delete(lease.path), "the Lease shop-rollout was deleted"),
    "cleared": (lambda lease: edit(lease, holderIdentity=""), "somebody cleared the Lease"),
    "stolen": (lambda lease: edit(lease, holderIdentity="eve", leaseTransitions=7), "run 1 lost its lock to run 7"),
}


@pytest.mark.parametrize(("lose", "words"), LOSSES.values(), ids=LOSSES)
def test_a_run_that_lost_its_lease_is_fenced_at_every_act(
    lease: Lease, other: Lease, lose: Callable[[Lease], object], words: str
) -> None:
    """And gives back nothing that is not its own."""
    with lease.hold(ANN, 0) as fence:
        lose(other)
        after = found(lease)
        for _ in range(2):
            with pytest.raises(Fenced, match=words):
                lease.confirm(fence)
    assert after == found(lease)


def test_the_renewals_of_a_run_that_lost_its_lease_end(api: Api, namespace: str, other: Lease) -> None:
    lease = Lease(api, namespace, "shop", every_s=0.05)
    with lease.hold(ANN, 0):
        other.break_(0)
        until(lambda: not any(each.name == lease.name for each in threading.enumerate()), "the renewals end")


def test_a_label_put_on_it_by_hand_takes_nothing_from_its_holder(lease: Lease, other: Lease) -> None:
    """And stays, also when the Lease is given back."""
    with lease.hold(ANN, 0) as fence:
        lease.api.merge_patch(lease.path, {"metadata": {"labels": {"team": "shop"}, "annotations": {"ask": "ann"}}})
        lease.confirm(fence)
        lease.api.merge_patch(lease.path, {"metadata": {"labels": {"floor": "3"}}})
    assert other.holder() is None
    assert found(lease)["metadata"]["labels"] == {"team": "shop", "floor": "3"}
    assert found(lease)["metadata"]["annotations"]["ask"] == "ann"


def test_an_act_of_a_number_is_refused_when_a_higher_one_was_seen(lease: Lease, other: Lease) -> None:
    """Whoever holds it, and also where nobody does; the next holder goes on over it."""
    lease.confirm(9)
    other.confirm(9)
    with pytest.raises(Fenced, match="run 8 lost its lock to run 9"):
        other.confirm(8)
    with lease.hold(ANN, 0) as fence:
        assert fence == 10


def test_a_lock_is_not_taken_from_a_run_inside_an_act_that_nothing_else_stops(lease: Lease, other: Lease) -> None:
    """Before and behind it, it is."""
    with lease.hold(ANN, 0) as fence:
        with lease.act(fence, "helm upgrade of shop-green"):
            words = f"process {os.getpid()} of ann@laptop is inside helm upgrade of shop-green"
            with pytest.raises(NeedsPerson, match=words):
                other.break_(0)
            lease.confirm(fence)
        other.break_(0)
        with pytest.raises(Fenced), lease.act(fence, "helm upgrade"):
            raise AssertionError


def test_of_two_that_take_it_at_once_one_gets_it(api: Api, namespace: str) -> None:
    got: list[int] = []
    ready, done = threading.Barrier(8), threading.Event()

    def take() -> None:
        ready.wait()
        try:
            with Lease(api, namespace, "shop").hold(ANN, 0) as fence:
                got.append(fence)
                done.wait(20)
        except Locked:
            refused.append(1)
            if len(refused) == 7:
                done.set()

    refused: list[int] = []
    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [1] == got


def test_a_lease_of_another_program_is_left_alone(lease: Lease) -> None:
    """It is known by the fields that every Lease has."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
    spec = {"holderIdentity": "controller-7", "renewTime": now, "leaseDurationSeconds": 3600}
    lease.api.create(lease.path.rpartition("/")[0], {"metadata": {"name": "shop-rollout"}, "spec": spec})
    with pytest.raises(Locked, match="controller-7 holds"), lease.hold(ANN, 0):
        pass


def test_a_renewal_whose_reply_is_lost_is_ours(server: Server, twin_api: Api) -> None:
    lease = Lease(twin_api, "shop", "shop")
    server.fault("POST", applied=True)
    with lease.hold(ANN, 0) as fence:
        server.fault("PUT", applied=True)
        lease.confirm(fence)
        server.fault("PUT")
        lease.confirm(fence)
        server.fault("PUT", applied=True)
    assert lease.holder() is None


@pytest.mark.parametrize("found", ["", "nonsense", "a/b/1/2"])
def test_a_mark_from_elsewhere_says_nothing(found: str) -> None:
    assert not process.ended(found)


def test_a_pid_that_was_given_out_again_is_another_process() -> None:
    where, _, started = process.mark().rpartition("/")
    assert not process.ended(f"{where}/{started}")
    assert process.ended(f"{where}/{int(started) - 1}")
