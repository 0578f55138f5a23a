"""Envoy in front of two slots: who gets a request, what it carries, and what happens when a slot is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import ProbeError
from scripts.local.slots import Slot, SlotSpec, start_slot, stop_slot
from scripts.local.state import State
from tests.local.traffic import ready, route, send, until

Artefact = Callable[..., SlotSpec]


def test_every_answer_names_its_slot(edge: State) -> None:
    """The header is the edge's, whatever the slot runs."""
    answer = send(edge, path="/tasks?limit=3")
    assert (answer.status, answer.headers["x-slot"]) == (200, "blue")
    assert answer.json()["path"] == "/tasks?limit=3"


def test_weights_share_the_requests_out(edge: State, green: Slot) -> None:
    """At 30 to 70 both slots answer, and of 600 requests blue's share is within five standard deviations of 30 %."""
    written = route(edge, Routes(blue=30, green=70))
    counts = Counter(send(edge).headers["x-slot"] for _ in range(600))
    assert counts["blue"] + counts["green"] == 600
    assert 124 < counts["blue"] < 236
    assert written == envoy.read_routes(Path(edge.home))
    until(lambda: envoy.slot_stats(edge)["green"]["2xx"] == counts["green"], "Envoy counted the same answers")


def test_the_note_travels_with_the_route(edge: State) -> None:
    """Who moved the route, and for which run, is read back from Envoy itself."""
    home = Path(edge.home)
    written = envoy.write_routes(home, Routes(blue=100, green=0, note={"run": "r-7", "token": "12"}))
    until(lambda: envoy.applied(edge) == written, "Envoy serves the noted route")
    assert envoy.read_routes(home) == written


@pytest.mark.parametrize(("blue", "green"), [(50, 60), (0, 0), (-10, 110), (101, -1)])
def test_weights_that_do_not_make_100_are_refused(blue: int, green: int) -> None:
    """Nothing is written that Envoy would round or refuse later."""
    with pytest.raises(ValueError, match=f"blue {blue} and green {green}"):
        Routes(blue=blue, green=green)


def test_the_preview_route_reaches_a_slot_without_users(edge: State, green: Slot) -> None:
    """With the key a caller picks the slot; without it the weights do; the slot sees neither header."""
    preview = send(edge, x_route_key=edge.route_key, x_route_slot="green")
    assert (preview.headers["x-slot"], preview.json()["version"]) == ("green", "2.0.0")
    assert not {"x-route-key", "x-route-slot"} & {name.lower() for name in preview.json()["headers"]}
    guess = send(edge, x_route_key="guess", x_route_slot="green")
    assert guess.headers["x-slot"] == "blue"
    assert not {"x-route-key", "x-route-slot"} & {name.lower() for name in guess.json()["headers"]}


def test_previewed_answers_are_counted_apart(edge: State, green: Slot) -> None:
    """A release under analysis has no users' answers in its name."""
    for _ in range(3):
        send(edge, x_route_key=edge.route_key, x_route_slot="green")
    until(lambda: envoy.slot_stats(edge, preview=True)["green"]["2xx"] == 3, "three previewed answers")
    assert envoy.slot_stats(edge)["green"]["2xx"] == 0


def test_the_slot_learns_who_called_from_the_edge_alone(edge: State) -> None:
    """A claimed address is replaced and a request id is given, so neither can be forged."""
    claims = {"x_forwarded_for": "6.6.6.6", "x_request_id": "forged", "x_envoy_retry_on": "5xx"}
    seen = {name.lower(): value for name, value in send(edge, **claims).json()["headers"].items()}
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert len(seen["x-request-id"]) == 36
    assert "x-envoy-retry-on" not in seen


def test_a_slot_that_is_down_answers_503_at_once(edge: State) -> None:
    """No endpoint: the edge says so, in the slot's name, and does not hang."""
    stop_slot(Path(edge.home), "blue")
    until(lambda: not envoy.healthy(edge, "blue"), "Envoy forgot the endpoint")
    answer = send(edge)
    assert (answer.status, answer.headers["x-slot"]) == (503, "blue")


def test_an_unready_slot_gets_no_requests_until_it_is_ready(edge: State, green: Slot) -> None:
    """Health checks ask the admin port, and a slot that is ready again is used again."""
    slots.faults(edge, green, unready=True)
    until(lambda: not envoy.healthy(edge, "green"), "the health check failed")
    assert send(edge, x_route_key=edge.route_key, x_route_slot="green").status == 503
    slots.faults(edge, green, unready=False)
    ready(edge, green)
    assert send(edge, x_route_key=edge.route_key, x_route_slot="green").status == 200


def test_draining_closes_connections_and_is_undone(edge: State, green: Slot) -> None:
    """A draining slot calls itself unready; a warm slot that is taken back is healthy at the edge again."""
    slots.drain(edge, green, True)
    assert slots.probe(green.replicas[0], "/readyz", 5)[0] == 503
    until(lambda: not envoy.healthy(edge, "green"), "the edge saw it drain")
    slots.drain(edge, green, False)
    ready(edge, green)


def test_admin_verbs_need_the_token(edge: State, green: Slot) -> None:
    """Another token is refused, and the refusal names the slot and the status."""
    other = msgspec.structs.replace(edge, admin_token="wrong")
    with pytest.raises(ProbeError, match="green: POST /admin/drain was refused with 401"):
        slots.drain(other, green, True)


def test_a_new_start_of_a_slot_takes_its_place(edge: State, green: Slot, artefact: Artefact) -> None:
    """Fresh ports, the old process gone, the preview route on the new one."""
    newer = ready(edge, start_slot(Path(edge.home), edge, "green", artefact("2.0.1")))
    (old,), (new,) = green.replicas, newer.replicas
    assert {old.port, old.admin_port}.isdisjoint({new.port, new.admin_port})
    assert send(edge, x_route_key=edge.route_key, x_route_slot="green").json()["version"] == "2.0.1"
    with pytest.raises(ProbeError, match="no answer"):
        slots.probe(green.replicas[0], "/livez", 1)


def test_equal_specs_have_equal_digests() -> None:
    """The order of variables is not part of a release; its version is."""
    one = slots.digest(SlotSpec(version="1", env={"A": "1", "B": "2"}))
    assert one == slots.digest(SlotSpec(version="1", env={"B": "2", "A": "1"}))
    assert one != slots.digest(SlotSpec(version="2", env={"A": "1", "B": "2"}))
