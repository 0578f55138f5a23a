"""Moving the route under load: no request is lost, and the old slot begins none once the move is applied."""

from __future__ import annotations

from pathlib import Path

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.slots import Slot, stop_slot
from scripts.local.state import State
from tests.local.traffic import keep_alive_load, until


def test_switching_under_keep_alive_load_loses_no_request(edge: State, green: Slot) -> None:
    """Ten moves, with the losing slot told to drain and the gaining one taken back: every answer is a 200."""
    home = Path(edge.home)
    with keep_alive_load(edge) as seen:
        for number in range(10):
            to, off = ("green", "blue") if number % 2 == 0 else ("blue", "green")
            gaining, losing = slots.read_slot(home, to), slots.read_slot(home, off)
            assert gaining
            assert losing
            slots.drain(edge, gaining, False)
            until(lambda: bool(envoy.healthy(edge, to)), f"{to} is healthy")  # noqa: B023  # called at once
            written = envoy.write_routes(home, Routes(**{to: 100, off: 0}))
            until(lambda: envoy.applied(edge) == written, f"{to} has the traffic")  # noqa: B023  # called at once
            slots.drain(edge, losing, True)
            before = len(seen)
            until(lambda: len(seen) > before + 40, "40 answers")  # noqa: B023  # called at once
            assert {each.slot for each in seen[-8:]} == {to}
    assert {each.status for each in seen} == {200}
    assert {each.slot for each in seen} == {"blue", "green"}


def test_retiring_the_slot_that_lost_its_traffic_loses_no_request(edge: State, green: Slot) -> None:
    """The old slot is ended while its clients' connections are open: they never notice."""
    home = Path(edge.home)
    with keep_alive_load(edge) as seen:
        until(lambda: len(seen) > 40, "40 answers")
        written = envoy.write_routes(home, Routes(blue=0, green=100))
        until(lambda: envoy.applied(edge) == written, "green has the traffic")
        stop_slot(home, "blue")
        before = len(seen)
        until(lambda: len(seen) > before + 40, "40 answers")
    assert {each.status for each in seen} == {200}
