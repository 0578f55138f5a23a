"""Copies of users' reads go to a slot whose answers reach nobody, and whose troubles are nobody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.local import envoy, envoy_config, slots
from scripts.local.envoy_config import Routes
from scripts.local.slots import Slot, stop_slot
from scripts.local.state import State
from tests.local.traffic import keep_alive_load, route, send, until

MIRROR = Routes(blue=100, green=0, mirror="green")


def copies(state: State) -> list[tuple[str, str, dict[str, Any]]]:
    """What green was sent: method, path and headers."""
    lines = (Path(state.home) / "log" / "slot-green.log").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("[")]
    return [(method, path, {name.lower(): value for name, value in headers.items()}) for method, path, headers in found]


def answered(state: State) -> int:
    return sum(envoy.shadow_stats(state)["green"].values())


def test_reads_of_users_are_copied_and_nothing_else(edge: State, green: Slot) -> None:
    """Not writes, not the preview route, not the audience; users are answered by their own slot alone."""
    audience = Routes(blue=100, green=0, mirror="green", first="green", headers={"x-beta": "yes"}, sticky="slot-7")
    assert route(edge, audience) == envoy.read_routes(Path(edge.home))
    for method in ("POST", "PATCH", "DELETE"):
        assert send(edge, method, "/write").headers["x-slot"] == "blue"
    send(edge, path="/audience", x_beta="yes")
    for slot in ("blue", "green"):
        send(edge, path="/preview", x_route_key=edge.route_key, x_route_slot=slot)
    for method in ("GET", "HEAD"):
        assert send(edge, method, "/read?a=1").headers["x-slot"] == "blue"
    assert send(edge, path="/known", cookie="slot-7=x").headers["x-slot"] == "blue"
    until(lambda: answered(edge) == 3, "three copies were answered")
    assert sorted(copy[:2] for copy in copies(edge)) == [("GET", "/known"), ("GET", "/read?a=1"), ("HEAD", "/read?a=1")]


def test_a_copy_is_the_request_with_the_edges_mark(edge: State, green: Slot) -> None:
    """The same host, request id and headers; no client can send the mark himself."""
    route(edge, MIRROR)
    own = send(edge, path="/read", host="shop.example", authorization="Bearer x", x_shadow="1").json()["headers"]
    seen = {name.lower(): value for name, value in own.items()}
    until(lambda: answered(edge) == 1, "the copy was answered")
    [(_, _, copy)] = copies(edge)
    assert (copy["host"], copy["authorization"], copy["x-shadow"]) == ("shop.example", "Bearer x", "1")
    assert copy["x-request-id"] == seen["x-request-id"]
    assert "x-shadow" not in seen


def test_copies_are_counted_apart_from_users(edge: State, green: Slot) -> None:
    """Users' reads by their own slot's answers, copies by the mirror's; users' requests as ever."""
    send(edge)
    route(edge, MIRROR)
    slots.faults(edge, green, error_share=1)
    for method in ("GET", "HEAD", "POST"):
        assert send(edge, method).status == 200
    until(lambda: envoy.shadow_stats(edge)["green"]["5xx"] == 2, "two copies failed")
    until(lambda: envoy.read_stats(edge)["blue"]["2xx"] == 2, "two reads of users went well")
    users = envoy.slot_stats(edge)
    assert (users["blue"]["2xx"], sum(users["green"].values())) == (4, 0)
    assert sum(envoy.shadow_stats(edge)["blue"].values()) == sum(envoy.read_stats(edge)["green"].values()) == 0


def test_users_are_answered_while_every_copy_hangs(edge: State, green: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than the mirror has threads or the edge connections; they are answered when it comes to itself.

    That is before their time is over, however slow the machine.
    """
    monkeypatch.setattr(envoy_config, "COPY_S", 120)
    route(edge, MIRROR)
    slots.faults(edge, green, hang=True)
    assert {send(edge).status for _ in range(100)} == {200}
    assert answered(edge) == 0
    slots.faults(edge, green, hang=False)
    until(lambda: envoy.shadow_stats(edge)["green"]["2xx"] == 100, "the copies were answered")


def test_users_are_answered_when_the_mirror_is_gone(edge: State, green: Slot) -> None:
    """A copy with nowhere to go is a failed copy."""
    route(edge, MIRROR)
    stop_slot(Path(edge.home), "green")
    until(lambda: not envoy.hosts(edge, "green"), "Envoy forgot the slot")
    assert {send(edge).status for _ in range(20)} == {200}
    until(lambda: answered(edge) == envoy.shadow_stats(edge)["green"]["5xx"] == 20, "twenty copies failed")


@pytest.mark.faults
def test_a_mirror_that_goes_on_hanging_costs_no_user_an_answer(edge: State, green: Slot) -> None:
    """Beyond what the edge keeps of copies they fail at once, the others after their time limit."""
    route(edge, MIRROR)
    slots.faults(edge, green, hang=True)
    with keep_alive_load(edge, clients=8, pause_s=0.001, method="GET") as seen:
        until(lambda: len(seen) > 2000, "2,000 answers", 180)
    assert {each.status for each in seen} == {200}
    assert {each.slot for each in seen} == {"blue"}
    until(lambda: answered(edge) == envoy.shadow_stats(edge)["green"]["5xx"] == len(seen), "every copy failed")
