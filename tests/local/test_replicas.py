"""A slot of several processes: each is seen, probed and ended, and users never notice how many there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.cli import primetrade
from scripts.local import envoy, slots, system
from scripts.local.envoy_config import Endpoint, Routes
from scripts.local.errors import LocalError, ProbeError
from scripts.local.ports import free_port
from scripts.local.processes import alive, marked, marked_names, start
from scripts.local.slots import Slot, SlotSpec, process_name, read_slot, scale_slot, start_slot, stop_slot
from scripts.local.state import State
from scripts.local.status import status
from tests.local.traffic import keep_alive_load, ready, route, send, until


@pytest.fixture
def three(edge: State, artefact: Callable[..., SlotSpec]) -> Slot:
    """The twin 2.0.0 in green with three replicas and all users."""
    slot = ready(edge, start_slot(Path(edge.home), edge, "green", artefact("2.0.0"), replicas=3))
    route(edge, Routes(blue=0, green=100))
    return slot


def pids(slot: Slot) -> list[int]:
    return [replica.process.pid for replica in slot.replicas]


def test_every_replica_takes_its_part(edge: State, three: Slot) -> None:
    """Each has a name, a log and ports of its own, and is seen by `status`."""
    names = ["slot-green", "slot-green-2", "slot-green-3"]
    assert names == [replica.process.name for replica in three.replicas]
    assert len({port for replica in three.replicas for port in (replica.port, replica.admin_port)}) == 6
    answers = Counter(send(edge).json()["pid"] for _ in range(90))
    assert set(pids(three)) == set(answers)
    assert min(answers.values()) > 5
    seen = [part for part in status(Path(edge.home)).parts if part.name in names]
    assert [(part.name, part.pid) for part in seen] == list(zip(names, pids(three), strict=True))
    assert all(Path(part.log or "").is_file() for part in seen)


def test_more_and_fewer_replicas_under_load_lose_no_request(edge: State, three: Slot) -> None:
    """The newest go, once they have answered; the others never stop."""
    home = Path(edge.home)
    slots.faults(edge, three, latency_ms=30)
    with keep_alive_load(edge, clients=8) as seen:
        until(lambda: len(seen) > 50, "50 answers")
        fewer = scale_slot(home, edge, "green", 1)
        assert pids(three)[:1] == pids(fewer)
        assert [alive(replica.process) for replica in three.replicas] == [True, False, False]
        assert fewer == read_slot(home, "green")
        more = ready(edge, scale_slot(home, edge, "green", 2))
        assert pids(three)[0] == pids(more)[0]
        mark = len(seen)
        until(lambda: len(seen) > mark + 50, "50 answers")
    assert {each.status for each in seen} == {200}
    assert set(pids(more)) == {send(edge).json()["pid"] for _ in range(60)}


def test_scaling_to_what_there_is_changes_nothing(edge: State, three: Slot) -> None:
    """A killed command may be run again."""
    assert three == scale_slot(Path(edge.home), edge, "green", 3)


def test_a_slot_keeps_one_replica(edge: State, three: Slot) -> None:
    """To have none is to retire it; a slot that was never started cannot be scaled."""
    with pytest.raises(LocalError, match="0 replicas asked for, and one is the least; retire it"):
        scale_slot(Path(edge.home), edge, "green", 0)
    stop_slot(Path(edge.home), "green")
    with pytest.raises(LocalError, match="slot green does not run"):
        scale_slot(Path(edge.home), edge, "green", 2)


def test_a_replica_is_not_ended_where_envoy_cannot_say_that_it_has_answered(edge: State, three: Slot) -> None:
    """Nothing is guessed: the same command works once Envoy is there again."""
    home = Path(edge.home)
    os.kill(edge.processes["envoy"].pid, signal.SIGKILL)
    until(lambda: not alive(edge.processes["envoy"]), "Envoy is gone")
    with pytest.raises(ProbeError):
        scale_slot(home, edge, "green", 1)
    assert all(alive(replica.process) for replica in three.replicas)
    again = system.up(home, print, migrate=lambda url, report: None)
    assert pids(three)[:1] == pids(scale_slot(home, again, "green", 1))


def test_one_unready_replica_gets_no_requests(edge: State, three: Slot) -> None:
    """Health is each replica's own; the others carry on."""
    first, *others = three.replicas
    slots.faults(edge, Slot("green", three.spec, (first,), three.digest), unready=True)
    until(lambda: envoy.healthy(edge, "green") == {replica.port for replica in others}, "Envoy saw it")
    assert {send(edge).json()["pid"] for _ in range(40)} == {replica.process.pid for replica in others}


def test_a_replica_that_takes_no_connection_while_it_says_that_it_is_well_costs_nobody_a_request(
    edge: State, three: Slot
) -> None:
    """So a killed one is until Envoy's next look, and it seems the least busy: what it refuses goes to another."""
    first = three.replicas[0]
    closed = Endpoint(port=free_port(), admin_port=first.admin_port)
    envoy.write_endpoints(Path(edge.home), "green", [first.endpoint, closed])
    until(lambda: envoy.healthy(edge, "green") == {first.port, closed.port}, "Envoy takes both for healthy")
    with keep_alive_load(edge) as seen:
        until(lambda: len(seen) > 300, "300 answers")
    assert {each.status for each in seen} == {200}


def test_draining_reaches_every_replica(edge: State, three: Slot) -> None:
    """Also those behind one that does not answer; the error is told."""
    os.kill(three.replicas[0].process.pid, signal.SIGKILL)
    with pytest.raises(ProbeError):
        slots.drain(edge, three, True)
    assert [slots.probe(replica, "/readyz", 5)[0] for replica in three.replicas[1:]] == [503, 503]


def test_up_starts_the_replica_that_is_missing_and_no_other(edge: State, three: Slot) -> None:
    """In its place, with its name; `down` ends all of them."""
    home = Path(edge.home)
    os.kill(three.replicas[1].process.pid, signal.SIGKILL)
    until(lambda: not alive(three.replicas[1].process), "it is gone")
    system.up(home, print, migrate=lambda url, report: None)
    mended = read_slot(home, "green")
    assert mended
    assert [old == new for old, new in zip(three.replicas, mended.replicas, strict=True)] == [True, False, True]
    assert mended.replicas[1].process.name == "slot-green-2"
    assert set(pids(mended)) == {send(edge).json()["pid"] for _ in range(90)}
    system.down(home, print)
    assert marked(home) == []


def test_a_replica_that_was_never_written_down_is_ended_with_its_slot(edge: State, three: Slot) -> None:
    """A command killed between start and record leaves it: by its mark it is found, and its name is free again."""
    home = Path(edge.home)
    lost = start(home, "slot-green-4", ["sleep", "60"])
    other = start(home, "slot-blue-2", ["sleep", "60"])
    until(lambda: {"slot-green-4", "slot-blue-2"} <= marked_names(home), "both have their marks")
    assert len(scale_slot(home, edge, "green", 4).replicas) == 4
    assert not alive(lost)
    lost = start(home, "slot-green-9", ["sleep", "60"])
    until(lambda: "slot-green-9" in marked_names(home), "it has its mark")
    route(edge, Routes(blue=100, green=0))
    stop_slot(home, "green")
    assert (alive(lost), alive(other)) == (False, True)


def test_status_says_in_words_where_requests_go(edge: State, three: Slot) -> None:
    """The command's lines are for people."""
    asked = {"first": "blue", "headers": {"x-beta": "yes"}, "mirror": "blue", "sticky": "slot-7"}
    route(edge, Routes(blue=0, green=100, **asked))
    said = CliRunner().invoke(primetrade, ["local", "status", "--home", edge.home]).output
    assert "blue 0 %, green 100 %, kept by cookie slot-7, the audience on blue, reads copied to blue" in said
    assert "slot-green-3" in said


@pytest.mark.faults
@pytest.mark.parametrize("replicas", [5, 1])
def test_scaling_killed_before_any_of_its_steps_ends_well_when_run_again(
    edge: State, three: Slot, replicas: int
) -> None:
    """SIGKILL before every file it replaces and every process it starts, under load: no user notices."""
    home, step = Path(edge.home), 0
    with keep_alive_load(edge, pause_s=0.02) as seen:
        while True:
            step += 1
            killed = drive(home, replicas, str(step))
            again = drive(home, replicas)
            assert again.returncode == 0, again.stderr
            slot = read_slot(home, "green")
            assert slot
            ready(edge, slot)
            names = {process_name("green", number) for number in range(1, replicas + 1)}
            assert names == marked_names(home) - {"envoy", "slot-blue"}
            if killed.returncode == 0:
                break
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            ready(edge, scale_slot(home, edge, "green", 3))
    assert step > 3
    assert {each.status for each in seen} == {200}


@pytest.mark.faults
def test_replicas_that_envoy_knows_and_nobody_wrote_down_are_ended_without_a_loss(edge: State, three: Slot) -> None:
    """The command was killed between the two; they have been answering users since."""
    home = Path(edge.home)
    last = drive(home, 4).stdout.count("change") + 1  # the next one also puts a log aside
    with keep_alive_load(edge, clients=16) as seen:
        for _ in range(4):
            scale_slot(home, edge, "green", 3)
            assert drive(home, 4, last).returncode == -signal.SIGKILL
            until(lambda: len(envoy.healthy(edge, "green")) == 4, "Envoy sends requests to the fourth")
            assert drive(home, 4).returncode == 0
    assert {each.status for each in seen} == {200}


def drive(home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(Path(__file__).with_name("drive.py")), str(words[0]), str(home), *map(str, words[1:])]
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.faults
def test_a_killed_replica_costs_what_it_was_answering_and_no_more(edge: State, three: Slot) -> None:
    """What did not reach it is sent to another one; only Envoy's health checks find out that it is gone."""
    with keep_alive_load(edge, clients=8) as seen:
        until(lambda: len(seen) > 100, "100 answers")
        os.kill(three.replicas[1].process.pid, signal.SIGKILL)
        mark = len(seen)
        until(lambda: len(seen) > mark + 300, "300 answers")
    assert sum(each.status != 200 for each in seen) <= 8
