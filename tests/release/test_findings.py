"""What only the local platform can see to be wrong is found, and the command it names mends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from scripts.local import envoy, slots, system
from scripts.local.envoy_config import Routes
from scripts.local.processes import alive, marked, start
from scripts.local.state import replace_file
from scripts.local.status import status
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.local import Local
from scripts.release.local_findings import BACK, UP
from scripts.release.route import Weights
from scripts.release.slots import Request
from tests.local.traffic import until


def found(local: Local) -> list[tuple[str, str]]:
    return [(finding.what, finding.mend) for finding in local.diagnose()]


def mended(local: Local, file: ReleaseFile) -> list[tuple[str, str]]:
    """What is left after `primetrade local up`."""
    system.up(local.home, print, migrate=lambda url, report: None)
    return found(Local(local.home, file))


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it is stopped")


@pytest.fixture
def pair(local: Local) -> slots.Slot:
    """The live slot with a second replica."""
    slot = slots.scale_slot(local.home, local.state, "blue", 2)
    until(lambda: local.observe().slots["blue"].ready, "both are ready")
    return slot


def test_where_nothing_is_wrong_nothing_is_found(local: Local, pair: slots.Slot) -> None:
    """Nor in the lock file of a run that has ended."""
    with local.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", 2**22)):
        pass
    assert found(local) == []


def test_a_replica_that_died_is_named(local: Local, processes_file: ReleaseFile, pair: slots.Slot) -> None:
    """With its log; the slot is not ready, and the others go on and can be told things."""
    dead = pair.replicas[1].process
    os.kill(dead.pid, signal.SIGKILL)
    until(lambda: not alive(dead), "it is gone")
    seen = local.observe().slots["blue"]
    assert (seen.running, seen.ready, seen.capacity, seen.log) == (True, False, 1, dead.log)
    local.drain("blue", on=True, fence=9)
    local.drain("blue", on=False, fence=9)
    assert found(local) == [(f"slot-blue-2 is written down and does not run; its log: {dead.log}", UP)]
    assert mended(local, processes_file) == []


def test_a_process_that_nobody_wrote_down_is_named(local: Local) -> None:
    """By its number and by the name it was started under."""
    stray = start(local.home, "slot-green-3", ["sleep", "60"])
    until(lambda: bool(marked(local.home, "slot-green-3")), "it has its mark")
    assert found(local) == [
        (f"process {stray.pid} runs as slot-green-3 and is written down nowhere", f"kill {stray.pid}")
    ]
    os.kill(stray.pid, signal.SIGTERM)
    until(lambda: not alive(stray), "it ended")
    assert found(local) == []


def test_a_process_of_a_slot_with_users_that_nobody_wrote_down_is_not_to_be_killed(local: Local) -> None:
    """The file of the live slot was deleted: its process answers users until they are moved away."""
    live = slots.read_slot(local.home, "blue")
    assert live
    (local.home / "slots" / "blue.json").unlink()
    pid = live.replicas[0].process.pid
    what = f"process {pid} runs as slot-blue and is written down nowhere"
    assert found(local) == [(f"{what}; blue has users, whom it may answer", BACK)]
    envoy.write_routes(local.home, Routes(blue=0, green=100))
    until(lambda: envoy.applied(local.state) == envoy.read_routes(local.home), "Envoy serves the file")
    assert found(local) == [(what, f"kill {pid}")]


def test_a_slots_file_that_is_none_is_named(local: Local, processes_file: ReleaseFile) -> None:
    """Its users keep it, also over `up`; the way out depends on whether it has any."""
    path = local.home / "slots" / "blue.json"
    replace_file(path, b"garbage")
    [(what, mend)] = found(local)
    assert what.startswith(f"{path} is not a slot's file")
    assert "what runs of blue goes on" in what
    assert mend == BACK
    [part] = [part for part in status(local.home).parts if part.name == "slot-blue"]
    assert (part.running, part.detail) == (False, what)
    assert mended(local, processes_file) == [(what, mend)]
    assert local.ask(Request("/health")).status == 200
    envoy.write_routes(local.home, Routes(blue=0, green=100))
    until(lambda: envoy.applied(local.state) == envoy.read_routes(local.home), "Envoy serves the file")
    assert [mend for _, mend in found(local)] == ["primetrade release deploy VERSION"]


def test_a_ready_slot_that_envoy_does_not_know_is_named(local: Local, processes_file: ReleaseFile) -> None:
    """Its endpoints were edited away."""
    envoy.write_endpoints(local.home, "blue", [])
    until(lambda: not envoy.hosts(local.state, "blue"), "Envoy forgot it")
    assert found(local) == [("slot-blue is ready, and Envoy does not take it for healthy", UP)]
    assert mended(local, processes_file) == []


def test_a_route_that_envoy_refuses_is_named(local: Local, processes_file: ReleaseFile) -> None:
    """The file asks for one thing and users get another, which is what is kept."""
    envoy.write_routes(local.home, Routes(blue=60, green=40))
    path = envoy.routes_path(local.home)
    until(lambda: envoy.applied(local.state) == envoy.read_routes(local.home), "Envoy serves the file")
    document = json.loads(path.read_text())
    document["resources"][0]["virtual_hosts"][0]["routes"][-1]["route"]["colour"] = "red"
    document["version_info"] = "7"
    replace_file(path, json.dumps(document).encode())
    [(what, mend)] = found(local)
    assert "the route file asks for blue 60 %, green 40 % (version 7), and Envoy serves blue 60 %, green 40 %" in what
    assert mend == UP
    assert mended(local, processes_file) == []
    assert local.observe().route.weights == Weights(60, 40)


@pytest.mark.parametrize("content", [b"{}", b"", b"[1]", b"garbage", None], ids=repr)
def test_a_route_file_that_is_none_is_named(local: Local, processes_file: ReleaseFile, content: bytes | None) -> None:
    """Users go on as before, what they have can be read all the same, and the file is written anew as they have it."""
    envoy.write_routes(local.home, Routes(blue=60, green=40))
    path = envoy.routes_path(local.home)
    until(lambda: envoy.applied(local.state) == envoy.read_routes(local.home), "Envoy serves the file")
    before = local.observe().route
    if content is None:
        path.unlink()
    else:
        replace_file(path, content)
    seen = local.observe().route
    assert (seen.target, seen.token) == (before.target, before.token)
    assert f"{path} is " in seen.lost
    assert "`primetrade local up` writes it anew" in seen.lost
    [(what, mend)] = found(local)
    assert "is not a route file of ours" in what or "the route file asks for nothing" in what
    assert mend == UP
    assert mended(local, processes_file) == []
    assert (local.observe().route.target, local.observe().route.lost) == (before.target, "")


def test_an_envoy_that_is_gone_is_named(local: Local, processes_file: ReleaseFile) -> None:
    process = local.state.processes["envoy"]
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not alive(process), "it is gone")
    assert [(what.partition(":")[0], mend) for what, mend in found(local)] == [("Envoy does not run", UP)]
    assert mended(local, processes_file) == []


@pytest.mark.faults
def test_an_envoy_that_hangs_is_named(local: Local) -> None:
    """`up` would take it for running: it has to be ended first."""
    process = local.state.processes["envoy"]
    stop(process.pid)
    try:
        [(what, mend)] = found(local)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert what.startswith("Envoy runs and does not answer")
    assert mend == f"kill -9 {process.pid}; {UP}"


def test_a_stopped_process_that_holds_the_lock_is_named(local: Local, tmp_path: Path) -> None:
    """Both ways out are: let it go on, or take its lock."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with local.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", process.pid)):
                assert found(local) == []
                stop(process.pid)
                [(what, mend)] = found(local)
        finally:
            process.kill()
    assert what == (
        f"process {process.pid} of bob@desk holds the release lock (deploy, run r1) and is stopped; "
        f"`kill -CONT {process.pid}` lets it go on"
    )
    assert mend == "primetrade release unlock --force --reason WHY"
