"""Cases of the fault list on real processes behind a real Envoy: what happens by itself, and what hands do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError, ProbeError
from scripts.local.state import State, read_state, replace_file
from scripts.release import engine
from scripts.release.engine import Caller, Done, Options
from scripts.release.errors import NeedsPerson, Refused, ReleaseError, Reverted
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from scripts.release.memory import Role
from scripts.release.route import Target, Weights
from scripts.release.situation import Phase
from tests.local.traffic import Seen, from_now, keep_alive_load, send, until

pytestmark = pytest.mark.faults

CALLER: Final = Caller("ann@laptop", "ticket 7")
PREVIEW: Final = Options(to_preview=True)
PAUSE_S: Final = 0.011  # of four clients: about 300 requests a second
DRIVER: Final = str(Path(__file__).with_name("killed.py"))


def failed(seen: list[Seen]) -> list[Seen]:
    return [each for each in seen if each.status != 200]


def killed(local: Local, file: ReleaseFile, point: int, of: str, *words: str) -> None:
    """Run a command in a process of its own that dies at that point."""
    argv = [sys.executable, DRIVER, str(local.home), str(file.path), str(point), of, *words]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == -signal.SIGKILL, found.stdout + found.stderr


def kill_slot(local: Local, name: str) -> None:
    """SIGKILL to all its processes."""
    slot = slots.read_slot(local.home, name)
    assert slot
    for replica in slot.replicas:
        os.kill(replica.process.pid, signal.SIGKILL)
    until(lambda: not local.observe().slots[name].running, f"{name} is dead")


@pytest.mark.parametrize(("dead", "live"), [("green", "blue"), ("blue", "green")])
def test_a_slot_that_died_while_the_engine_was_dead_gets_no_user_back(
    local: Local, processes_file: ReleaseFile, dead: str, live: str
) -> None:
    """Half of the users were on each; rollback gives all of them to the one that is there, whichever it is."""
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        killed(local, processes_file, 6, "deploy", "deploy", "1.1.0")
    assert failed(seen) == []
    assert local.observe().route.weights == Weights(50, 50)
    kill_slot(local, dead)
    engine.rollback(local, processes_file, CALLER)
    assert local.observe().route.target == Target.all_on(live)
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        until(lambda: len(seen) > 40, "users go on")
    assert failed(seen) == []


def test_a_route_that_was_written_and_not_confirmed_is_gone_on_with(
    local: Local, processes_file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Envoy stands still while it is to take the route over: the write is there, its confirmation is not."""
    engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
    edge, write = psutil.Process(read_state(local.home).processes["envoy"].pid), envoy.write_routes

    def write_and_freeze(home: Path, routes: Routes) -> Routes:
        edge.suspend()
        return write(home, routes)

    with monkeypatch.context() as patch:
        patch.setattr(envoy, "write_routes", write_and_freeze)
        with pytest.raises(ReleaseError, match=r"no answer within 2 s|has not taken over the route"):
            engine.shift(local, processes_file, 100, CALLER)
    edge.resume()
    assert engine.look(local).drift == ""
    engine.resume(local, processes_file, CALLER)
    now = engine.look(local)
    assert (now.active.version, now.role, now.memory.open) == ("1.1.0", Role.WARM, None)


def test_a_rollback_whose_write_envoy_confirms_late_ends_as_one(
    local: Local, processes_file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow answer of its admin port is no reason to leave the old slot undrained and the run open."""
    engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
    engine.shift(local, processes_file, 100, CALLER)
    ask, slow = envoy.applied, [ProbeError("no answer within 2 s")] * 2

    def answer(state: State) -> Routes | None:
        if slow:
            raise slow.pop()
        return ask(state)

    with monkeypatch.context() as patch, keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        patch.setattr(envoy, "applied", answer)
        assert engine.rollback(local, processes_file, CALLER).words.startswith("1.0.0 on blue has all users")
    assert (failed(seen), slow, engine.look(local).memory.open) == ([], [], None)


def test_a_release_whose_program_is_not_there_touches_no_user_and_can_be_given_up(
    local: Local, processes_file: ReleaseFile
) -> None:
    path = processes_file.path
    path.write_text(path.read_text().replace('"{python}"', '"/nowhere/shop"', 1))
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        with pytest.raises(ReleaseError, match="/nowhere/shop"):
            engine.deploy(local, read_release_file(path), "1.1.0", CALLER)
        assert local.observe().route.target == Target.all_on("blue")
        engine.abort(local, processes_file, CALLER)
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
    assert failed(seen) == []


def test_a_slot_that_dips_behind_its_gate_is_waited_for_and_no_request_is_lost(
    local: Local, processes_file: ReleaseFile
) -> None:
    """It passed, it is not ready for two seconds, and only then it gets users."""

    def dip(at: float, kind: str, label: str, detail: str) -> None:
        green = slots.read_slot(local.home, "green")
        if kind == "gate" and label.startswith("analysis") and green:
            slots.faults(local.state, green, unready=1)
            threading.Timer(2, lambda: slots.faults(local.state, green, unready=0)).start()

    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", Caller("ann", on_event=dip))
    assert failed(seen) == []
    assert engine.look(local).active.version == "1.1.0"


def test_a_replica_that_dies_in_the_bake_gives_the_users_back(local: Local, processes_file: ReleaseFile) -> None:
    """Half of what was promoted is not what was promoted; what the dead replica was answering is lost, and no more."""
    file = read_release_file(processes_file.path, ("artefact.replicas=2", "bake.duration=10s"))

    def dies(at: float, kind: str, label: str, detail: str) -> None:
        green = slots.read_slot(local.home, "green")
        if kind == "promote" and green:
            os.kill(green.replicas[0].process.pid, signal.SIGKILL)

    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        with pytest.raises(Reverted, match="green is not ready any more"):
            engine.deploy(local, file, "1.1.0", Caller("ann", on_event=dies))
        last = from_now(seen)
    assert len(failed(seen)) <= 4  # one for each client at most
    assert {(each.status, each.slot) for each in last} == {(200, "blue")}


def test_weights_changed_by_hand_under_a_release_are_left_alone_and_mended_by_abort(
    local: Local, processes_file: ReleaseFile
) -> None:
    def edit(at: float, kind: str, label: str, detail: str) -> None:
        if kind == "shift":
            envoy.write_routes(local.home, Routes(blue=80, green=20))

    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        with pytest.raises(NeedsPerson, match=r"changed under this run: it says blue 80 %.*release abort"):
            engine.deploy(local, processes_file, "1.1.0", Caller("ann", on_event=edit))
        assert local.observe().route.weights == Weights(80, 20)
        engine.abort(local, processes_file, CALLER)
    assert failed(seen) == []
    now = engine.look(local)
    assert (now.observed.route.target, now.drift) == (Target.all_on("blue"), "")


def spoil(local: Local, how: str) -> None:
    """By hand: nothing that can be read, nothing at all, or what Envoy takes and nobody else understands."""
    path = envoy.routes_path(local.home)
    if how == "gone":
        path.unlink()
        return
    document = json.loads(path.read_text())
    [users] = [way for way in document["resources"][0]["virtual_hosts"][0]["routes"] if way["name"] == "users"]
    users["route"]["weighted_clusters"]["clusters"] = [
        {**each, "weight": each["weight"] // 2} for each in users["route"]["weighted_clusters"]["clusters"]
    ]
    document["version_info"] = "by hand"
    replace_file(path, b"garbage" if how == "garbage" else json.dumps(document).encode())
    if how == "halved":
        until(lambda: "not ours" in str(error_of(lambda: envoy.applied(local.state))), "Envoy takes it")


def error_of(does: Callable[[], object]) -> LocalError | None:
    try:
        does()
    except LocalError as exc:
        return exc
    return None


@pytest.mark.parametrize("how", ["garbage", "gone", "halved"])
@pytest.mark.parametrize(("verb", "live"), [(engine.rollback, "blue"), (engine.abort, "green")], ids=["back", "stay"])
def test_a_route_file_spoilt_by_hand_closes_no_way_back(
    local: Local, processes_file: ReleaseFile, how: str, verb: Callable[..., Done], live: str
) -> None:
    """Users go on with what the router has; only what would go forward waits for a person."""
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER)
        spoil(local, how)
        now = engine.look(local)
        assert (now.observed.route.target, now.active.name) == (Target.all_on("green"), "green")
        assert "`primetrade local up` writes it anew" in now.drift
        mark = len(seen)
        with pytest.raises(NeedsPerson, match="primetrade release abort"):
            engine.deploy(local, processes_file, "1.2.0", CALLER)
        assert {each.slot for each in seen[mark:]} <= {"green"}
        verb(local, processes_file, CALLER)
        last = from_now(seen)
    assert failed(seen) == []
    assert {each.slot for each in last} == {live}
    now = engine.look(local)
    assert (now.observed.route.target, now.drift, now.memory.open) == (Target.all_on(live), "", None)


def test_a_route_file_spoilt_under_a_release_is_written_over_by_its_next_step(
    local: Local, processes_file: ReleaseFile
) -> None:
    def spoils(at: float, kind: str, label: str, detail: str) -> None:
        if kind == "shift":
            spoil(local, "garbage")

    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", Caller("ann", on_event=spoils))
    assert failed(seen) == []
    now = engine.look(local)
    assert (now.observed.route.target, now.drift) == (Target.all_on("green"), "")


@pytest.mark.parametrize("spoilt", ["green", "blue"])
def test_a_slots_file_spoilt_by_hand_closes_no_way_back(local: Local, processes_file: ReleaseFile, spoilt: str) -> None:
    """Users leave the slot that nobody knows any more; one that is to take them is started anew first."""
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER)
        replace_file(local.home / "slots" / f"{spoilt}.json", b"garbage")
        engine.rollback(local, processes_file, CALLER)
        assert local.observe().route.target == Target.all_on("blue")
        engine.deploy(local, processes_file, "1.2.0", CALLER)
    assert failed(seen) == []
    now = engine.look(local)
    assert (now.active.version, now.beside.version, now.role) == ("1.2.0", "1.0.0", Role.WARM)
    assert local.diagnose() == []


def lose_slot(local: Local, name: str, content: bytes | None) -> None:
    """Its file says that, or is gone; what runs goes on."""
    path = local.home / "slots" / f"{name}.json"
    if content is None:
        path.unlink()
    else:
        replace_file(path, content)


LOST: Final = pytest.mark.parametrize("content", [b"garbage", None], ids=["spoilt", "gone"])


@LOST
def test_a_slot_with_users_whose_file_is_lost_is_neither_replaced_nor_retired(
    local: Local, processes_file: ReleaseFile, content: bytes | None
) -> None:
    """It says itself what it is, and the next release goes beside it, through all gates."""
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        lose_slot(local, "blue", content)
        with pytest.raises(Refused, match="blue has users"):
            local.retire("blue", 9)
        with pytest.raises(Refused, match="blue has users"):
            local.deploy("blue", processes_file.release("1.1.0", {}), 1, 9)
        now = engine.look(local)
        assert (now.phase, now.active.version, now.active.running) == (Phase.IDLE, "1.0.0", True)
        done = engine.deploy(local, processes_file, "1.1.0", CALLER)
    assert [verdict.split(":")[0] for verdict in done.verdicts] == ["smoke", "analysis", "hold", "bake"]
    assert failed(seen) == []
    assert engine.look(local).active.version == "1.1.0"


@LOST
def test_users_are_brought_back_to_a_slot_whose_file_was_lost_in_the_shift(
    local: Local, processes_file: ReleaseFile, content: bytes | None
) -> None:
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
        engine.shift(local, processes_file, 50, CALLER)
        lose_slot(local, "blue", content)
        engine.rollback(local, processes_file, CALLER)
        now = engine.look(local)
    assert failed(seen) == []
    assert (now.observed.route.target, now.active.version) == (Target.all_on("blue"), "1.0.0")


def test_a_release_under_way_whose_file_was_lost_passes_its_gates_anew(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Nobody knows whether it is what passed them."""
    engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
    engine.shift(local, processes_file, 50, CALLER)
    lose_slot(local, "green", b"garbage")
    with pytest.raises(Refused, match="has not passed its analysis gate"):
        engine.shift(local, processes_file, 100, CALLER)
    engine.abort(local, processes_file, CALLER)
    assert local.observe().route.target == Target.all_on("blue")


def test_a_journal_that_was_deleted_costs_the_memory_and_no_request(local: Local, processes_file: ReleaseFile) -> None:
    """What serves is adopted by the next release; what came before it is not known any more."""
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
        engine.shift(local, processes_file, 100, CALLER)
        (local.home / "release" / "journal.jsonl").unlink()
        with pytest.raises(NeedsPerson, match="no warm slot"):
            engine.rollback(local, processes_file, CALLER)
        engine.deploy(local, processes_file, "1.2.0", CALLER, PREVIEW)
        engine.shift(local, processes_file, 100, CALLER)
        engine.rollback(local, processes_file, CALLER)
    assert failed(seen) == []
    assert engine.look(local).active.version == "1.1.0"


def test_a_preview_that_was_stopped_by_hand_is_deployed_anew(local: Local, processes_file: ReleaseFile) -> None:
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
        slots.stop_slot(local.home, "green")
        with pytest.raises(Refused, match="no release is under way"):
            engine.promote(local, processes_file, CALLER)
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
    assert failed(seen) == []
    assert engine.look(local).phase is Phase.PREVIEW


def test_an_idle_slot_that_was_stopped_by_hand_makes_the_rollback_a_cold_one(
    local: Local, processes_file: ReleaseFile
) -> None:
    said: list[str] = []
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, processes_file, "1.1.0", CALLER, PREVIEW)
        engine.shift(local, processes_file, 100, CALLER)
        slots.stop_slot(local.home, "blue")
        caller = Caller("ann", on_event=lambda at, kind, label, detail: said.append(label))
        engine.rollback(local, processes_file, caller)
    assert failed(seen) == []
    assert said[0] == "cold rollback"
    assert engine.look(local).active.version == "1.0.0"


def environment(local: Local) -> set[str]:
    """LOG_LEVEL of every process that serves users."""
    name = local.observe().route.target.sole
    slot = slots.read_slot(local.home, name or "")
    assert slot
    return {psutil.Process(replica.process.pid).environ().get("LOG_LEVEL", "") for replica in slot.replicas}


def test_a_rollback_finds_the_configuration_of_its_version_warm_and_cold(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Each slot keeps its own environment, and a version that is started again gets the one it had."""
    file = read_release_file(processes_file.path, ("warm=1s",))
    engine.deploy(local, file, "1.1.0", CALLER, Options({"LOG_LEVEL": "debug"}, to_preview=True))
    engine.shift(local, file, 100, CALLER)
    engine.deploy(local, file, "1.2.0", CALLER, Options({"LOG_LEVEL": "error"}, to_preview=True))
    engine.shift(local, file, 100, CALLER)
    assert environment(local) == {"error"}
    engine.rollback(local, file, CALLER)
    assert environment(local) == {"debug"}
    engine.deploy(local, file, "1.3.0", CALLER, PREVIEW)
    engine.shift(local, file, 100, CALLER)
    time.sleep(1.1)
    engine.reap(local, file, CALLER)
    assert environment(local) == {""}
    engine.rollback(local, file, CALLER)
    assert environment(local) == {"debug"}


def test_a_user_who_stuck_to_the_new_slot_leaves_it_with_the_rollback(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Whatever cookie they bring; and the next release draws every user anew."""
    file = read_release_file(processes_file.path, ("sticky=true",))
    engine.deploy(local, file, "1.1.0", CALLER, PREVIEW)
    engine.shift(local, file, 50, CALLER)
    cookie = ""
    while not cookie:
        answer = send(local.state)
        if answer.headers["x-slot"] == "green":
            cookie = answer.headers["set-cookie"].split(";")[0]
    assert {send(local.state, cookie=cookie).headers["x-slot"] for _ in range(20)} == {"green"}
    engine.rollback(local, file, CALLER)
    assert {send(local.state, cookie=cookie).headers["x-slot"] for _ in range(20)} == {"blue"}
    engine.deploy(local, file, "1.2.0", CALLER, PREVIEW)
    engine.shift(local, file, 50, CALLER)
    assert {send(local.state, cookie=cookie).headers["x-slot"] for _ in range(60)} == {"blue", "green"}
