"""A user keeps his slot by a cookie, for as long as that slot has a share."""

from __future__ import annotations

import re

from scripts.local.envoy_config import STICKY_S, Routes
from scripts.local.slots import Slot
from scripts.local.state import State
from tests.local.traffic import route, send

JARS = 300


def shared(green: int, cookie: str) -> Routes:
    return Routes(blue=100 - green, green=green, sticky=cookie)


def newcomers(state: State, cookie: str) -> dict[str, str]:
    """Cookies that new users were given, and the slot that each one's first request had."""
    found = {}
    for _ in range(JARS):
        answer = send(state)
        given = re.fullmatch(
            rf"{cookie}=([0-9a-f-]{{36}}); Max-Age={STICKY_S}; Path=/; HttpOnly; SameSite=Lax",
            answer.headers["set-cookie"],
        )
        assert given
        found[given[1]] = answer.headers["x-slot"]
    assert len(found) == JARS
    return found


def returning(state: State, cookie: str, jars: dict[str, str]) -> dict[str, str]:
    """The slots of the same users, later."""
    found = {}
    for jar in jars:
        answer = send(state, "POST", cookie=f"theme=dark; {cookie}={jar}")
        assert "set-cookie" not in answer.headers
        found[jar] = answer.headers["x-slot"]
    return found


def on_green(jars: dict[str, str]) -> set[str]:
    return {jar for jar, slot in jars.items() if slot == "green"}


def test_users_keep_their_slot_while_its_share_grows_and_leave_it_with_its_last_percent(
    edge: State, green: Slot
) -> None:
    """The share is one of users (five standard deviations), who never go back and forth; 0 % beats every cookie."""
    route(edge, shared(25, "slot-7"))
    first = newcomers(edge, "slot-7")
    assert 37 < len(on_green(first)) < 113
    assert first == returning(edge, "slot-7", first)
    route(edge, shared(50, "slot-7"))
    half = returning(edge, "slot-7", first)
    assert on_green(first) < on_green(half)
    route(edge, shared(10, "slot-7"))
    assert on_green(returning(edge, "slot-7", first)) < on_green(first)
    route(edge, shared(0, "slot-7"))
    assert not on_green(returning(edge, "slot-7", first))


def test_another_cookie_draws_every_user_anew(edge: State, green: Slot) -> None:
    """Those who had the new slot before a rollback are not the ones who get it next; the old cookie means nothing."""
    route(edge, shared(50, "slot-7"))
    first = newcomers(edge, "slot-7")
    route(edge, shared(50, "slot-8"))
    again = {jar: send(edge, cookie=f"slot-7={jar}") for jar in first}
    assert all(answer.headers["set-cookie"].startswith("slot-8=") for answer in again.values())
    moved = sum(answer.headers["x-slot"] != first[jar] for jar, answer in again.items())
    assert 107 < moved < 193


def test_without_a_cookie_nobody_is_given_one(edge: State, green: Slot) -> None:
    """Every request is drawn for itself."""
    route(edge, Routes(blue=50, green=50))
    answers = [send(edge, cookie="slot-7=x") for _ in range(60)]
    assert {answer.headers["x-slot"] for answer in answers} == {"blue", "green"}
    assert not any("set-cookie" in answer.headers for answer in answers)
