"""The engine on real processes behind a real Envoy, while users send requests: none of them may notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import LockedError
from scripts.local.state import lock as home_lock
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import NeedsPerson, ReleaseError, Reverted
from scripts.release.file import ReleaseFile, override_one
from scripts.release.journal import Holder
from scripts.release.local import Local
from scripts.release.route import Weights
from scripts.release.slots import Release
from tests.local.traffic import Seen, from_now, keep_alive_load, until

CALLER = Caller("ann@laptop")


def failed(seen: list[Seen]) -> Counter[int]:
    """Answers that were not what users want, by status."""
    return Counter(each.status for each in seen if each.status != 200)


def test_a_release_in_steps_a_rollback_and_the_release_again_lose_no_request(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Users get only 200s from beginning to end, from both slots, and at the end from the new one alone."""
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER)
        assert local.observe().route.weights == Weights(0, 100)
        back = engine.rollback(local, processes_file, CALLER)
        assert local.observe().route.weights == Weights(100, 0)
        again = engine.deploy(local, processes_file, "1.1.0", CALLER)
        last = from_now(seen)
    assert failed(seen) == {}
    assert {each.slot for each in seen} == {"blue", "green"}
    assert {each.slot for each in last} == {"green"}
    assert back.words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"
    assert [cut.weights for cut in again.cut_overs] == [Weights(50, 50), Weights(0, 100)]
    assert all(cut.seen > cut.written for cut in again.cut_overs)


def test_a_bad_release_is_refused_before_a_single_users_request_reaches_it(
    local: Local, processes_file: ReleaseFile
) -> None:
    """It fails three of ten requests: smoke or analysis load finds out, and its slot never had a user."""
    with (
        keep_alive_load(local.state, pause_s=0.01) as seen,
        pytest.raises(Reverted, match=r"by (smoke|analysis) of green"),
    ):
        engine.deploy(local, processes_file, "1.1.0", CALLER, Options(env={"FAULT_ERROR_SHARE": "0.3"}))
    assert failed(seen) == {}
    assert {each.slot for each in seen} == {"blue"}
    assert local.tally()["green"].requests == 0
    assert local.observe().route.weights == Weights(100, 0)
    assert not local.observe().slots["green"].running


def test_a_route_file_edited_by_hand_is_found_and_mended(local: Local, processes_file: ReleaseFile) -> None:
    engine.deploy(local, processes_file, "1.1.0", CALLER, Options(to_preview=True))
    envoy.write_routes(local.home, Routes(blue=60, green=40))
    with pytest.raises(NeedsPerson, match=r"says blue 60 %, green 40 %.*release abort"):
        engine.promote(local, processes_file, CALLER)
    engine.abort(local, processes_file, CALLER)
    assert local.observe().route.weights == Weights(100, 0)


def turned_bad_in(local: Local, phase: str) -> Callable[[float, str, str, str], None]:
    """An event handler that turns the release bad once it gets the users of `phase`."""

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        if kind == phase:
            green = slots.read_slot(local.home, "green")
            assert green
            slots.faults(local.state, green, error_share=0.3)

    return on_event


@pytest.mark.faults
@pytest.mark.parametrize(("phase", "kept"), [("shift", False), ("promote", True)])
def test_a_release_that_turns_bad_with_users_on_it_is_brought_back(
    local: Local, processes_file: ReleaseFile, phase: str, kept: bool
) -> None:
    """Only its own failures are users' failures: going back adds none."""
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        with pytest.raises(Reverted, match="its users were brought back"):
            engine.deploy(local, processes_file, "1.1.0", Caller("ann", on_event=turned_bad_in(local, phase)))
        last = from_now(seen)
    assert {each.slot for each in seen if each.status != 200} == {"green"}
    assert set(failed(seen)) == {500}
    assert {each.slot for each in last} == {"blue"}
    assert local.observe().slots["green"].running is kept


BAD = {
    "never ready": ({"FAULT_UNREADY": "1"}, "did not get ready in 3 s"),
    "crashes at start": ({"FAULT_CRASH_AT_START": "1"}, "ended while starting"),
    "answers with another version": ({}, "was started as 1.1.0, but says it is 6.6.6"),
    "hangs": ({"FAULT_HANG": "1"}, "parity"),
}


@pytest.mark.faults
@pytest.mark.parametrize(("env", "reason"), BAD.values(), ids=BAD.keys())
def test_a_slot_that_is_no_good_is_refused_and_no_user_notices(
    local: Local,
    processes_file: ReleaseFile,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
    reason: str,
) -> None:
    settings = override_one(processes_file.settings, "timeouts.ready=3s")
    if not env:  # a build that was packed wrongly: it says what its own code says, whatever it was started as
        wrong = ("{python}", "-c", WRONG_BUILD, settings.artefact.command[1])
        artefact = msgspec.structs.replace(settings.artefact, command=wrong)
        settings = msgspec.structs.replace(settings, artefact=artefact)
    file = msgspec.structs.replace(processes_file, settings=settings)
    token = local.observe().route.token
    with keep_alive_load(local.state, pause_s=0.01) as seen, pytest.raises(Reverted, match=reason):
        engine.deploy(local, file, "1.1.0", CALLER, Options(env=env))
    assert failed(seen) == {}
    assert local.observe().route.token == token
    assert not local.observe().slots["green"].running


WRONG_BUILD = (
    "import os, runpy, sys; os.environ['APP_VERSION'] = '6.6.6'; runpy.run_path(sys.argv[1], run_name='__main__')"
)


@pytest.mark.faults
def test_a_slot_killed_in_the_shift_gives_its_users_back(local: Local, processes_file: ReleaseFile) -> None:
    """Envoy finds it gone, the gate too, and the route goes back to the slot that is there."""

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        if kind == "shift":
            green = slots.read_slot(local.home, "green")
            assert green
            os.kill(green.replicas[0].process.pid, 9)

    with keep_alive_load(local.state, pause_s=0.01) as seen:
        with pytest.raises(Reverted, match="green is not running any more"):
            engine.deploy(local, processes_file, "1.1.0", Caller("ann", on_event=on_event))
        last = from_now(seen)  # without what was sent to the dead slot before
    assert {(each.status, each.slot) for each in last} == {(200, "blue")}


@pytest.mark.faults
def test_rollback_to_a_warm_slot_that_was_killed_starts_it_again_first(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Nobody is moved to a slot that is not there: the rollback is cold, says so, and loses no request."""
    said: list[str] = []
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER)
        blue = slots.read_slot(local.home, "blue")
        assert blue
        os.kill(blue.replicas[0].process.pid, 9)
        until(lambda: not local.observe().slots["blue"].running, "blue is dead")
        heard = msgspec.structs.replace(CALLER, on_event=lambda at, kind, label, detail: said.append(label))
        assert engine.rollback(local, processes_file, heard).words.startswith("1.0.0 on blue has all users")
    assert failed(seen) == {}
    assert said[0] == "cold rollback"


@pytest.mark.faults
def test_rollback_between_slots_that_both_lost_a_replica_starts_the_one_it_needs(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Otherwise it would wait for the dead one, which nobody starts, and leave the users where they are."""
    file = msgspec.structs.replace(
        processes_file, settings=override_one(processes_file.settings, "artefact.replicas=2")
    )
    local.scale("blue", 2, 9)
    with keep_alive_load(local.state, pause_s=0.01):
        engine.deploy(local, file, "1.1.0", CALLER)
    for name in ("blue", "green"):
        found = slots.read_slot(local.home, name)
        assert found
        os.kill(found.replicas[1].process.pid, signal.SIGKILL)
    until(lambda: [slot.capacity for slot in local.observe().slots.values()] == [1, 1], "one of each is dead")
    engine.rollback(local, file, CALLER)
    seen = local.observe()
    assert (seen.route.weights, seen.slots["blue"].capacity) == (Weights(100, 0), 2)


@pytest.mark.faults
def test_the_way_back_from_a_slot_that_hangs_is_as_fast_for_many_replicas_as_for_one(
    local: Local, processes_file: ReleaseFile
) -> None:
    """All of them are asked at once, and one that does not answer is asked once."""
    settings = override_one(processes_file.settings, "artefact.replicas=4")
    file = msgspec.structs.replace(processes_file, settings=settings)
    local.scale("blue", 4, 9)
    with keep_alive_load(local.state, pause_s=0.01):
        engine.deploy(local, file, "1.1.0", CALLER)
    found = slots.read_slot(local.home, "green")
    assert found
    try:
        for replica in found.replicas:
            os.kill(replica.process.pid, signal.SIGSTOP)
        begun = time.time()
        done = engine.rollback(local, file, CALLER)
    finally:
        for replica in found.replicas:
            os.kill(replica.process.pid, signal.SIGCONT)
    assert done.cut_overs[0].written - begun < 20


def test_what_changes_the_home_waits_for_a_release(local: Local) -> None:
    with (
        local.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())),
        pytest.raises(LockedError),
        home_lock(local.home),
    ):
        pass


LEAVES_A_CHILD = """
import signal, subprocess, sys, time
def leave(*_):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
print("here", flush=True)
time.sleep(60)
"""


def test_a_slot_that_does_not_end_is_not_called_retired(local: Local) -> None:
    """What is left is named with its log, and found by the next try."""
    local.deploy("green", Release("1.1.0", (sys.executable, "-c", LEAVES_A_CHILD), {}), 1, 9)
    log = local.home / "log" / "slot-green.log"
    until(lambda: "here" in log.read_text(), "the program began")
    with pytest.raises(ReleaseError, match=r"slot green: still running after SIGKILL: pid \d+; its log, .*slot-green"):
        local.retire("green", 9)
    assert local.observe().slots["green"].version == "1.1.0"
    local.retire("green", 9)
    assert local.observe().slots["green"].version == ""


@pytest.mark.faults
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_a_hold_leaves_a_state_that_the_next_command_ends(
    local: Local, processes_file: ReleaseFile, signum: signal.Signals, code: int
) -> None:
    """The message names the state and the commands; abort then brings everybody home, and no request is lost."""
    command = [sys.executable, "-m", "scripts.cli", "release", "deploy", "1.1.0", "--set", "hold.duration=20s"]
    options = ["--home", str(local.home), "--file", str(processes_file.path)]
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            until(lambda: "watch" in [entry.phase for entry in local.journal.read()], "it holds")
            run.send_signal(signum)
            _, said = run.communicate(timeout=180)
        assert run.returncode == code
        assert "50 % on blue (1.0.0), 50 % on green (1.1.0)" in said
        assert "release abort" in said
        engine.abort(local, processes_file, CALLER)
    assert failed(seen) == {}
    assert local.observe().route.weights == Weights(100, 0)
