"""Users who say that they want the new slot get it, and nobody else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.local import envoy
from scripts.local.envoy_config import Routes
from scripts.local.slots import Slot
from scripts.local.state import State
from tests.local.traffic import route, send, until

AUDIENCE = Routes(blue=100, green=0, first="green", headers={"x-beta": "yes"}, cookies={"beta": "1", "tester": "ann"})


@pytest.mark.parametrize(
    "headers",
    [
        {"x_beta": "yes"},
        {"cookie": "beta=1"},
        {"cookie": "a=b; beta=1; c=d"},
        {"cookie": 'beta="1"'},
        {"cookie": "tester=ann"},
        {"cookie": "beta=0; tester=ann"},
    ],
)
def test_any_one_header_or_cookie_of_the_audience_is_enough(edge: State, green: Slot, headers: dict[str, str]) -> None:
    """Whatever the shares, and the answer says which slot it was."""
    written = route(edge, AUDIENCE)
    answer = send(edge, **headers)
    assert (answer.headers["x-slot"], answer.json()["version"]) == ("green", "2.0.0")
    assert written == envoy.read_routes(Path(edge.home))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_beta": "YES"},
        {"x_beta": "yes, please"},
        {"beta": "1"},
        *({"cookie": text} for text in ("xbeta=1", "beta=11", "beta=x1", "BETA=1", "a=b,beta=1", "a=beta=1", "beta=0")),
        {"cookie": "beta=0; beta=1"},
    ],
)
def test_what_only_looks_like_the_audience_is_anybody(edge: State, green: Slot, headers: dict[str, str]) -> None:
    """Names and values count as a whole; of a cookie sent twice the first."""
    route(edge, AUDIENCE)
    assert send(edge, **headers).headers["x-slot"] == "blue"


def test_the_preview_route_comes_before_the_audience(edge: State, green: Slot) -> None:
    """Who has the key says himself which slot he wants; the audience's requests are users' requests."""
    route(edge, AUDIENCE)
    asked = send(edge, x_beta="yes", x_route_key=edge.route_key, x_route_slot="blue")
    assert asked.headers["x-slot"] == "blue"
    send(edge, x_beta="yes")
    until(lambda: envoy.slot_stats(edge)["green"]["2xx"] == 1, "one user's answer by green")
